"""A paid call as a value with a key, and the client that answers it from the journal."""
