"""What plays the roles: embedded rules here; prompts with models come as further modules."""
