"""Rules from which a plugin can be exempt, with a reason."""
