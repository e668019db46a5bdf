"""From a user's files to a plan: rows, pictures, and how they fit together. Importers come here."""
