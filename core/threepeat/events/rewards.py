"""Grants, revocations and payments, the same for every kind of reward."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from threepeat.plugins import Installed
from threepeat.sdk.rewards import Grant, Granted, Revocation, Spend

if TYPE_CHECKING:
    from threepeat.events.context import PluginContext
    from threepeat.events.opened import OpenTenant


def grant(
    opened: "OpenTenant", giver: "PluginContext", plugin: Installed, kind: str, grants: Sequence[Grant]
) -> list[Granted]:
    """Give a batch of rewards, charged to the giving tactic's monthly budget."""
    raise NotImplementedError


def revoke(
    opened: "OpenTenant", giver: "PluginContext", plugin: Installed, kind: str, revocations: Sequence[Revocation]
) -> None:
    """Take back what earlier grants of the same plugin gave."""
    raise NotImplementedError


def balance(
    opened: "OpenTenant", asker: "PluginContext", kind: str, members: Collection[int]
) -> Mapping[int, int]:
    """What members have of a kind of reward."""
    raise NotImplementedError


def spend(opened: "OpenTenant", asker: "PluginContext", kind: str, spends: Sequence[Spend]) -> None:
    """Let members pay with a kind of reward: all of them or none."""
    raise NotImplementedError
