"""Finds, validates and freezes plugins; knows no database and no HTTP."""

from threepeat.plugins.dispatch import Handler, Outcome, Table
from threepeat.plugins.registry import Chosen, Installed, Quarantined, Registry

__all__ = ["Chosen", "Handler", "Installed", "Outcome", "Quarantined", "Registry", "Table"]
