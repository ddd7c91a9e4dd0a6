"""Check-in: one a day, a ladder of rewards for days in a row, and days that are made up for."""
