"""Notes each visit with a statement of its own; a busy day makes a batch of hundreds."""

from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, when
from threepeat.sdk.events import VisitMade

SAYS = "events of new members: 10 and 100 times INSERT INTO visits.visit"


class Visits(Plugin[PluginSettings]):
    """When members came."""

    manifest = Manifest(id="visits", kind="tactic", title="Visits", summary="When members came.")
    settings_model = PluginSettings

    @hookimpl
    def reactions(self):
        yield when(VisitMade, self.note)

    @hookimpl
    def merge_members(self, ctx, source, target):
        ctx.sql("merge", source=source, target=target)

    def note(self, ctx, events):
        for event in events:
            ctx.sql("note", visit=event.id, member=event.member, at=event.occurred_at)


plugin = Visits()
