"""A store's first page: what the tactics report, what needs a look, and the first steps."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from threepeat.events import budgets, metrics, standing
from threepeat.events.metrics import Reported
from threepeat.events.opened import OpenTenant
from threepeat.events.standing import Store
from threepeat.plugins import Installed
from threepeat.sdk.metrics import Funnel, Period, Series, Stat, Table
from threepeat.sdk.wording import Wording, _, ngettext
from threepeat.tenancy.switches import SwitchState
from threepeat_tenants.console import formats
from threepeat_tenants.console.charts import Chart, Charts
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import Visit
from threepeat_tenants.console.pages import around
from threepeat_tenants.console.rendering import render

router = APIRouter()

PERIODS = (7, 30, 90)
DEFAULT = 30

FAILED = _("This could not be computed. It is logged for whoever runs this server.")


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that needs a look.

    Attributes:
        kind: `note` or `bad`.
        path: Where it is looked at; empty if there is nothing to do here.
    """

    text: str
    kind: str
    path: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One of the first steps."""

    title: str
    text: str
    path: str
    link: str
    done: bool


@dataclass(frozen=True, slots=True)
class Section:
    """What one plugin reports."""

    id: str
    title: str
    closing: bool
    charts: Sequence[Chart]


@router.get("/store/{slug}/")
def home(request: Request, desk: AppDesk, slug: str, days: str = "") -> Response:
    """What the store's tactics report."""

    def work(visit: Visit) -> Response:
        wanted = int(days) if days in {str(one) for one in PERIODS} else DEFAULT
        opened = visit.platform.inside(visit.scope, visit.tenant)
        found = standing.read(opened)
        steps = _steps(visit, found)
        begun = all(step.done for step in steps)
        asked = metrics.period(visit.tenant.store, visit.scope.now, wanted)
        sections = _sections(visit, opened, asked) if found.head else []
        return render(
            visit,
            "home/home.html",
            days=wanted,
            periods=PERIODS,
            warnings=_warnings(visit, opened, found),
            steps=[] if begun else steps,
            sections=sections,
        )

    return desk.read(request, slug, work)


def _reporting(opened: OpenTenant) -> list[Installed]:
    """Who reports something, the tactics by their slots, then the services."""

    def place(plugin: Installed) -> tuple[bool, int]:
        slot = opened.activations[plugin.id].slot
        return plugin.manifest.kind != "tactic", slot if slot is not None else 99

    return sorted(metrics.reporting(opened), key=place)


def _sections(visit: Visit, opened: OpenTenant, asked: Period) -> list[Section]:
    """What is reported; a service that the store has not used in this time says nothing."""
    reports = [(plugin, metrics.report(opened, plugin, asked)) for plugin in _reporting(opened)]
    return [
        _section(visit, opened, plugin, reported, asked)
        for plugin, reported in reports
        if plugin.manifest.kind == "tactic" or not all(map(_silent, reported))
    ]


def _silent(one: Reported) -> bool:
    """Whether an answer says of nothing that it happened."""
    match one.answer:
        case None:
            return False
        case Stat(value, before=before, warning=warning):
            return not (value or before or warning)
        case Series(lines):
            return not any(any(line) for line in lines.values())
        case Funnel(steps):
            return not any(count for _name, count in steps)
        case Table(rows=rows):
            return not rows


def _section(
    visit: Visit, opened: OpenTenant, plugin: Installed, reported: Sequence[Reported], asked: Period
) -> Section:
    charts = Charts(
        store=visit.tenant.store,
        locale=visit.locale,
        day=visit.say(_("Day")),
        step=visit.say(_("Step")),
        count=visit.say(_("How many")),
        share=visit.say(_("Share of the first step")),
        translate=lambda text: visit.say_plugin(plugin.id, text),
    )

    def chart(one: Reported) -> Chart:
        name, question = f"{plugin.id}-{one.metric.name}", one.metric.question
        if one.answer is None:
            return charts.failed(name, question, visit.say(FAILED))
        return charts.chart(name, question, one.answer, asked)

    return Section(
        id=plugin.id,
        title=around.title(visit, plugin.id),
        closing=opened.state(plugin.id) is SwitchState.CLOSING,
        charts=[chart(one) for one in reported],
    )


def _steps(visit: Visit, found: Store) -> list[Step]:
    """The first steps of a new store; none is asked of those who may only read."""

    def step(done: bool, title: Wording, text: Wording, path: str, link: Wording) -> Step:
        return Step(visit.say(title), visit.say(text), f"{visit.root}/{path}", visit.say(link), done)

    return [
        step(
            found.tactics > 0,
            _("Switch on the first tactic"),
            _("Choose what fits your store, and fill in one form."),
            "tactics",
            _("Choose a tactic"),
        ),
        step(
            found.head > 0,
            _("Send the first event"),
            _("Your shop's server tells what happens: orders, refunds, visits."),
            "connection",
            _("Connect the shop"),
        ),
        step(
            found.members,
            _("Meet the first member"),
            _("Members appear here with their first event."),
            "members",
            _("Look at the members"),
        ),
    ]


def _warnings(visit: Visit, opened: OpenTenant, found: Store) -> list[Warned]:
    """What needs a look, the worst first."""
    warned: list[Warned] = []
    look = visit.say(_("Look at it"))
    tactics = f"{visit.root}/tactics"
    for name, one in opened.activations.items():
        if one.state is not SwitchState.OFF and name in visit.platform.registry.quarantined:
            text = _("{plugin} may not run at the moment. Whoever runs this server can say more.", plugin=name)
            warned.append(Warned(visit.say(text), "bad"))
        elif one.state is not SwitchState.OFF and one.paused:
            text = _("{plugin} is paused: it failed too often in a row.", plugin=around.title(visit, name))
            warned.append(Warned(visit.say(text), "bad", tactics, look))
    if found.letters:
        many = formats.number(found.letters, visit.locale)
        waiting = ngettext(
            "{shown} event could not be handled and waits to be tried again.",
            "{shown} events could not be handled and wait to be tried again.",
            found.letters,
            shown=many,
        )
        warned.append(Warned(visit.say(waiting), "bad", f"{visit.root}/letters", look))
    return [*warned, *_spent(visit, opened)]


def _spent(visit: Visit, opened: OpenTenant) -> list[Warned]:
    """Tactics whose budget of the month is used up."""
    limited = {
        name: one.monthly_budget
        for name, one in opened.activations.items()
        if one.state is not SwitchState.OFF and one.monthly_budget is not None
    }
    spent = budgets.spent(opened.scope, opened.tenant.store) if limited else {}
    used = [name for name, most in limited.items() if spent.get(name, 0) >= most]
    return [
        Warned(
            visit.say(_("The budget of {plugin} for this month is used up.", plugin=around.title(visit, name))),
            "note",
            f"{visit.root}/tactics/{name}/settings",
            visit.say(_("Look at the budget")),
        )
        for name in used
    ]
