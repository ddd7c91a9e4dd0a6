"""The service has nothing to set."""

from threepeat.sdk import PluginSettings


class OrdersSettings(PluginSettings):
    """Empty: orders are recorded as the shop reports them."""
