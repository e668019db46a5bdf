"""Everything that touches the disk: seeds, pictures, plan, journal and tables."""
