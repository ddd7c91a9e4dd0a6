"""Points: earned by spending, kept in lots with an expiry, reversed when money goes back."""
