"""Tactics that are there and do little: what is measured with them is that they are installed."""

from collections.abc import Iterable, Iterator

from threepeat.sdk import Context, Manifest, Plugin, PluginSettings, Reaction, hookimpl, when
from threepeat.sdk.events import Event, OrderPaid, OrderRefunded, VisitMade

Ctx = Context[PluginSettings]


class Idle(Plugin[PluginSettings]):
    """Reacts to what busy tactics react to."""

    settings_model = PluginSettings

    def __init__(self, name: str) -> None:
        self.manifest = Manifest(id=name, kind="tactic", title=name, summary="Waits.", holdout="none")

    @hookimpl
    def reactions(self) -> Iterator[Reaction]:
        """The same events as others."""
        for event in (OrderPaid, OrderRefunded, VisitMade):
            yield when(event, self.look, always=True)

    def look(self, _ctx: Ctx, _events: list[Event]) -> None:
        """Is not called."""
        raise AssertionError("a tactic that is off was called")


def idle(count: int) -> Iterable[tuple[str, Idle]]:
    """So many of them."""
    return [(f"idle{number}", Idle(f"idle{number}")) for number in range(1, count + 1)]
