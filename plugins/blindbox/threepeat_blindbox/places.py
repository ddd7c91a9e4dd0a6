"""Places for boxes: what an order holds before it is paid, within the pool and a member's limits for a day."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row

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

    What is paid already is held also if the odds have changed: then the boxes wait for their buyer.

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
    take(ctx, series, boxes, None if hold.late else str(data["version"]))


def confirm(ctx: Ctx, hold: Hold) -> None:
    """The order was paid. One that was drawn for or paid back without its hold frees the hold."""
    rows = ctx.sql("hold_paid", order=hold.order_id, **_place(hold))
    free(ctx, [row for row in rows if row.state == "released"])


def release(ctx: Ctx, hold: Hold) -> None:
    """The order will not be paid: places and limits are free again."""
    free(ctx, ctx.sql("hold_release", **_place(hold)))


def free(ctx: Ctx, rows: Sequence[Row[Any]]) -> None:
    """Let go of places and of what counted toward limits; a series that waited for the last of them is over."""
    if not rows:
        return
    freed = ctx.sql(
        "places_free",
        members=[row.member_id for row in rows],
        series=[row.series_id for row in rows],
        days=[row.day for row in rows],
        boxes=[row.boxes for row in rows],
        money=[row.money for row in rows],
    )
    closing.reveal(ctx, [row.id for row in freed if row.ending])


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
        (row,) = ctx.sql("limits", member=member, series=series, day=day)
        raise Refused(_limit(ctx, row, boxes), code="limit")


def take(ctx: Ctx, series: int, boxes: int, version: str | None) -> None:
    """Take places of a series.

    Args:
        version: Of the odds that the buyer saw; None takes places whatever they are.

    Raises:
        Refused: The odds have changed, or fewer places are left.
    """
    if ctx.sql("place", series=series, boxes=boxes, version=version):
        return
    rows = ctx.sql("series_read", id=series)
    if not rows or rows[0].state != "on_sale":
        raise Refused(NOT_ON_SALE, code="not-on-sale")
    if version is not None:
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


def _limit(ctx: Ctx, row: Row[Any], boxes: int) -> Wording:
    """The limit that so many boxes more are beyond, in words."""
    most = row.daily_boxes
    if most is None or row.boxes + boxes <= most:
        return _(
            "this is more than you may spend on this series in a day: {most}",
            most=ctx.tenant.money(row.daily_money or 0),
        )
    return ngettext(
        "you may open {n} box of this series in a day",
        "you may open {n} boxes of this series in a day",
        most,
        n=most,
    )


def _place(hold: Hold) -> dict[str, object]:
    return {"reservation": hold.reservation, "series": int(hold.data["series"])}
