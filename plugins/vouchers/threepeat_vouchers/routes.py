"""What members see and do: their wallet, what they may take, and codes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row

from threepeat.sdk import NEWEST, _, shown
from threepeat_vouchers import codes, taking, words
from threepeat_vouchers.form import KINDS, Template
from threepeat_vouchers.templates import Ctx, form, over

PAGE = 50

Shelf = Literal["usable", "used", "expired"]
Before = Annotated[int, Query(ge=1, le=NEWEST, description="The `next` of the page before.")]

Words = Mapping[str, str]
STATES = {
    "usable": _("Can be used"),
    "coming": _("Not valid yet"),
    "locked": _("In an order that is not paid yet"),
    "used": _("Used"),
    "returned": _("Came back"),
    "expired": _("Expired"),
    "void": _("Taken back"),
}


class VoucherView(BaseModel):
    """A voucher of the member."""

    id: str = Field(title=_("Voucher"), description="Choose it by this in a basket: `choices.vouchers`.")
    name: str = Field(title=_("Name"))
    kind: Literal["fixed", "percent", "delivery", "gift"] = Field(
        title=_("Kind"), json_schema_extra=shown(choices=KINDS)
    )
    state: Literal["usable", "coming", "locked", "used", "returned", "expired", "void"] = Field(
        title=_("State"),
        json_schema_extra=shown(choices=STATES),
        description="`coming` is not valid yet, `locked` stands in an order that is not paid yet, `returned` was"
        " used in an order that came back.",
    )
    valid_from: datetime = Field(title=_("Valid from"))
    valid_until: datetime = Field(title=_("Valid until"), description="From this moment on it is not.")
    terms: list[Words] = Field(title=_("Terms"), description="Sentences by language, `en` and `zh`.")


class Wallet(BaseModel):
    """Vouchers of the member."""

    vouchers: list[VoucherView] = Field(title=_("Vouchers"))
    next: int | None = Field(description="Pass it as `before` for what follows; null at the end.")


class OfferView(BaseModel):
    """A voucher that the member may take."""

    template: str = Field(title=_("Voucher"), description="Take it by this.")
    name: str = Field(title=_("Name"))
    kind: Literal["fixed", "percent", "delivery", "gift"] = Field(
        title=_("Kind"), json_schema_extra=shown(choices=KINDS)
    )
    terms: list[Words] = Field(title=_("Terms"), description="Sentences by language, `en` and `zh`.")
    state: Literal["open", "taken", "gone"] = Field(
        title=_("State"),
        json_schema_extra=shown(choices={"open": _("To take"), "taken": _("Taken"), "gone": _("None is left")}),
        description="`taken`: the member has as many as there may be; `gone`: none is left.",
    )


class Offers(BaseModel):
    """What members may take."""

    offers: list[OfferView] = Field(title=_("Offers"))
    next: int | None = Field(description="Pass it as `before` for what follows; null at the end.")


class Claim(BaseModel):
    """Which one to take."""

    model_config = ConfigDict(extra="forbid")

    template: str = Field(min_length=1, max_length=20, title=_("Voucher"), description=_("As the offers name it."))


class Typed(BaseModel):
    """What was typed as a code."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(
        min_length=1,
        max_length=codes.LONGEST,
        title=_("Code"),
        description=_("Small letters, spaces and hyphens do not matter; O is read as 0, I and L as 1."),
    )


class Claimed(BaseModel):
    """What the member has now."""

    voucher: VoucherView = Field(title=_("Voucher"))


class Entered(BaseModel):
    """What became of a code."""

    voucher: VoucherView | None = Field(
        title=_("Voucher"), description="What the member has by it; null if there is no such code."
    )
    reason: Words | None = Field(
        title=_("Reason"),
        description="Why there is none, by language. Wrong codes are counted, so that is no error.",
    )


def wallet(ctx: Ctx, shelf: Shelf = "usable", before: Before = NEWEST) -> Wallet:
    """The member's vouchers, the newest first: those that can be used now or later, the used, or the expired."""
    rows = ctx.sql("wallet", member=ctx.member, shelf=shelf, before=before, most=PAGE + 1)
    shown = [_view(ctx, row) for row in rows[:PAGE]]
    return Wallet(vouchers=shown, next=rows[PAGE - 1].id if len(rows) > PAGE else None)


def offers(ctx: Ctx, before: Before = NEWEST) -> Offers:
    """What the member may take, the newest first."""
    rows = ctx.sql("template_claimable", member=ctx.member, day=taking.today(ctx), before=before, most=PAGE + 1)
    found = [(row, form(row)) for row in rows[:PAGE]]
    meant = [
        (row, template)
        for row, template in found
        if not over(ctx, template) and taking.meant_for(ctx, template, ctx.member)
    ]
    return Offers(
        offers=[
            OfferView(
                template=str(row.id),
                name=template.name,
                kind=template.kind,
                terms=_terms(ctx, template),
                state=_standing(row, template),
            )
            for row, template in meant
        ],
        next=rows[PAGE - 1].id if len(rows) > PAGE else None,
    )


def claim(ctx: Ctx, wanted: Claim) -> Claimed:
    """Take a voucher that the store offers to members."""
    return Claimed(voucher=_one(ctx, taking.claim(ctx, ctx.member, wanted.template)))


def enter(ctx: Ctx, typed: Typed) -> Entered:
    """Take what a code stands for; a wrong one is counted, and after too many no code is looked at for an hour."""
    found = taking.enter(ctx, ctx.member, typed.code)
    if found is None:
        return Entered(voucher=None, reason=ctx.said(taking.UNKNOWN))
    return Entered(voucher=_one(ctx, found), reason=None)


def _one(ctx: Ctx, voucher: int) -> VoucherView:
    return _view(ctx, ctx.sql("wallet_one", member=ctx.member, id=voucher)[0])


def _view(ctx: Ctx, row: Row[tuple[object, ...]]) -> VoucherView:
    template = form(row)
    return VoucherView(
        id=str(row.id),
        name=template.name,
        kind=template.kind,
        state=row.standing,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        terms=_terms(ctx, template),
    )


def _terms(ctx: Ctx, template: Template) -> list[Words]:
    return [ctx.said(one) for one in words.terms(template, ctx.tenant)]


def _standing(row: Row[tuple[int, ...]], template: Template) -> Literal["open", "taken", "gone"]:
    if taking.reached(template, row.taken, row.today):
        return "taken"
    gone = (row.left_over is not None and row.left_over <= 0) or (row.room is not None and row.room <= 0)
    return "gone" if gone else "open"
