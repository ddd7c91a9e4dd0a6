"""Hands the log to the plugins, one tenant's turn at a time."""
