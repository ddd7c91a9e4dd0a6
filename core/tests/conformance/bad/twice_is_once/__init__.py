"""It makes its row when it is switched on, and does not think of the second time."""

from threepeat.sdk import Context, Manifest, Plugin, PluginSettings, hookimpl


class Diary(Plugin[PluginSettings]):
    """A tactic that knows since when it is on."""

    manifest = Manifest(id="diary", kind="tactic", title="Diary", summary="Knows since when it is on.")
    settings_model = PluginSettings

    @hookimpl
    def on_enabled(self, ctx: Context) -> None:
        ctx.sql("open")


plugin = Diary()
SAYS = "with each hook called twice, after it was switched on: diary.page: 1 row(s) too many"
