"""Ids of items, which are numbers."""

MAX_ID = 2**63 - 1


def number(item: str) -> int:
    """An item's number; 0, which none has, for what is no number."""
    found = int(item) if item.isascii() and item.isdigit() and len(item) <= len(str(MAX_ID)) else 0
    return found if found <= MAX_ID and str(found) == item else 0
