"""What the commands do, as operations: start a job or go on with it, assemble, look into a run."""
