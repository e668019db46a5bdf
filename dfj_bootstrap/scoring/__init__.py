"""From predictions to the field's figures, each with an interval. Pure: files are read by the command.

``rows.py`` says what a row of predictions holds, ``pointwise.py`` … ``rationales.py`` what is made of them,
``bootstrap.py`` how far a figure can be trusted. Start with ``systems.py``.
"""
