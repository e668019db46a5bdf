"""Prompt files → the parts of a call; a reply's text → values. Nothing here calls a model."""
