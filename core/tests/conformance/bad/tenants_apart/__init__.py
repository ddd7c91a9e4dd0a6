"""A stamp for each order; one statement names its tenant for the rows that it adds, not for those it changes."""

from threepeat.sdk import Manifest, Plugin, PluginSettings, get, hookimpl, when
from threepeat.sdk.events import OrderPaid

SAYS = "Only row-level security would prevent it"


class Stamps(Plugin[PluginSettings]):
    """A stamp for each order."""

    manifest = Manifest(id="stamps", kind="tactic", title="Stamps", summary="A stamp for each order.")
    settings_model = PluginSettings

    @hookimpl
    def reactions(self):
        yield when(OrderPaid, self.stamp, unread={"lines"})

    @hookimpl
    def routes(self):
        yield get("/stamps", self.held, summary="My stamps")

    @hookimpl
    def merge_members(self, ctx, source, target):
        ctx.sql("merge", source=source, target=target)
        ctx.sql("leave", source=source, target=target)

    def stamp(self, ctx, events):
        members = [event.member for event in events]
        ctx.sql("open", members=sorted(set(members)))
        ctx.sql("add", orders=[event.order_id for event in events], members=members)

    def held(self, ctx) -> int:
        rows = ctx.sql("held", member=ctx.member)
        return rows[0].held if rows else 0


plugin = Stamps()
