"""Messages from the store to its members."""
