"""The nouns: frozen values without I/O and without ``await``. Everything else is written in them."""
