"""What is known of ms-swift, which lives in an environment of its own: a command, never an import.

Where it is, what only it can say, and how it is told the sizes of pictures.
"""
