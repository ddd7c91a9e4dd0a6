"""The operators' part of the HTTP API."""
