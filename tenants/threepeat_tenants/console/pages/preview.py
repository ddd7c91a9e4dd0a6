"""`/store/{slug}/preview`: what members see, asked of the real member API with a test member's token."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from threepeat.events import erasure, following
from threepeat.events.following import Followed
from threepeat.events.opened import OpenTenant
from threepeat.plugins import Installed
from threepeat.sdk.pricing import Checkout
from threepeat.sdk.settings import shown
from threepeat.sdk.wording import _
from threepeat.tenancy import keys
from threepeat.tenancy.errors import Conflict, NotFound
from threepeat.tenancy.members import Member
from threepeat.tenancy.switches import SwitchState
from threepeat_tenants import preview
from threepeat_tenants.console import answers, baskets, calling, commands, once, vocabulary
from threepeat_tenants.console.answers import Shown
from threepeat_tenants.console.baskets import Chooser
from threepeat_tenants.console.calling import Answer, Ask
from threepeat_tenants.console.commands import Command
from threepeat_tenants.console.desk import AppDesk, Desk
from threepeat_tenants.console.page import Visit
from threepeat_tenants.console.pages import around
from threepeat_tenants.console.pages.live import Words, folded
from threepeat_tenants.console.rendering import render
from threepeat_tenants.forms import Form, Submitted, Surroundings, parse

router = APIRouter()

TOKEN_LIFE = timedelta(minutes=5)
MOST_ROUTES = 16
"""Routes of a store's tactics that one page asks."""
EVENTS = 6
READ = 18
ORDER = "order"
KEPT_BYTES = 1200
"""Of an answer, so that it fits into a cookie until it is shown."""
LONGEST_RAW = 20_000
MARK_LENGTH = 32

SENT = _("Sent. It shows up below as soon as it is handled: reload in a moment.")
ERASED = _("The test member is being erased, with everything that it did. You can begin with a new one.")
MADE = _("Your test member is there.")
UNDONE = _("It did not work. Try again.")


class Purchase(BaseModel):
    """A test order as it is typed."""

    total: int = Field(
        default=12_800, ge=1, le=10**9, title=_("Amount paid"), json_schema_extra=shown(unit="money")
    )


@dataclass(frozen=True, slots=True)
class Panel:
    """A tactic on the phone."""

    plugin: Installed
    around: Surroundings
    commands: list[Command]


@dataclass(frozen=True, slots=True)
class Part:
    """What a route answered, or what it is offered as.

    Attributes:
        status: Of the answer; 0 if it was not asked.
        rows: The answer in words.
        problem: What the member is told instead.
        raw: The answer as it came.
    """

    command: Command
    status: int = 0
    rows: tuple[Shown, ...] = ()
    problem: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """What the page needs of the store, read in one transaction; `basket` if the store has a checkout."""

    visit: Visit
    member: Member | None
    token: str
    panels: list[Panel]
    happened: list[Followed]
    order: preview.Order | None
    others: list[str]
    form: Form
    basket: tuple[Form, list[tuple[Chooser, Form]]] | None


@dataclass(frozen=True, slots=True)
class Shopping:
    """A basket that is about to be bought."""

    visit: Visit
    token: str
    wanted: Mapping[str, Any]
    mark: str


@dataclass(frozen=True, slots=True)
class Errand:
    """A command that is about to be carried out."""

    visit: Visit
    token: str
    ask: Ask
    plugin: str
    number: int


@router.get("/store/{slug}/preview")
def show(request: Request, desk: AppDesk, slug: str) -> Response:
    """The phone, and what can be done on it."""
    return _shown(_proved(desk, request, slug, _stage))


@router.post("/store/{slug}/preview/member")
def make(request: Request, desk: AppDesk, slug: str) -> Response:
    """Make the test member."""

    def work(visit: Visit) -> Response:
        preview.make(visit.platform, visit.scope, visit.person)
        return visit.redirect(_home(visit), notice=MADE)

    return desk.write(request, slug, work)


@router.post("/store/{slug}/preview/order")
def order(request: Request, desk: AppDesk, slug: str) -> Response:
    """Send a paid order of the test member."""

    def work(visit: Visit) -> Stage | Response:
        found = parse(Purchase, _pairs(visit), around.ours(visit), prefix=ORDER)
        if not found.ok:
            return _stage(visit, order=found)
        total = Purchase.model_validate(found.values).total
        preview.order(visit.scope, visit.person, visit.tenant.store, _mark(visit), total)
        return visit.redirect(_home(visit), notice=SENT)

    return _shown(_proved(desk, request, slug, work), status=422)


