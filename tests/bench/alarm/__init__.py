"""A tactic that only waits: what is measured with it is the way to its handler."""

from collections.abc import Iterator

from threepeat.sdk import Manifest, Plugin, PluginSettings, Timer, hookimpl, timer


class Alarm(Plugin[PluginSettings]):
    """Does nothing when a deadline comes: what is measured is the way there."""

    manifest = Manifest(id="alarm", kind="tactic", title="Alarm", summary="Rings.", holdout="none")
    settings_model = PluginSettings

    @hookimpl
    def timers(self) -> Iterator[Timer]:
        """One kind."""
        yield timer("ring", lambda _ctx, _due: None)
