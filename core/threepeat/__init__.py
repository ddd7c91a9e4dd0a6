"""Threepeat's core: tenants, members, events, and the plugins that react to them."""

__version__ = "0.1.0"
