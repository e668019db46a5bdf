"""Models that the run itself serves with vLLM."""
