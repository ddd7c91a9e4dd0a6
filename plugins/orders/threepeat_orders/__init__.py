"""The orders service: a read model of what members bought, for every tactic."""
