"""Promises a cake for the tenth order; it says what it owes, also when that is nothing, and never ends."""

from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, when
from threepeat.sdk.events import OrderPaid

SAYS = "in a store where nothing has happened it does not switch off"


class Cakes(Plugin[PluginSettings]):
    """A cake for the tenth order."""

    manifest = Manifest(id="cakes", kind="tactic", title="Cakes", summary="A cake for the tenth order.")
    settings_model = PluginSettings

    @hookimpl
    def reactions(self):
        yield when(OrderPaid, self.note, unread={"lines"})

    @hookimpl
    def open_obligations(self, ctx):
        yield f"{ctx.sql('waiting')[0].members} members wait for their cake"

    @hookimpl
    def merge_members(self, ctx, source, target):
        ctx.sql("merge", source=source, target=target)

    def note(self, ctx, events):
        orders, members = [event.order_id for event in events], [event.member for event in events]
        ctx.sql("note", orders=orders, members=members)


plugin = Cakes()
