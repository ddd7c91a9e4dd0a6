"""Checkout: quotes that stand, what is held for orders, and what comes back of them."""
