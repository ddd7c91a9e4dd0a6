"""`/store/{slug}/tactics/{tactic}/settings`: a plugin's form, its budget and its comparison group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from threepeat.events import budgets
from threepeat.plugins import Installed
from threepeat.sdk.settings import shown
from threepeat.sdk.wording import _
from threepeat.tenancy import audit, holdout, switches
from threepeat.tenancy.errors import Fault, Invalid, Stale
from threepeat.tenancy.settings import UNCHANGED
from threepeat.tenancy.switches import MAX_BUDGET, Activation, SwitchState
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import Visit
from threepeat_tenants.console.pages import around, beside
from threepeat_tenants.console.pages.beside import Difference
from threepeat_tenants.console.rendering import render
from threepeat_tenants.forms import Form, Submitted, Surroundings, examples, parse

router = APIRouter()

FRAME = "frame"
"""First part of the names of what every tactic has to set."""

FIRST_REVISION = 1
"""What a plugin that nobody has touched counts from."""

TOO_MUCH = _("Choose a smaller amount.")
BUDGET = _("Monthly budget for rewards")
BUDGET_HELP = _("What this tactic may give away in a calendar month, at cost. Leave it empty for no limit.")


def _payable(budget: int | None) -> int | None:
    if budget is not None and budget > MAX_BUDGET:
        raise PydanticCustomError("budget", str(TOO_MUCH))
    return budget


class Frame(BaseModel):
    """What every tactic has to set."""

    monthly_budget: Annotated[int | None, AfterValidator(_payable)] = Field(
        default=None,
        ge=0,
        title=BUDGET,
        description=BUDGET_HELP,
        json_schema_extra=shown(unit="money"),
    )


class Group(Frame):
    """The same for a tactic with a comparison group."""

    holdout_percent: int = Field(
        default=holdout.DEFAULT_PERCENT,
        ge=0,
        le=holdout.MAX_PERCENT,
        title=_("Comparison group"),
        description=_(
            "So many of your members, drawn at random, go without this tactic; who buys more shows what it brings."
            " At 0 you will never know."
        ),
        json_schema_extra=shown(unit="percent"),
    )


@dataclass(frozen=True, slots=True)
class Stored:
    """A plugin's settings as they stand in the store.

    Attributes:
        frame: The model of what every tactic has to set; None for a service.
    """

    plugin: Installed
    activation: Activation | None
    values: Mapping[str, Any]
    secrets: Mapping[str, bool]
    frame: type[Frame] | None
    around: Surroundings
    ours: Surroundings

    @property
    def model(self) -> Any:
        """The plugin's model."""
        return self.plugin.plugin.settings_model

    @property
    def revision(self) -> int:
        """What a save has to name."""
        return self.activation.revision if self.activation else FIRST_REVISION

    @property
    def framed(self) -> dict[str, Any]:
        """The values of the frame."""
        found = self.activation
        values: dict[str, Any] = {"monthly_budget": found.monthly_budget if found else None}
        if self.frame is Group:
            values["holdout_percent"] = found.holdout_percent if found else holdout.DEFAULT_PERCENT
        return values


@dataclass(frozen=True, slots=True)
class Typed:
    """What came back: the plugin's part and the frame's."""

    own: Submitted
    frame: Submitted | None

    @property
    def stepped(self) -> bool:
        """A row was added or taken out."""
        return self.own.stepped

    @property
    def ok(self) -> bool:
        """Whether it can be saved."""
        return self.own.ok and (self.frame is None or self.frame.ok)

    def refused(self, error: Invalid) -> "Typed":
        """The same with what core said about it, each at its field."""
        framed = [one for one in error.errors if self.frame is not None and one.field in Group.model_fields]
        others = [one for one in error.errors if one not in framed]
        own = self.own.refused(Invalid.every(others)) if others else self.own
        moved = [Fault(f"{FRAME}.{one.field}", one.reason, one.kind, one.context) for one in framed]
        frame = self.frame.refused(Invalid.every(moved)) if self.frame is not None and moved else self.frame
        return Typed(own, frame)


@router.get("/store/{slug}/tactics/{tactic}/settings")
def show(request: Request, desk: AppDesk, slug: str, tactic: str) -> Response:
    """The form, for those who may only look too."""
    return desk.read(request, slug, lambda visit: _page(visit, _stored(visit, tactic)))


@router.post("/store/{slug}/tactics/{tactic}/settings")
def save(request: Request, desk: AppDesk, slug: str, tactic: str) -> Response:
    """Save it, or add a row, or say what it would come to."""

    def work(visit: Visit) -> Response:
        stored = _stored(visit, tactic)
        typed = _typed(visit, stored)
        if typed.stepped or "recalculate" in visit.form:
            return _page(visit, stored, typed)
        if not typed.ok:
            return _page(visit, stored, typed, status=422)
        _save(visit, stored, typed)
        notice = _("The settings of {tactic} are saved.", tactic=around.title(visit, tactic))
        return visit.redirect(visit.request.url.path, notice=notice)

    def again(visit: Visit) -> Response:
        error = request.state.refused
        stored = _stored(visit, tactic)
        typed = _typed(visit, stored)
        if isinstance(error, Invalid):
            return _page(visit, stored, typed.refused(error), status=422)
        if _as_stored(stored, typed):
            return visit.redirect(visit.request.url.path, notice=_("Nothing was left to save."))
        return _page(visit, stored, typed, status=422, overtaken=True)

    try:
        return desk.write(request, slug, work)
    except (Invalid, Stale) as error:
        request.state.refused = error
        return desk.write(request, slug, again)


