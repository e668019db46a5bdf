"""What a run will take before anything is spent: reads seeds, prompts and earlier runs; calls nobody."""
