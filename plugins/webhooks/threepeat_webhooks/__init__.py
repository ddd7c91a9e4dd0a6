"""Webhooks: the events of a store, signed, sent to the addresses that its merchant names."""
