"""The pages of the consoles, one file for each family."""
