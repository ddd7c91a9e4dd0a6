"""Group buy: a lower price for those who find each other in time."""
