"""The event log: what may enter, how it is appended, and what handlers are given of it."""
