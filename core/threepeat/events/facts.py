"""Answers about members across plugins: facts, audiences and multipliers."""

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from threepeat.sdk.audience import Audience
from threepeat.sdk.facts import AsOf

if TYPE_CHECKING:
    from threepeat.events.context import PluginContext
    from threepeat.events.opened import OpenTenant


def answer(
    opened: "OpenTenant", asker: "PluginContext", names: Collection[str], members: Collection[int]
) -> Mapping[str, Mapping[int, Any]]:
    """Facts about many members, by name and member."""
    raise NotImplementedError


def matching(
    opened: "OpenTenant", asker: "PluginContext", audience: Audience, members: Collection[int]
) -> frozenset[int]:
    """Those members that an audience is made for."""
    raise NotImplementedError


def multiply(opened: "OpenTenant", asker: "PluginContext", kind: str, moments: Sequence[AsOf]) -> list[Fraction]:
    """The product of the factors that enabled plugins put on a kind of reward."""
    raise NotImplementedError
