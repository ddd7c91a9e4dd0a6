"""Rules without which a plugin may not be published."""
