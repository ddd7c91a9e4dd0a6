"""A column was added to the models, and the revision for it was forgotten."""

from threepeat.sdk import Context, Manifest, Plugin, PluginSettings, hookimpl, when
from threepeat.sdk.events import VisitMade


class Tally(Plugin[PluginSettings]):
    """A tactic that counts visits."""

    manifest = Manifest(id="tally", kind="tactic", title="Tally", summary="Counts visits by the day.")
    settings_model = PluginSettings

    @hookimpl
    def reactions(self):
        yield when(VisitMade, self.count)

    def count(self, ctx: Context, visits: list[VisitMade]) -> None:
        ctx.sql.count("count", visits=len(visits))


plugin = Tally()
SAYS = "tally.visits.members is in the models, and no migration makes it"
