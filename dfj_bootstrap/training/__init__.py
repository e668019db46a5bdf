"""Training a judge: the recipe, the checks before a GPU is taken, the job as a value, and its launch."""
