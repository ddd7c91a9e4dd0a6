"""Welcome: a newcomer pack, once per person, and a reward for coming back a second time."""
