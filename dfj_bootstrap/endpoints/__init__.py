"""Ways to reach a model, and the journal in front of them."""
