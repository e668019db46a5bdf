"""Pure decisions: values in, verdict out; no I/O, no clock, no ``await``."""
