"""The jobs of calls. A new one is a file here, and its name in ``registry.py``."""
