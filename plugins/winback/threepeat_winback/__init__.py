"""Winback: wakes members who have stopped buying, with a reward that waits for them."""
