"""Pure decisions: values in, verdict out; no I/O, no clock, no ``await``."""

RULES_OF_DECISION = 1
"""Of all that decides about a recorded answer: how it is read, acceptance, fidelity of paraphrases with what
``language`` finds in them. Where it changes so does this number, and every partition is decided anew from its
journal at a run's next start."""
