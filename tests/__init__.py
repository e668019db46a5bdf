"""The tests; they need nothing outside the repository."""
