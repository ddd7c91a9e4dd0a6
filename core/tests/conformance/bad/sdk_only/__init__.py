"""It looks a member's names up in core's own way, as the SDK has none for it."""

from threepeat.sdk import Context, Manifest, Plugin, PluginSettings, hookimpl, when
from threepeat.sdk.events import VisitMade
from threepeat.tenancy import identities


class Nosy(Plugin[PluginSettings]):
    """A tactic that knows names."""

    manifest = Manifest(id="nosy", kind="tactic", title="Nosy", summary="Greets visitors by name.")
    settings_model = PluginSettings

    @hookimpl
    def reactions(self):
        yield when(VisitMade, self.greet)

    def greet(self, ctx: Context, visits: list[VisitMade]) -> None:
        ctx.log.info("a visitor", kinds=identities.__name__, count=len(visits))


plugin = Nosy()
SAYS = "sdk_only/__init__.py:5 imports threepeat.tenancy"
