"""How much may be done at once, in a minute, and for how many dollars."""
