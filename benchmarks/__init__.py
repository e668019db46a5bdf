"""Measurements, explained in docs/performance.md."""
