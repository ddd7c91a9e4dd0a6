"""Members take vouchers: what the store shows, and what a code stands for."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Refused, Wording, _, item_number, ngettext
from threepeat_vouchers import codes, terms
from threepeat_vouchers.events import VoucherIssued
from threepeat_vouchers.form import Template
from threepeat_vouchers.templates import Ctx, form

GONE = _("none is left")
NOT_OFFERED = _("this voucher is not offered at the moment")
UNKNOWN = _("there is no such code")
TAKEN = _("this code was used already")


def claim(ctx: Ctx, member: int, item: str) -> int:
    """Take one of a template that members may take; returns the voucher's id.

    Raises:
        Refused: It is not offered to this member, the member has enough, or none is left.
    """
    rows = ctx.sql("templates", ids=[item_number(item)])
    template = form(rows[0]) if rows else None
    if template is None or not offered(rows[0], template):
        raise Refused(NOT_OFFERED, code="not-offered")
    begin, end = _span(ctx, template)
    if not meant_for(ctx, template, member):
        raise Refused(NOT_OFFERED, code="not-offered")
    if rows[0].room is not None and rows[0].room <= 0:
        raise Refused(GONE, code="none-left")
    _take(ctx, member, rows[0].id, template)
    if template.total is not None and not ctx.sql("template_count", ids=[rows[0].id], numbers=[1]):
        raise Refused(GONE, code="none-left")
    span = {"valid_from": begin, "valid_until": end}
    voucher: int = ctx.sql("claim", member=member, template=rows[0].id, **span)[0].id
    _tell(ctx, member, rows[0].id, voucher, "claim", end)
    return voucher


def today(ctx: Ctx) -> date:
    """The store's day, in which the limit of a day is counted."""
    return ctx.now.astimezone(ctx.tenant.timezone).date()


def reached(template: Template, taken: int, on_the_day: int) -> bool:
    """Whether a member has taken as many as there may be, in all or on a day."""
    return (template.per_member is not None and taken >= template.per_member) or (
        template.per_day is not None and on_the_day >= template.per_day
    )


def limit(template: Template) -> Wording:
    """Why a member can take no more."""
    if template.per_day is not None:
        return _("you have as many of this voucher as you may take, in all or today")
    most = template.per_member or 0
    return ngettext("you may take {n} of this voucher", "you may take {n} of this voucher", most, n=most)


def offered(row: Row[Any], template: Template) -> bool:
    """Whether members may take one of a template now."""
    return row.state == "active" and template.claimable


def meant_for(ctx: Ctx, template: Template, member: int) -> bool:
    """Whether a member is one of those who may take one."""
    return template.audience.is_everybody or bool(ctx.matching(template.audience, [member]))


def enter(ctx: Ctx, member: int, typed: str) -> int | None:
    """Take what a code stands for; None if there is no such code. A code that is the member's already is that.

    Raises:
        Refused: Somebody else has it, it is over, the member has enough, or too many codes were wrong.
    """
    if not ctx.sql("guess", member=member, most=ctx.settings.wrong_codes_per_hour):
        raise Refused(_("too many wrong codes: try again in an hour"), code="too-many-codes")
    rows = ctx.sql("code", hash=codes.hashed(ctx.tenant.id, codes.read(typed)))
    if not rows or (rows[0].state != "ready" and rows[0].voucher_id is None):
        return None
    voucher = rows[0].voucher_id if rows[0].member_id == member else open_code(ctx, member, rows[0])
    ctx.sql("guessed", member=member)
    return int(voucher)


def open_code(ctx: Ctx, member: int, row: Row[Any]) -> int:
    """Make a code that nobody took the member's voucher.

    Args:
        row: What `sql/code.sql` says of it.

    Raises:
        Refused: Somebody took it, it is over, or the member has enough.
    """
    if row.voucher_id is not None:
        raise Refused(TAKEN, code="taken")
    template = form(row)
    begin, end = _span(ctx, template)
    _take(ctx, member, row.template_id, template)
    (code,) = ctx.sql("code_of", batch=row.batch_id, number=row.number)
    made = ctx.sql("code_take", hash=code.hash, member=member, valid_from=begin, valid_until=end)
    if not made:
        raise Refused(TAKEN, code="taken")
    voucher: int = made[0].id
    _tell(ctx, member, row.template_id, voucher, "code", end)
    return voucher


def _span(ctx: Ctx, template: Template) -> tuple[datetime, datetime]:
    begin, end = terms.span(template, ctx.now, ctx.tenant.timezone)
    if end <= ctx.now:
        raise Refused(_("this offer is over"), code="over")
    return begin, end


def _take(ctx: Ctx, member: int, template_id: int, template: Template) -> None:
    """Count one more for the member, by one conditional write."""
    limits = {"per_member": template.per_member, "per_day": template.per_day}
    if not ctx.sql("take", member=member, template=template_id, day=today(ctx), **limits):
        raise Refused(limit(template), code="limit")


def _tell(ctx: Ctx, member: int, template_id: int, voucher: int, source: str, end: datetime) -> None:
    told = VoucherIssued(template=str(template_id), vouchers=1, source=source, valid_until=end)
    ctx.emit(told, member=member, cause=f"issued:{voucher}")
