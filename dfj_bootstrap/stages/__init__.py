"""The work on one seed, as plain async functions over role objects. Start with ``refine.py``."""