def _stored(visit: Visit, plugin_id: str) -> Stored:
    plugin = around.installed(visit, plugin_id)
    opened = around.inside(visit)
    activation = opened.activations.get(plugin_id)
    values, secrets = visit.platform.visible_settings(visit.tenant, plugin_id, activation)
    frame = Group if plugin.manifest.holdout == "member" else Frame
    return Stored(
        plugin,
        activation,
        values,
        secrets,
        frame if plugin.manifest.kind == "tactic" else None,
        around.around(visit, opened, plugin),
        around.ours(visit),
    )


def _typed(visit: Visit, stored: Stored) -> Typed:
    pairs = [(name, str(value)) for name, value in visit.form.multi_items()]
    own = parse(stored.model, pairs, stored.around, values=stored.values, secrets=stored.secrets)
    if stored.frame is None:
        return Typed(own, None)
    return Typed(own, parse(stored.frame, pairs, stored.ours, prefix=FRAME, values=stored.framed))


def _save(visit: Visit, stored: Stored, typed: Typed) -> None:
    """Store what was typed.

    Raises:
        Invalid: Core does not accept it.
        Stale: Somebody else saved since the form was opened.
        NotAllowed: The operator does not allow the plugin.
    """
    frame = typed.frame.values if typed.frame else {}
    _cap, permitted = switches.allowed(visit.scope, visit.tenant, visit.platform.registry)
    if stored.plugin.id not in permitted:
        raise around.forbidden(visit, stored.plugin.id)
    switches.save_settings(
        visit.scope,
        visit.tenant,
        visit.platform.registry,
        visit.platform.keyring,
        stored.plugin.id,
        typed.own.values,
        revision=_revision(visit),
        holdout_percent=frame.get("holdout_percent"),
        monthly_budget=frame.get("monthly_budget", UNCHANGED),
        by=visit.by,
    )


def _revision(visit: Visit) -> int:
    given = str(visit.form.get("revision", ""))
    if not given.isascii() or not given.isdecimal() or len(given) > 9:
        raise Invalid("revision", _("this form has changed meanwhile: look it over and save again"))
    return int(given)


def _as_stored(stored: Stored, typed: Typed) -> bool:
    """Whether what was typed is what is stored by now, such as after a form was sent twice."""
    if not typed.ok or any(path.split(".")[0] in typed.own.values for path in stored.secrets):
        return False
    return typed.own.values == stored.values and (typed.frame is None or typed.frame.values == stored.framed)


def _page(
    visit: Visit, stored: Stored, typed: Typed | None = None, *, status: int = 200, overtaken: bool = False
) -> Response:
    plugin, may_write = stored.plugin, visit.person.role is not None and visit.person.role.may_write
    own = Form.of(
        stored.model,
        stored.around,
        values=stored.values,
        secrets=stored.secrets,
        submitted=typed.own if typed else None,
    )
    frame = None
    if stored.frame is not None:
        submitted = typed.frame if typed else None
        frame = Form.of(stored.frame, stored.ours, prefix=FRAME, values=stored.framed, submitted=submitted)
    kept = typed is not None and not overtaken and "revision" in visit.form
    calculated = typed is not None and typed.own.ok
    shelved = plugin.manifest.kind == "tactic"
    return render(
        visit,
        "tactics/settings.html",
        status=status,
        id=plugin.id,
        name=around.title(visit, plugin.id),
        summary=visit.say_plugin(plugin.id, plugin.manifest.summary),
        form=own,
        frame=frame,
        complaints=(*own.complaints, *(frame.complaints if frame else ())),
        revision=str(visit.form.get("revision"))[:20] if kept else stored.revision,
        stored_worked=examples(stored.model, stored.values, stored.around),
        typed_worked=examples(stored.model, typed.own.values, stored.around) if typed and calculated else None,
        unreadable=typed is not None and not typed.own.ok and not typed.stepped,
        spent=budgets.spent(visit.scope, visit.tenant.store).get(plugin.id, 0) if shelved else None,
        budget=stored.framed["monthly_budget"],
        identifiable=stored.frame is Group,
        off=stored.activation is None or stored.activation.state is SwitchState.OFF,
        shelved=shelved,
        collections=[(name, visit.say_plugin(plugin.id, one.title)) for name, one in plugin.collections.items()],
        overtaken=_overtaken(visit, stored, own, frame) if overtaken else None,
        may_write=may_write,
    )


def _overtaken(visit: Visit, stored: Stored, own: Form, frame: Form | None) -> tuple[str, Any, list[Difference]]:
    """Who saved meanwhile, when, and where what is stored now differs from what was typed."""
    last = audit.latest(visit.scope, "settings.saved", [stored.plugin.id]).get(stored.plugin.id)
    now = Form.of(stored.model, stored.around, values=stored.values, secrets=stored.secrets)
    found = beside.differences(now, own, visit)
    if frame is not None and stored.frame is not None:
        framed = Form.of(stored.frame, stored.ours, prefix=FRAME, values=stored.framed)
        found += beside.differences(framed, frame, visit)
    return around.who(visit, last.actor if last else ""), last.at if last else None, found
