"""Tenants, members, keys, the three switches, settings and the comparison group."""