@router.post("/store/{slug}/preview/buy")
def buy(request: Request, desk: AppDesk, slug: str) -> Response:
    """Buy a basket as a mini-program does: ask for its price, hold it, pay."""

    def work(visit: Visit) -> Stage | Shopping | Response:
        member = preview.find(visit.scope, visit.person)
        if member is None:
            raise Conflict("no-test-member", preview.NO_MEMBER)
        if preview.bought(visit.scope, _mark(visit)):
            return visit.redirect(_home(visit), notice=SENT)
        choosing = _choosers(visit, around.inside(visit))
        typed = baskets.submitted(_pairs(visit), around.ours(visit), choosing)
        if not all(one.ok for one in typed.values()):
            return _stage(visit, basket=typed)
        return Shopping(visit, _token(visit, member), baskets.request(typed, choosing), _mark(visit))

    found = _proved(desk, request, slug, work)
    if not isinstance(found, Shopping):
        return _shown(found, status=422)
    answer = baskets.hold(request.app, found.token, found.wanted, found.mark)

    def pay(visit: Visit) -> Response:
        if answer.ok:
            preview.buy(visit.scope, visit.person, visit.tenant.store, found.mark, answer.data())
        left = baskets.left(answer, around.ours(visit).language)
        return once.leave(visit, visit.redirect(_home(visit)), _home(visit), left)

    return desk.write(request, slug, pay)


@router.post("/store/{slug}/preview/refund")
def refund(request: Request, desk: AppDesk, slug: str) -> Response:
    """Send the refund of the last test order."""

    def work(visit: Visit) -> Response:
        preview.refund(visit.scope, visit.person, visit.tenant.store)
        return visit.redirect(_home(visit), notice=SENT)

    return desk.write(request, slug, work)


@router.post("/store/{slug}/preview/event")
def other(request: Request, desk: AppDesk, slug: str) -> Response:
    """Send another event of the test member."""

    def work(visit: Visit) -> Response:
        preview.behave(visit.scope, visit.person, str(visit.form.get("type", "")), _mark(visit))
        return visit.redirect(_home(visit), notice=SENT)

    return desk.write(request, slug, work)


@router.post("/store/{slug}/preview/erase")
def erase(request: Request, desk: AppDesk, slug: str) -> Response:
    """Erase the test member with everything that it did."""
    asked: list[tuple[Visit, str]] = []

    def work(visit: Visit) -> Response:
        asked[:] = [(visit, preview.erase(visit.platform, visit.scope, visit.person))]
        return visit.redirect(_home(visit), notice=ERASED)

    answer = desk.write(request, slug, work)
    for visit, erasure_id in asked:
        if erasure_id:
            erasure.announce(visit.platform, visit.tenant, erasure_id)
    return answer


@router.post("/store/{slug}/preview/{tactic}/{number:int}")
def command(request: Request, desk: AppDesk, slug: str, tactic: str, number: int) -> Response:
    """Do on the phone what a member would do there."""

    def work(visit: Visit) -> Stage | Errand:
        plugin = around.installed(visit, tactic)
        if number >= len(plugin.routes) or plugin.routes[number].method != "POST":
            raise NotFound(around.NO_TACTIC)
        member = preview.find(visit.scope, visit.person)
        if member is None:
            raise Conflict("no-test-member", preview.NO_MEMBER)
        said = around.around(visit, around.inside(visit), plugin)
        given = commands.submitted(plugin, number, _pairs(visit), said)
        if not all(one.ok for one in given.values()):
            return _stage(visit, typed={(tactic, f"{number}.{prefix}"): one for prefix, one in given.items()})
        ask = commands.ask(plugin, number, given, _mark(visit))
        return Errand(visit, _token(visit, member), ask, tactic, number)

    found = _proved(desk, request, slug, work)
    if not isinstance(found, Errand):
        return _shown(found, status=422)
    visit, [answer] = found.visit, calling.calls(request.app, found.token, [found.ask])
    body = answer.body.decode("utf-8", "replace") if len(answer.body) <= KEPT_BYTES else ""
    left = {"plugin": found.plugin, "number": str(found.number), "status": str(answer.status), "body": body}
    return once.leave(visit, visit.redirect(_home(visit)), _home(visit), left)


def _proved(
    desk: Desk, request: Request, slug: str, work: Callable[[Visit], "Stage | Errand | Shopping | Response"]
) -> "Stage | Errand | Shopping | Response":
    """Do work for somebody who may write, and go on with what it found when its transaction is over.

    The API is asked in transactions of its own; none is held open meanwhile.
    """
    found: list[Stage | Errand | Shopping] = []

    def prove(visit: Visit) -> Response:
        found.clear()
        made = work(visit)
        if isinstance(made, Response):
            return made
        found.append(made)
        return Response()

    answer = desk.write(request, slug, prove)
    return found[-1] if found else answer


