"""The ``dfj`` command. Heavy imports stay inside the commands, so that ``dfj --help`` is quick."""
