"""A toy tactic that counts a member's paid orders, and sets a deadline with the first."""

from datetime import timedelta

from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, timer, when
from threepeat.sdk.events import OrderPaid


class Visits(Plugin[PluginSettings]):
    manifest = Manifest(id="visits", kind="tactic", title="Visits", summary="Counts orders.", holdout="none")
    settings_model = PluginSettings

    @hookimpl
    def reactions(self):
        yield when(OrderPaid, self.count)

    @hookimpl
    def timers(self):
        yield timer("ask", self.asked)

    def count(self, ctx, events):
        ctx.sql("count", members=[event.member for event in events])
        ctx.later("ask", "all", ctx.now + timedelta(days=9))

    def asked(self, ctx, due):
        raise NotImplementedError

    @hookimpl
    def merge_members(self, ctx, source, target):
        raise NotImplementedError


plugin = Visits()
