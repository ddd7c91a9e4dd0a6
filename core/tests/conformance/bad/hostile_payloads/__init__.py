"""It takes what stands in the address for a date."""

from datetime import date

from threepeat.sdk import Context, Manifest, Plugin, PluginSettings, get, hookimpl


class Almanac(Plugin[PluginSettings]):
    """A tactic that knows the days of the week."""

    manifest = Manifest(id="almanac", kind="tactic", title="Almanac", summary="Knows the days of the week.")
    settings_model = PluginSettings

    @hookimpl
    def routes(self):
        yield get("/days/{day}", self.weekday, summary="The day of the week, from 1")

    def weekday(self, ctx: Context, day: str) -> int:
        del ctx
        return date.fromisoformat(day).isoweekday()


plugin = Almanac()
SAYS = "GET /v1/me/almanac/days/{day} with day = 9223372036854775807 (2^63-1) is answered 500: ValueError at"
