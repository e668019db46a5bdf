"""A rehearsal: a server inside the worker that invents or replays answers."""
