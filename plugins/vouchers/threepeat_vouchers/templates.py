"""Templates as a merchant manages them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Context, Due, Item, Query, Refused, Wording, _, action, collection, item_number
from threepeat_vouchers import terms
from threepeat_vouchers.form import Template
from threepeat_vouchers.settings import VouchersSettings

Ctx = Context[VouchersSettings]

VOID = "void_vouchers"
PART = 5_000
"""Vouchers that are voided at a time."""
EDITABLE = ("draft", "active", "paused")
STANDS = _(
    "Vouchers may be out already, so what they give, count for and how long stands. Change the name, the limits"
    " or who may take it, or make a new template."
)
NARROWER = _("Vouchers may be out already: the number in all and the budget can be raised or lifted, not lowered.")


def find(ctx: Ctx, query: Query) -> Sequence[Item[Template]]:
    """Templates, newest first."""
    rows = ctx.sql("template_find", state=query.state, search=query.search, before=query.before, most=query.limit)
    return [_item(row) for row in rows]


def read(ctx: Ctx, item: str) -> Item[Template] | None:
    """One template, with what became of its vouchers."""
    rows = ctx.sql("template_read", id=item_number(item))
    if not rows:
        return None
    row = rows[0]
    figures: dict[str, int | str] = {
        _("Given to members"): row.given,
        _("Used"): row.used,
        _("Taken off"): _money(ctx, row.taken_off),
    }
    if row.codes:
        figures[_("Codes")] = row.codes
    if row.void:
        figures[_("Taken back")] = row.void
    return _item(row, figures)


def create(ctx: Ctx, given: Template) -> str:
    """Keep a draft."""
    return str(ctx.sql("template_add", **_columns(given))[0].id)


def update(ctx: Ctx, item: str, revision: int, given: Template) -> bool:
    """Save a template; once vouchers may be out, nothing that would make one worse.

    Raises:
        Refused: It would.
    """
    rows = ctx.sql("templates", ids=[item_number(item)])
    if not rows:
        return False
    state = rows[0].state
    if state != "draft":
        before = form(rows[0])
        if given.fixed() != before.fixed():
            raise Refused(STANDS, code="terms-stand")
        if _narrower(before.total, given.total) or _narrower(before.budget, given.budget):
            raise Refused(NARROWER, code="terms-stand")
    return bool(ctx.sql("template_save", id=item_number(item), revision=revision, state=state, **_columns(given)))


def activate(ctx: Ctx, item: str, revision: int) -> bool:
    """Let vouchers be given from now on.

    Raises:
        Refused: Its last day is over.
    """
    rows = ctx.sql("templates", ids=[item_number(item)])
    if not rows:
        return False
    if over(ctx, form(rows[0])):
        raise Refused(_("The last day is over: choose a later one first."), code="over")
    return _step(ctx, item, revision, ["draft", "paused"], "active")


def pause(ctx: Ctx, item: str, revision: int) -> bool:
    """Give none for a while; those that are out count as before."""
    return _step(ctx, item, revision, ["active"], "paused")


def end(ctx: Ctx, item: str, revision: int) -> bool:
    """Give none any more; those that are out count as before."""
    return _step(ctx, item, revision, ["active", "paused"], "ended")


def void(ctx: Ctx, item: str, revision: int) -> bool:
    """Void what is not used of an ended template: codes, and vouchers a part at a time, the first part at once."""
    # An order that takes a code locks its batch, the voucher and the template in this order, too.
    ctx.sql("template_void_codes", id=item_number(item))
    _void_some(ctx, item)
    return _step(ctx, item, revision, ["ended"], "ended")


def go_on_voiding(ctx: Ctx, dues: list[Due]) -> None:
    """Void the next part of each template's vouchers."""
    for due in dues:
        _void_some(ctx, due.key)


TEMPLATES = collection(
    "templates",
    Template,
    title=_("Voucher templates"),
    singular=_("voucher template"),
    summary=_("What vouchers take off, for what, how long, and how many there are."),
    states={"draft": _("Draft"), "active": _("Active"), "paused": _("Paused"), "ended": _("Ended")},
    editable=EDITABLE,
    find=find,
    read=read,
    create=create,
    update=update,
    actions=[
        action(
            "activate",
            activate,
            title=_("Activate"),
            states={"draft"},
            confirm=_("From now on what it gives, counts for and how long stands; limits can be raised."),
        ),
        action("resume", activate, title=_("Give again"), states={"paused"}),
        action("pause", pause, title=_("Pause"), states={"active"}, always=True),
        action(
            "end",
            end,
            title=_("End"),
            states={"active", "paused"},
            confirm=_("None is given any more, for good. Vouchers and codes that are out count as before."),
            always=True,
        ),
        action(
            "void",
            void,
            title=_("Void what is not used"),
            states={"ended"},
            confirm=_(
                "Members lose every voucher of it that they have not used, and no code of it can be entered any"
                " more, for good. Orders that are not paid yet keep theirs."
            ),
            always=True,
        ),
    ],
)


def form(row: Row[Any]) -> Template:
    """What was filled in of a template's row."""
    return Template.model_validate(row.form)


def over(ctx: Ctx, template: Template) -> bool:
    """Whether one that was given now could never be used."""
    return terms.span(template, ctx.now, ctx.tenant.timezone)[1] <= ctx.now


def _step(ctx: Ctx, item: str, revision: int, states: list[str], into: str) -> bool:
    return bool(ctx.sql("template_step", id=item_number(item), revision=revision, states=states, into=into))


def _void_some(ctx: Ctx, item: str) -> None:
    if ctx.sql("template_void", id=item_number(item), most=PART)[0].found == PART:
        ctx.later(VOID, item, ctx.now)


def _narrower(before: int | None, now: int | None) -> bool:
    return now is not None and (before is None or now < before)


def _money(ctx: Ctx, minor: int) -> Wording:
    return _("{amount}", amount=ctx.tenant.money(minor))


def _columns(given: Template) -> dict[str, object]:
    return {
        "name": given.name,
        "form": given.model_dump_json(),
        "claimable": given.claimable,
        "total": given.total,
        "budget": given.budget,
        "give_back": given.give_back,
    }


def _item(row: Row[Any], figures: Mapping[str, int | str] = MappingProxyType({})) -> Item[Template]:
    return Item(str(row.id), row.state, form(row), row.revision, row.name, row.changed_at, figures)