def _stage(
    visit: Visit,
    *,
    order: Submitted | None = None,
    typed: Mapping[tuple[str, str], Submitted] | None = None,
    basket: Mapping[str, Submitted] | None = None,
) -> Stage:
    member = preview.find(visit.scope, visit.person)
    opened = around.inside(visit)
    on = [
        plugin
        for plugin in visit.platform.registry
        if (plugin.routes or plugin.manifest.kind == "tactic") and opened.state(plugin.id) is SwitchState.ENABLED
    ]
    panels = []
    for plugin in on:
        said = around.around(visit, opened, plugin)
        mine = {name: one for (whose, name), one in (typed or {}).items() if whose == plugin.id}
        panels.append(Panel(plugin, said, commands.of(plugin, said, mine)))
    wanted = {one.event.type for plugin in visit.platform.registry for one in plugin.reactions}
    return Stage(
        visit=visit,
        member=member,
        token=_token(visit, member) if member else "",
        panels=panels,
        happened=folded(following.newest(opened, member=member.id, limit=READ))[:EVENTS] if member else [],
        order=preview.last_order(visit.scope, member) if member else None,
        others=[kind for kind in preview.BEHAVIOUR if kind in wanted],
        form=Form.of(Purchase, around.ours(visit), prefix=ORDER, submitted=order),
        basket=_basket(visit, opened, basket or {}),
    )


def _basket(
    visit: Visit, opened: OpenTenant, typed: Mapping[str, Submitted]
) -> tuple[Form, list[tuple[Chooser, Form]]] | None:
    """What a basket is filled in with; None if the store has no checkout."""
    provider = visit.platform.registry.provider(Checkout)
    if provider is None or opened.state(provider[0].id) is not SwitchState.ENABLED:
        return None
    return baskets.forms(around.ours(visit), _choosers(visit, opened), typed)


def _choosers(visit: Visit, opened: OpenTenant) -> list[Chooser]:
    asked = [
        plugin
        for plugin in visit.platform.registry
        if plugin.price_rules and opened.state(plugin.id) is SwitchState.ENABLED
    ]
    return baskets.choosers((plugin, around.around(visit, opened, plugin)) for plugin in asked)


def _shown(found: "Stage | Errand | Shopping | Response", *, status: int = 200) -> Response:
    """The page of a stage; what is an answer already is handed on."""
    if not isinstance(found, Stage):
        assert isinstance(found, Response)  # noqa: S101 - an errand has gone before
        return found
    visit, panels = found.visit, found.panels
    asked = [
        one
        for panel in panels
        for one in panel.commands
        if found.member and one.route.method == "GET" and one.simple
    ][:MOST_ROUTES]
    came = calling.calls(visit.request.app, found.token, [Ask("GET", one.address) for one in asked])
    told = {(one.plugin.id, one.number): answer for one, answer in zip(asked, came, strict=True)}
    toast = once.read(visit, _home(visit)) if status == 200 else {}
    answer = render(
        visit,
        "preview/index.html",
        status=status,
        member=found.member,
        panels=[
            (panel, [_part(panel, one, told.get((panel.plugin.id, one.number))) for one in panel.commands])
            for panel in panels
        ],
        toast=_toast(panels, toast),
        bought=baskets.read(toast),
        happened=found.happened,
        order=found.order,
        others=[(kind, vocabulary.event(visit, kind)) for kind in found.others],
        form=found.form,
        basket=found.basket,
        say_line=Words(visit),
        mark=secrets.token_hex,
    )
    return once.forget(visit, answer) if status == 200 else answer


def _part(panel: Panel, one: Command, answer: Answer | None) -> Part:
    if answer is None:
        return Part(one)
    raw = _raw(answer.body)
    if not answer.ok:
        return Part(one, answer.status, (), _problem(answer.data(), panel), raw)
    return Part(one, answer.status, answers.read(one.inputs.answer, answer.body, panel.around), "", raw)


def _toast(panels: list[Panel], left: Mapping[str, str]) -> Part | None:
    """What came of the last command."""
    for panel in panels:
        for one in panel.commands:
            if (one.plugin.id, str(one.number)) == (left.get("plugin"), left.get("number")):
                return _part(panel, one, Answer(int(left["status"]), left["body"].encode()))
    return None


def _problem(data: Any, panel: Panel) -> str:
    """What a member is told who is refused."""
    return panel.around.translate(calling.reason(data) or panel.around.say(UNDONE))


def _raw(body: bytes) -> str:
    try:
        said = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        said = body.decode("utf-8", "replace")
    return said[:LONGEST_RAW]


def _token(visit: Visit, member: Member) -> str:
    return keys.sign_token(visit.platform.keyring, visit.tenant.id, member.id, member.external_id, TOKEN_LIFE)[0]


def _pairs(visit: Visit) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in visit.form.multi_items()]


def _mark(visit: Visit) -> str:
    """What makes a form that was sent twice the same: it was made when the form was shown."""
    given = str(visit.form.get("mark", ""))
    return given if given.isascii() and given.isalnum() and len(given) <= MARK_LENGTH else secrets.token_hex(8)


def _home(visit: Visit) -> str:
    return f"{visit.root}/preview"
