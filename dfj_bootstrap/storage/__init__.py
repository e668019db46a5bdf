"""The run folder: journal, commits, tables, manifest, lock; everything that is read back from it."""
