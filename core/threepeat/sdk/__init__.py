"""The door: all that a plugin may import. It imports nothing else of Threepeat."""

from threepeat.sdk.context import Context, Sql, Store
from threepeat.sdk.errors import PluginError, Refused
from threepeat.sdk.manifest import Manifest
from threepeat.sdk.orders import Orders, OrderSummary
from threepeat.sdk.plugin import Plugin, hookimpl
from threepeat.sdk.records import Invariant, Provided, Reaction, Route, get, post, provide_orders, when
from threepeat.sdk.settings import PluginSettings, SecretStr

__all__ = [
    "Context",
    "Invariant",
    "Manifest",
    "OrderSummary",
    "Orders",
    "Plugin",
    "PluginError",
    "PluginSettings",
    "Provided",
    "Reaction",
    "Refused",
    "Route",
    "SecretStr",
    "Sql",
    "Store",
    "get",
    "hookimpl",
    "post",
    "provide_orders",
    "when",
]
