"""What members do with boxes that wait, and with chances."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Refused, _
from threepeat_blindbox import drawing, intake, places, refunds
from threepeat_blindbox.drawing import Buyer, Waiting
from threepeat_blindbox.pools import Ctx

NO_BOX = _("you have no such box")
GIVEN_UP = _("this box was given up; its price is paid back")
NO_CHANCE = _("you have no such chance, or it is over")


def open_box(ctx: Ctx, member: int, box: int, version: str, nonce: str | None) -> None:
    """Draw for a box that waits, by the odds that the member was shown; an opened one stays what it is.

    Raises:
        Refused: The member has no such box, has not confirmed the age or not seen these odds, or nothing is left.
    """
    found = _lock(ctx, member, box)
    if found.state == "opened":
        return
    if found.state == "void":
        raise Refused(GIVEN_UP, code="given-up")
    if not found.declared:
        raise Refused(places.UNDECLARED, code="age")
    (row,) = ctx.sql("box_seen", id=box, version=version, nonce=nonce)
    (waiting,) = intake.waiting([row])
    _draw(ctx, waiting, version, drawing.buyers(ctx, [(member, waiting.series)]))
    if row.last:
        ctx.cancel(intake.UNOPENED, f"{waiting.series}:{waiting.order}")


def decline(ctx: Ctx, member: int, box: int) -> None:
    """Give up a box that waits, for its money.

    Raises:
        Refused: The member has no such box, or it is opened.
    """
    if _lock(ctx, member, box).state == "opened":
        raise Refused(_("this box is opened already"), code="opened")
    refunds.void(ctx, [box], "declined")


def use_chance(ctx: Ctx, member: int, series: int, version: str, nonce: str | None) -> int:
    """Draw for the chance that ends first; the box's number.

    Raises:
        Refused: The member has none, has not confirmed the age or not seen these odds, has reached a limit, or
            nothing is left.
    """
    places.require_declared(ctx, member)
    rows = ctx.sql("chance_use", member=member, series=series)
    if not rows:
        raise Refused(NO_CHANCE, code="no-chance")
    known = drawing.buyers(ctx, [(member, series)])
    places.spend(ctx, member, series, 1, 0)
    places.take(ctx, series, 1, version)
    made = ctx.sql(
        "chance_box",
        member=member,
        series=series,
        order=f"chance:{rows[0].id}",
        day=places.today(ctx, ctx.now),
        version=version,
        nonce=nonce,
    )
    _draw(ctx, intake.waiting(made)[0], version, known)
    return int(made[0].id)


def _lock(ctx: Ctx, member: int, box: int) -> Row[Any]:
    rows = ctx.sql("box_lock", member=member, id=box, text=ctx.settings.text_version)
    if not rows:
        raise Refused(NO_BOX, code="no-box")
    return rows[0]


def _draw(ctx: Ctx, box: Waiting, version: str, known: Mapping[tuple[int, int], Buyer]) -> None:
    courses = drawing.lock(ctx, [box.series])
    if box.series not in courses:
        raise Refused(places.NOT_ON_SALE, code="not-on-sale")
    places.require_seen(version, courses[box.series].hash)
    if not drawing.draw(ctx, courses, known, [box]):
        raise Refused(places.SOLD_OUT, code="sold-out")


def mine(ctx: Ctx, member: int, *, before: int, most: int) -> list[Row[Any]]:
    """A member's boxes, the newest first."""
    return list(ctx.sql("boxes_mine", member=member, before=before, most=most))


def one(ctx: Ctx, member: int, box: int) -> Row[Any]:
    """One box of a member."""
    return ctx.sql("boxes_mine", member=member, before=box + 1, most=1)[0]
