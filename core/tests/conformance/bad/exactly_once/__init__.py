"""It counts in a variable, which does not go back when a turn does."""

from collections import Counter

from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, when
from threepeat.sdk.events import OrderPaid


class Forgetful(Plugin[PluginSettings]):
    """Knows how many orders a member has made, as long as nothing goes wrong."""

    manifest = Manifest(id="forgetful", kind="tactic", title="Counter", summary="Counts orders.")
    settings_model = PluginSettings

    def __init__(self):
        self._orders = Counter()

    @hookimpl
    def reactions(self):
        yield when(OrderPaid, self.count, unread={"lines"})

    @hookimpl
    def merge_members(self, ctx, source, target):
        ctx.sql("merge", source=source, target=target)

    def count(self, ctx, events):
        self._orders.update((ctx.tenant.id, event.member) for event in events)
        for member in {event.member for event in events}:
            ctx.sql("keep", member=member, orders=self._orders[ctx.tenant.id, member])


plugin = Forgetful()
SAYS = "undone once: forgetful.tally"
