"""Counts orders, one row for each member; merging renames the row, which fails where the other has one, too."""

from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, when
from threepeat.sdk.events import OrderPaid

SAYS = "two members with orders of their own cannot be merged"


class Tally(Plugin[PluginSettings]):
    """How often members bought."""

    manifest = Manifest(id="tally", kind="tactic", title="Tally", summary="How often members bought.")
    settings_model = PluginSettings

    @hookimpl
    def reactions(self):
        yield when(OrderPaid, self.count, unread={"lines"})

    @hookimpl
    def merge_members(self, ctx, source, target):
        ctx.sql("merge", source=source, target=target)

    def count(self, ctx, events):
        ctx.sql("count", members=[event.member for event in events])


plugin = Tally()
