"""Adds up what members spend; `groupby` wants its input sorted, so mixed batches lose most of it."""

from itertools import groupby

from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, when
from threepeat.sdk.events import OrderPaid

SAYS = "with the events of several members mixed in one batch: spend.total"


class Spend(Plugin[PluginSettings]):
    """What members spend."""

    manifest = Manifest(id="spend", kind="tactic", title="Spend", summary="What members spend.")
    settings_model = PluginSettings

    @hookimpl
    def reactions(self):
        yield when(OrderPaid, self.add, unread={"lines"})

    @hookimpl
    def merge_members(self, ctx, source, target):
        ctx.sql("merge", source=source, target=target)

    def add(self, ctx, events):
        spent = {
            member: sum(event.total for event in own)
            for member, own in groupby(events, key=lambda event: event.member)
        }
        ctx.sql("add", members=list(spent), amounts=list(spent.values()))


plugin = Spend()
