"""Factories and doubles that the tests share."""
