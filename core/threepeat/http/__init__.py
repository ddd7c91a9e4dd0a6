"""The HTTP API: events in, members and tactics managed, plugins mounted."""
