"""The consoles: pages for those who run stores and for those who own them."""
