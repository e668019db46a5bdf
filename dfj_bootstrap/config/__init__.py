"""The configuration: strict sections, read from YAML. A docstring below a field is its line in the docs."""
