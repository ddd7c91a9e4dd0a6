"""The door: all that a plugin may import. It imports nothing else of Threepeat."""

from threepeat.sdk.audience import Audience, AudienceError
from threepeat.sdk.collections import Action, CollectionOf, Item, ItemModel, Query, action, collection
from threepeat.sdk.context import Context, Sql, Store
from threepeat.sdk.errors import PluginError, Refused
from threepeat.sdk.facts import AsOf, Fact, Multiplier, fact, multiplier
from threepeat.sdk.manifest import Manifest
from threepeat.sdk.metrics import Funnel, Metric, Period, Series, Stat, Table, metric
from threepeat.sdk.orders import Orders, OrderSummary
from threepeat.sdk.plugin import Plugin, hookimpl
from threepeat.sdk.records import Invariant, Provided, Reaction, Route, get, post, provide_orders, when
from threepeat.sdk.rewards import (
    Grant,
    Granted,
    GrantState,
    Revocation,
    Revoked,
    Reward,
    RewardChoice,
    Spend,
    reward,
)
from threepeat.sdk.settings import PluginSettings, SecretStr, shown
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
from threepeat.sdk.wording import Amount, Wording, _, ngettext

__all__ = [
    "Action",
    "Amount",
    "AsOf",
    "Audience",
    "AudienceError",
    "Call",
    "CollectionOf",
    "Context",
    "Due",
    "Fact",
    "Funnel",
    "GiveUp",
    "Grant",
    "GrantState",
    "Granted",
    "Invariant",
    "Item",
    "ItemModel",
    "Manifest",
    "Metric",
    "Multiplier",
    "Occurrence",
    "OrderSummary",
    "Orders",
    "Outbound",
    "Period",
    "Plugin",
    "PluginError",
    "PluginSettings",
    "Provided",
    "Query",
    "Reaction",
    "Refused",
    "RetryAfter",
    "Revocation",
    "Revoked",
    "Reward",
    "RewardChoice",
    "Route",
    "Schedule",
    "SecretStr",
    "Series",
    "Spend",
    "Sql",
    "Stat",
    "Store",
    "Table",
    "Timer",
    "Wording",
    "_",
    "action",
    "collection",
    "fact",
    "get",
    "hookimpl",
    "metric",
    "multiplier",
    "ngettext",
    "outbound",
    "post",
    "provide_orders",
    "reward",
    "schedule",
    "shown",
    "timer",
    "when",
]
