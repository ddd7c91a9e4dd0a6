"""Thanks for each order, and goes on while the merchant switches it off: `always` is meant for refunds."""

from typing import ClassVar

from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, when
from threepeat.sdk.events import PLUGIN, Event, OrderPaid

SAYS = "while it is closing, a member who had nothing gets the event thanks.given"


class ThanksGiven(Event, frozen=True, kw_only=True):
    """A member was thanked, and gets a free coffee in the shop."""

    type: ClassVar[str] = "thanks.given"
    title: ClassVar[str] = "given"
    senders: ClassVar = PLUGIN
    order_id: str


class Thanks(Plugin[PluginSettings]):
    """A coffee for each order."""

    manifest = Manifest(id="thanks", kind="tactic", title="Thanks", summary="A coffee for each order.")
    settings_model = PluginSettings

    @hookimpl
    def events(self):
        yield ThanksGiven

    @hookimpl
    def reactions(self):
        yield when(OrderPaid, self.thank, always=True, unread={"lines"})

    def thank(self, ctx, events):
        for event in events:
            ctx.emit(ThanksGiven(order_id=event.order_id), member=event.member, cause=event)


plugin = Thanks()
