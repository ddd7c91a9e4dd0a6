"""`/store/{slug}/live`: events as they arrive, with what became of each in every tactic."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse

from threepeat.events import following, refusals
from threepeat.events.following import Fate, Followed, Outcome
from threepeat.events.refusals import Refusal
from threepeat.sdk.wording import Wording, _
from threepeat.tenancy.errors import NotFound
from threepeat_tenants import preview
from threepeat_tenants.console import streams, vocabulary
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import Visit
from threepeat_tenants.console.pages import around
from threepeat_tenants.console.rendering import fragment, render

router = APIRouter(lifespan=streams.lifespan)

PAGE = 30
READ = 90
"""Events that are read for a page, as many are answers that stand at another one."""
NO_EVENT = _("There is no such event in this store.")

FATES: dict[Fate, tuple[Wording, str]] = {
    Fate.DONE: (_("Done"), "good"),
    Fate.WAITING: (_("Waiting"), "plain"),
    Fate.PAUSED: (_("Waiting, the tactic is paused"), "note"),
    Fate.PUT_ASIDE: (_("Could not be handled"), "bad"),
    Fate.RETRYING: (_("Is being tried again"), "note"),
    Fate.DROPPED: (_("Let go"), "plain"),
    Fate.HELD_OUT: (_("Comparison group: nothing given"), "plain"),
    Fate.SUSPENDED: (_("Member is suspended: nothing given"), "plain"),
    Fate.CLOSED: (_("Closing: nothing new is given"), "plain"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """An entry of the page: an event, or a refusal."""

    at: datetime
    event: Followed | None = None
    refusal: Refusal | None = None


@router.get("/store/{slug}/live")
def show(request: Request, desk: AppDesk, slug: str) -> Response:
    """The newest events, or those before one of them."""

    def work(visit: Visit) -> Response:
        before = _position(request.query_params.get("before", ""))
        found = _newest(visit, before)
        return render(
            visit,
            "live/index.html",
            lines=_lines(visit, found, before),
            before=before,
            older=found[-1].position if len(found) == PAGE else 0,
            say_line=Words(visit),
        )

    return desk.read(request, slug, work)


@router.get("/store/{slug}/live/rows")
def rows(request: Request, desk: AppDesk, slug: str) -> Response:
    """The newest events without a page around them, for one that is open."""

    def work(visit: Visit) -> Response:
        lines = _lines(visit, _newest(visit, 0), 0)
        return HTMLResponse(fragment(visit, "live/rows.html", lines=lines, say_line=Words(visit)))

    return desk.read(request, slug, work)


@router.get("/store/{slug}/live/stream")
async def stream(request: Request, desk: AppDesk, slug: str) -> Response:
    """Say when there is something new, for as long as somebody looks."""
    proved: list[Visit] = []

    def prove(visit: Visit) -> Response:
        proved.append(visit)
        return Response(status_code=204)

    answer = await run_in_threadpool(desk.read, request, slug, prove)
    return streams.streams(request).answer(proved[-1]) if proved else answer


@router.get("/store/{slug}/live/{position:int}")
def event(request: Request, desk: AppDesk, slug: str, position: int) -> Response:
    """One event with its data and everything that followed from it."""

    def work(visit: Visit) -> Response:
        try:
            found, data = following.at(around.inside(visit), position)
        except NotFound:
            raise NotFound(NO_EVENT) from None
        shown = json.dumps(json.loads(data), indent=2, ensure_ascii=False)
        return render(visit, "live/event.html", one=found, data=shown, say_line=Words(visit))

    return desk.read(request, slug, work)


class Words:
    """What stands in a line, in the reader's language.

    Args:
        visit: Who reads.
    """

    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    def type(self, kind: str) -> str:
        """What a type of event is called."""
        return vocabulary.event(self._visit, kind)

    def tactic(self, plugin_id: str) -> str:
        """What a plugin is called."""
        return around.title(self._visit, plugin_id)

    def maker(self, source: str) -> str:
        """Which plugin an event is from; empty for one that came from outside."""
        kind, _colon, plugin_id = source.partition(":")
        return self.tactic(plugin_id) if kind == "plugin" and plugin_id else ""

    def reward(self, kind: str) -> str:
        """What a kind of reward is called."""
        return around.kind_or_fact(self._visit, kind)

    def fate(self, outcome: Outcome) -> tuple[str, str]:
        """What became of an event, and the kind of its badge."""
        said, kind = FATES[outcome.fate]
        if outcome.fate is Fate.PUT_ASIDE and outcome.behind is not None:
            return self._visit.say(_("Waits behind an earlier one")), "note"
        return self._visit.say(said), kind

    def test(self, one: Followed) -> bool:
        """Whether it is about somebody's test member."""
        return preview.is_preview(one.external_id)


def _newest(visit: Visit, before: int) -> list[Followed]:
    return folded(following.newest(around.inside(visit), before=before or following.END, limit=READ))[:PAGE]


def folded(found: Sequence[Followed]) -> list[Followed]:
    """The events without plugins' answers, which stand at the event that they answer if that is among them."""
    there = {one.position for one in found}
    return [one for one in found if one.cause not in there]


def _lines(visit: Visit, found: Sequence[Followed], before: int) -> list[Line]:
    """Events, and on the first page the refusals among them, the newest first."""
    lines = [Line(one.received_at, event=one) for one in found]
    if before == 0:
        oldest = lines[-1].at if len(lines) == PAGE else None
        lines += [
            Line(one.at, refusal=one)
            for one in refusals.recent(visit.scope, limit=PAGE)
            if oldest is None or one.at >= oldest
        ]
    # Events of one batch have the same time, and stay in the order of the log.
    return sorted(lines, key=lambda line: line.at, reverse=True)[:PAGE]


def _position(given: str) -> int:
    """A position of the address; 0 for what is none."""
    return int(given) if given.isascii() and given.isdecimal() and len(given) <= 18 else 0
