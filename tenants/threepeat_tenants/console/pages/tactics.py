"""`/store/{slug}/tactics`: what is on, what is closing, what there is to choose from, and the switches."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from threepeat.events import consequences
from threepeat.events.consequences import Dangling
from threepeat.events.opened import OpenTenant
from threepeat.plugins import Installed
from threepeat.sdk.wording import _
from threepeat.tenancy import switches
from threepeat.tenancy.errors import CapReached, Invalid, NotFound
from threepeat.tenancy.switches import SwitchState
from threepeat_tenants import shelf
from threepeat_tenants.console import vocabulary
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import Visit
from threepeat_tenants.console.pages import around
from threepeat_tenants.console.rendering import render
from threepeat_tenants.shelf import Tactic

router = APIRouter()

CHANGED = _("What is on has changed since you opened this page. Look at it as it is now, and choose again.")
TAKEN = _("All slots are taken now. Choose the tactic that gives up its slot.")


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What switching a tactic off would mean, in the reader's language.

    Attributes:
        owes: None if the tactic could not be asked.
        dangling: Whose settings, what they name, and which ones they are.
        lacking: Settings of the newcomer that name what this one keeps.
    """

    id: str
    title: str
    slot: int | None
    owes: list[str] | None
    stops: list[str]
    goes_on: list[str]
    shut: list[str]
    open: list[str]
    dangling: list[around.Loose]
    lacking: list[around.Loose]


@router.get("/store/{slug}/tactics")
def show(request: Request, desk: AppDesk, slug: str) -> Response:
    """The slots, what is closing, and the shelf."""
    return desk.read(request, slug, _overview)


@router.get("/store/{slug}/tactics/{tactic}/on")
def ask_on(request: Request, desk: AppDesk, slug: str, tactic: str) -> Response:
    """What begins when it is switched on, and who gives up a slot for it."""
    return desk.write(request, slug, lambda visit: _ask_on(visit, tactic))


@router.post("/store/{slug}/tactics/{tactic}/on")
def switch_on(request: Request, desk: AppDesk, slug: str, tactic: str) -> Response:
    """Switch it on; with `replace`, swap it for one that is on."""

    def work(visit: Visit) -> Response:
        plugin = _choosable(visit, tactic)
        replace = str(visit.form.get("replace", "")) or None
        switches.enable(
            visit.scope,
            visit.tenant,
            visit.platform.registry,
            plugin.id,
            by=visit.by,
            act=visit.platform.act,
            replace=replace,
        )
        notice = _("{tactic} is on from now on.", tactic=around.title(visit, plugin.id))
        return visit.redirect(f"{visit.root}/tactics", notice=notice)

    try:
        return desk.write(request, slug, work)
    except (CapReached, Invalid) as error:
        # Somebody was faster, or nobody was chosen: the page says what is on now, in a transaction of its own.
        if isinstance(error, Invalid) and error.field != "replace":
            raise
        wrong = TAKEN if isinstance(error, CapReached) else CHANGED
        return desk.write(request, slug, lambda visit: _ask_on(visit, tactic, wrong))


@router.get("/store/{slug}/tactics/{tactic}/off")
def ask_off(request: Request, desk: AppDesk, slug: str, tactic: str) -> Response:
    """What stops, what goes on and what is owed if it is switched off."""

    def work(visit: Visit) -> Response:
        opened = around.inside(visit)
        found = opened.activations.get(tactic)
        if found is None or found.state is SwitchState.OFF:
            return _off_already(visit, tactic)
        foreseen = _foresee(visit, opened, tactic)
        closing = found.state is SwitchState.CLOSING
        return render(visit, "tactics/off.html", one=foreseen, name=around.title(visit, tactic), closing=closing)

    return desk.write(request, slug, work)


@router.post("/store/{slug}/tactics/{tactic}/off")
def switch_off(request: Request, desk: AppDesk, slug: str, tactic: str) -> Response:
    """Free its slot; while it owes something to members it is closing."""

    def work(visit: Visit) -> Response:
        registry, title = visit.platform.registry, around.title(visit, tactic)
        if tactic in registry and registry[tactic].manifest.kind != "tactic":
            raise NotFound(around.NO_TACTIC)
        try:
            after = switches.disable(
                visit.scope, visit.tenant, registry, tactic, by=visit.by, act=visit.platform.act
            )
        except NotFound:
            return _off_already(visit, tactic)
        if after.state is SwitchState.OFF:
            return visit.redirect(f"{visit.root}/tactics", notice=_("{tactic} is off.", tactic=title))
        notice = _("{tactic} is closing: its slot is free, and it keeps its promises.", tactic=title)
        return visit.redirect(f"{visit.root}/tactics", notice=notice)

    return desk.write(request, slug, work)


