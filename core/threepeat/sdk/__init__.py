"""The door: all that a plugin may import. It imports nothing else of Threepeat."""

from threepeat.sdk.audience import Audience, AudienceError
from threepeat.sdk.context import Context, Sql, Store
from threepeat.sdk.errors import PluginError, Refused
from threepeat.sdk.facts import AsOf, Fact, Multiplier, fact, multiplier
from threepeat.sdk.manifest import Manifest
from threepeat.sdk.orders import Orders, OrderSummary
from threepeat.sdk.plugin import Plugin, hookimpl
from threepeat.sdk.records import Invariant, Provided, Reaction, Route, get, post, provide_orders, when
from threepeat.sdk.rewards import Grant, Granted, GrantState, Revocation, Revoked, Reward, Spend, reward
from threepeat.sdk.settings import PluginSettings, SecretStr
from threepeat.sdk.timers import (
    Call,
    Due,
    GiveUp,
    Occurrence,
    Outbound,
    RetryAfter,
    Schedule,
    Timer,
    outbound,
    schedule,
    timer,
)

__all__ = [
    "AsOf",
    "Audience",
    "AudienceError",
    "Call",
    "Context",
    "Due",
    "Fact",
    "GiveUp",
    "Grant",
    "GrantState",
    "Granted",
    "Invariant",
    "Manifest",
    "Multiplier",
    "Occurrence",
    "OrderSummary",
    "Orders",
    "Outbound",
    "Plugin",
    "PluginError",
    "PluginSettings",
    "Provided",
    "Reaction",
    "Refused",
    "RetryAfter",
    "Revocation",
    "Revoked",
    "Reward",
    "Route",
    "Schedule",
    "SecretStr",
    "Spend",
    "Sql",
    "Store",
    "Timer",
    "fact",
    "get",
    "hookimpl",
    "multiplier",
    "outbound",
    "post",
    "provide_orders",
    "reward",
    "schedule",
    "timer",
    "when",
]
