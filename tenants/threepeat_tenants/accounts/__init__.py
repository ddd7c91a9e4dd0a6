"""Who signs in: operators and the staff of stores, their passwords, links and sessions."""
