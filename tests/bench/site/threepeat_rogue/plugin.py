"""The rogue: the place of a visit says what it does."""

import contextlib
import os
import time
from collections.abc import Iterable
from typing import Any, ClassVar

from threepeat.sdk import Context, Manifest, Plugin, PluginSettings, Reaction, hookimpl, when
from threepeat.sdk.events import PLUGIN, Event, Sender, VisitMade

Ctx = Context[PluginSettings]


class Echoed(Event, frozen=True, kw_only=True):
    """Something came back."""

    type: ClassVar[str] = "rogue.echoed"
    senders: ClassVar[frozenset[Sender]] = PLUGIN


class Rogue(Plugin[PluginSettings]):
    """Does to its worker what each visit's place names."""

    manifest = Manifest(id="rogue", kind="tactic", title="Rogue", summary="Misbehaves.", holdout="none")
    settings_model = PluginSettings

    @hookimpl
    def events(self) -> Iterable[type[Event]]:
        yield Echoed

    @hookimpl
    def reactions(self) -> Iterable[Reaction]:
        yield when(VisitMade, self.visited)
        yield when(Echoed, self.echoed)

    def visited(self, ctx: Ctx, events: list[VisitMade]) -> None:
        for event in events:
            if event.place == "raises":
                raise RuntimeError("no")
            if event.place == "hangs":
                time.sleep(600)
            if event.place == "exits":
                os._exit(9)
            if event.place == "swallows an SQL error":
                with contextlib.suppress(Exception):
                    _bind(ctx).exec_driver_sql("SELECT 1/0")
            if event.place == "commits by hand":
                with contextlib.suppress(Exception):
                    ctx.db.commit()
                _bind(ctx).exec_driver_sql("COMMIT")
            if event.place == "loops":
                ctx.emit(Echoed(), member=event.member, cause=event)

    def echoed(self, ctx: Ctx, events: list[Echoed]) -> None:
        for event in events:
            ctx.emit(Echoed(), member=event.member, cause=event)


def _bind(ctx: Ctx) -> Any:
    return ctx.db.get_bind()


plugin = Rogue()
