"""From tables to DFJ-Meta: the corpus in JSONL and Parquet, with a card. Start with ``assembly.py``."""
