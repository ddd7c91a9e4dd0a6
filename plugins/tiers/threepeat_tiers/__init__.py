"""Tiers: where members stand by what they buy and do, and what that brings them."""
