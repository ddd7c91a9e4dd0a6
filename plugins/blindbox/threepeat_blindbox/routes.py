"""What members see and do: series with their odds, the confirmation of age, boxes, chances and evidence."""

from importlib.resources import files
from typing import Annotated

from fastapi import Query

from threepeat.sdk import NEWEST, Refused, _, item_number
from threepeat_blindbox import closing, opening, places, views
from threepeat_blindbox.pools import Ctx

PAGE = 50

Before = Annotated[int, Query(ge=1, le=NEWEST, description="The `next` of the page before.")]
After = Annotated[int, Query(ge=0, le=NEWEST, description="The `next` of the page before.")]


def shelf(ctx: Ctx) -> views.Shelf:
    """The series on sale with the odds as they are now, and what has to be confirmed first."""
    rows = ctx.sql("shelf", member=ctx.member, day=places.today(ctx, ctx.now))
    return views.Shelf(
        series=[views.series(row) for row in rows],
        age=views.age(ctx, confirmed=places.declared(ctx, ctx.member)),
    )


def declare(ctx: Ctx, given: views.Declare) -> views.Age:
    """Confirm the age or a guardian's consent; no birthday is asked for, and none is kept."""
    if given.text_version != ctx.settings.text_version:
        raise Refused(_("the text has changed: read it again"), code="text-changed")
    ctx.sql("declare", member=ctx.member, kind=given.kind, version=given.text_version)
    return views.age(ctx, confirmed=True)


def give_nonce(ctx: Ctx, given: views.GiveNonce) -> views.NonceView:
    """Give a random number for an order that is not paid yet; the first one counts."""
    rows = ctx.sql("nonce_give", member=ctx.member, order=given.order_id, nonce=given.nonce)
    return views.NonceView(nonce=rows[0].nonce)


def boxes(ctx: Ctx, before: Before = NEWEST) -> views.Boxes:
    """The member's boxes, the newest first, the opened ones with their receipts."""
    rows = opening.mine(ctx, ctx.member, before=before, most=PAGE + 1)
    shown = [views.box(row) for row in rows[:PAGE]]
    return views.Boxes(boxes=shown, next=rows[PAGE - 1].id if len(rows) > PAGE else None)


def open_box(ctx: Ctx, wanted: views.Open) -> views.BoxView:
    """Open a box that waits, by the odds that were shown; one that is open already stays what it is."""
    opening.open_box(ctx, ctx.member, int(wanted.box), wanted.version, wanted.nonce)
    return views.box(opening.one(ctx, ctx.member, int(wanted.box)))


def decline(ctx: Ctx, wanted: views.Decline) -> views.BoxView:
    """Give up a box that waits; its price is paid back."""
    opening.decline(ctx, ctx.member, int(wanted.box))
    return views.box(opening.one(ctx, ctx.member, int(wanted.box)))


def chances(ctx: Ctx) -> views.Chances:
    """The member's chances to draw, by series."""
    found = [
        views.ChanceView(series=str(row.series_id), name=row.name, chances=row.chances, first_ends=row.first_ends)
        for row in ctx.sql("chances_mine", member=ctx.member)
    ]
    return views.Chances(chances=found)


def use_chance(ctx: Ctx, wanted: views.Use) -> views.BoxView:
    """Draw for a chance, the one that ends first."""
    box = opening.use_chance(ctx, ctx.member, int(wanted.series), wanted.version, wanted.nonce)
    return views.box(opening.one(ctx, ctx.member, box))


def evidence(ctx: Ctx, series: str, after: After = 0) -> views.Evidence:
    """What anybody needs to draw a closed series again; it holds nothing about people."""
    found = closing.document(ctx, item_number(series), after=after, most=closing.PAGE)
    last = after + len(found["receipts"])
    more = last if len(found["receipts"]) == closing.PAGE and last < found["draws"] else None
    return views.Evidence(**found, next=more)


def verifier(ctx: Ctx) -> views.Verifier:
    """The programs that check evidence; keep them as files, they need nothing of ours."""
    del ctx
    folder = files("threepeat_blindbox") / "verifier"
    return views.Verifier(
        page=(folder / "verify.html").read_text(encoding="utf-8"),
        python=(folder / "verify.py").read_text(encoding="utf-8"),
    )
