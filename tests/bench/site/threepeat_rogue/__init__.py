"""A tactic that misbehaves in the way that an event names."""
