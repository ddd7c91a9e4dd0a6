"""Places for boxes: what an order holds before it is paid, within the pool and a member's limits for a day."""

from datetime import date, datetime

from threepeat.sdk import Hold, Refused, Wording, _, ngettext
from threepeat_blindbox import closing
from threepeat_blindbox.pools import Ctx

UNDECLARED = _("confirm first that you are of age or that your guardian agrees")
SOLD_OUT = _("there are not so many boxes left")
NOT_ON_SALE = _("this series is not on sale any more")
NOBODY = _("only members can buy blind boxes")
TOO_DEAR = _("a box costs more here than its published price")


def reserve(ctx: Ctx, hold: Hold) -> None:
    """Hold boxes for an order: the limits first, then the places, each by one conditional write.

    Raises:
        Refused: The buyer has not confirmed the age or not seen these odds, has reached a limit, or none is left.
    """
    if hold.member is None:
        raise Refused(NOBODY, code="members-only")
    data = hold.data
    series, boxes, money = int(data["series"]), int(data["boxes"]), int(data["money"])
    require_declared(ctx, hold.member)
    place = {"reservation": hold.reservation, "series": series, "member": hold.member}
    kept = ctx.sql(
        "hold",
        boxes=boxes,
        money=money,
        day=today(ctx, ctx.now),
        pool=str(data["version"]),
        nonce=data["nonce"],
        **place,
    )
    if not kept:
        return  # it is held, or paid, already
    if money > boxes * int(data["price"]):
        raise Refused(TOO_DEAR, code="price")
    spend(ctx, hold.member, series, boxes, money)
    take(ctx, series, boxes, str(data["version"]))


def confirm(ctx: Ctx, hold: Hold) -> None:
    """The order was paid. What the order was drawn for without its hold frees the hold."""
    rows = ctx.sql("hold_paid", order=hold.order_id, **_place(hold))
    _freed(ctx, [row.series_id for row in rows if row.state == "released" and row.ending])


def release(ctx: Ctx, hold: Hold) -> None:
    """The order will not be paid: places and limits are free again."""
    rows = ctx.sql("hold_release", **_place(hold))
    _freed(ctx, [row.series_id for row in rows if row.ending])


def require_declared(ctx: Ctx, member: int) -> None:
    """See that a member confirmed the text as it is now.

    Raises:
        Refused: Not so.
    """
    if not declared(ctx, member):
        raise Refused(UNDECLARED, code="age")


def declared(ctx: Ctx, member: int) -> bool:
    """Whether a member confirmed the text as it is now."""
    return bool(ctx.sql("declared", member=member, version=ctx.settings.text_version))


def spend(ctx: Ctx, member: int, series: int, boxes: int, money: int) -> None:
    """Count boxes toward a member's limits of today.

    Raises:
        Refused: They are reached.
    """
    day = today(ctx, ctx.now)
    if not ctx.sql("spend", member=member, series=series, boxes=boxes, money=money, day=day):
        raise Refused(limit(ctx, series), code="limit")


def limit(ctx: Ctx, series: int) -> Wording:
    """What a member may open in a day, in words."""
    (row,) = ctx.sql("limits", series=series)
    if row.daily_money is not None:
        return _(
            "this is more than you may spend on this series in a day: {most}",
            most=ctx.tenant.money(row.daily_money),
        )
    most = row.daily_boxes or 0
    return ngettext(
        "you may open {n} box of this series in a day",
        "you may open {n} boxes of this series in a day",
        most,
        n=most,
    )


def take(ctx: Ctx, series: int, boxes: int, version: str) -> None:
    """Take places of a series whose odds the buyer saw.

    Raises:
        Refused: The odds have changed, or fewer places are left.
    """
    if ctx.sql("place", series=series, boxes=boxes, version=version):
        return
    rows = ctx.sql("series_read", id=series)
    if not rows or rows[0].state != "on_sale":
        raise Refused(NOT_ON_SALE, code="not-on-sale")
    require_seen(version, rows[0].pool)
    raise Refused(SOLD_OUT, code="sold-out")


def require_seen(version: str | None, current: str) -> None:
    """See that a buyer was shown the odds as they are now.

    Raises:
        Refused: They are others; the sentence names the version to read.
    """
    if version != current:
        raise Refused(
            _(
                "the odds are not those that you saw: read them again and send their version, {version}",
                version=current,
            ),
            code="version-changed",
        )


def today(ctx: Ctx, moment: datetime) -> date:
    """The store's day of a moment."""
    return moment.astimezone(ctx.tenant.timezone).date()


def _place(hold: Hold) -> dict[str, object]:
    return {"reservation": hold.reservation, "series": int(hold.data["series"])}


def _freed(ctx: Ctx, series: list[int]) -> None:
    if series:
        closing.reveal(ctx, series)