@router.post("/store/{slug}/tactics/{tactic}/resume")
def resume(request: Request, desk: AppDesk, slug: str, tactic: str) -> Response:
    """Let a paused plugin go on where it stopped."""

    def work(visit: Visit) -> Response:
        title = around.title(visit, tactic)
        try:
            switches.resume(visit.scope, tactic, by=visit.by)
        except NotFound:
            notice = _("{tactic} is not paused any more.", tactic=title)
            return visit.redirect(f"{visit.root}/tactics", notice=notice, kind="note")
        return visit.redirect(f"{visit.root}/tactics", notice=_("{tactic} goes on.", tactic=title))

    return desk.write(request, slug, work)


def _overview(visit: Visit) -> Response:
    found = shelf.read(around.inside(visit))
    return render(
        visit,
        "tactics/index.html",
        shelf=found,
        title=lambda plugin_id: around.title(visit, plugin_id),
        named=lambda name: around.kind_or_fact(visit, name),
        whom=lambda audience: around.audience(visit, audience),
        said=lambda words: words.said(visit.locale),
        may_write=visit.person.role is not None and visit.person.role.may_write,
    )


def _off_already(visit: Visit, tactic: str) -> Response:
    around.installed(visit, tactic)
    notice = _("{tactic} is off already.", tactic=around.title(visit, tactic))
    return visit.redirect(f"{visit.root}/tactics", notice=notice, kind="note")


def _choosable(visit: Visit, tactic: str) -> Installed:
    """A tactic that this store may switch on.

    Raises:
        NotFound: There is no such tactic.
        NotAllowed: It is quarantined, or the operator does not allow it or what it needs.
    """
    plugin = around.installed(visit, tactic)
    if plugin.manifest.kind != "tactic":
        raise NotFound(around.NO_TACTIC)
    _cap, permitted = switches.allowed(visit.scope, visit.tenant, visit.platform.registry)
    for wanted in (tactic, *plugin.manifest.requires):
        if wanted not in permitted:
            raise around.forbidden(visit, wanted)
    return plugin


def _ask_on(visit: Visit, tactic: str, wrong: str = "") -> Response:
    plugin = _choosable(visit, tactic)
    opened = around.inside(visit)
    found = shelf.read(opened)
    one = next(one for one in (*found.slots, *found.closing, *found.rest) if one and one.id == tactic)
    if one.state is SwitchState.ENABLED:
        notice = _("{tactic} is on already.", tactic=around.title(visit, tactic))
        return visit.redirect(f"{visit.root}/tactics", notice=notice, kind="note")
    candidates = [_foresee(visit, opened, on.id, on, tactic) for on in found.slots if on] if found.full else []
    return render(
        visit,
        "tactics/on.html",
        status=422 if wrong else 200,
        one=one,
        name=around.title(visit, tactic),
        cap=found.cap,
        swap=found.full,
        candidates=candidates,
        answers=list(_events(visit, (one.event.type for one in plugin.reactions if not one.wanted))),
        members=[visit.say_plugin(tactic, route.summary) for route in plugin.routes],
        services=[around.title(visit, need) for need in plugin.manifest.requires],
        lacking=around.loose(visit, _lacking(opened, tactic)),
        wrong=visit.say(wrong),
    )


def _foresee(
    visit: Visit, opened: OpenTenant, leaving: str, on: Tactic | None = None, newcomer: str | None = None
) -> Foreseen:
    """What would follow if a tactic were switched off, for the newcomer that takes its slot too."""
    found = None
    if leaving in visit.platform.registry:
        found = _contained(lambda: consequences.foresee(opened, leaving))
    plain = _say(visit, leaving)
    more = set(_lacking(opened, newcomer, leaving)) - set(_lacking(opened, newcomer)) if newcomer else set()
    return Foreseen(
        id=leaving,
        title=around.title(visit, leaving),
        slot=on.slot if on else None,
        owes=[plain(one) for one in found.owes] if found else None,
        stops=list(_events(visit, found.stops)) if found else [],
        goes_on=list(_events(visit, found.goes_on)) if found else [],
        shut=[plain(one) for one in found.shut] if found else [],
        open=[plain(one) for one in found.open] if found else [],
        dangling=around.loose(visit, found.dangling if found else ()),
        lacking=around.loose(visit, sorted(more, key=lambda one: one.field)),
    )


def _contained(
    foresee: Callable[[], consequences.Consequences],
) -> consequences.Consequences | None:
    """What a plugin says of its end; None if it fails when it is asked."""
    try:
        return foresee()
    except NotFound:
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
        shelf.logger.error("consequences not told", reason=type(error).__name__)
        return None


def _lacking(opened: OpenTenant, tactic: str, without: str | None = None) -> tuple[Dangling, ...]:
    try:
        return consequences.lacking(opened, tactic, without=without)
    except Exception as error:  # noqa: BLE001 - a stranger's settings may not fit their model
        shelf.logger.warning("settings not read", plugin=tactic, reason=type(error).__name__)
        return ()


def _say(visit: Visit, plugin_id: str) -> Callable[[str], str]:
    return lambda text: visit.say_plugin(plugin_id, text)


def _events(visit: Visit, types: Iterable[str]) -> Iterator[str]:
    return (vocabulary.event(visit, one) for one in dict.fromkeys(types))
