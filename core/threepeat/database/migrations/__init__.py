"""Alembic's environment and core's own revisions."""
