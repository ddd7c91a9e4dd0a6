"""Boxes in a basket: nothing is taken off, but what they need is held for the order."""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row

from threepeat.sdk import Asked, Declined, PriceRule, Reduction, Stage, Wording, _, price_rule
from threepeat.sdk.pricing import MAX_REDUCTIONS
from threepeat_blindbox import places
from threepeat_blindbox.pools import Ctx

NONCE = re.compile(r"[0-9a-f]{32,64}")
VERSION = re.compile(r"[0-9a-f]{64}")
MOST_SERIES = MAX_REDUCTIONS // 2
"""Of one basket, each held and perhaps declined; boxes of others wait for their buyer when they are paid."""
UNSEEN = _("Read the odds first: a basket with blind boxes names the version that was shown")


class ChoiceForm(BaseModel):
    """What a buyer chooses, for forms."""

    version: str = Field(
        default="",
        max_length=64,
        title=_("Version of the odds"),
        description=_("As the member reads it beside the odds."),
    )
    nonce: str = Field(
        default="",
        max_length=64,
        title=_("Random number"),
        description=_("Of the phone's own: 32 to 64 of the digits 0 to 9 and a to f."),
    )


def quote(ctx: Ctx, asked: Asked) -> Iterator[Reduction | Declined]:
    """What of a basket is boxes; whatever is against it is said here, and refused when it is reserved."""
    rows = {row.sku: row for row in ctx.sql("on_sale_as", skus=sorted({line.sku for line in asked.basket.lines}))}
    given = asked.choice if isinstance(asked.choice, dict) else {}
    declared = bool(rows) and asked.member is not None and places.declared(ctx, asked.member)
    for sku, row in sorted(rows.items())[:MOST_SERIES]:
        lines = [line for line in asked.basket.lines if line.sku == sku]
        boxes, money = sum(line.quantity for line in lines), sum(line.amount for line in lines)
        chosen = _chosen(given, row)
        against = _against(asked, row, boxes, money, chosen, declared=declared)
        if against is not None:
            yield Declined(row.name, against, key=f"{row.id}-why")
        yield Reduction(
            row.name,
            lines=[line.id for line in lines],
            key=str(row.id),
            reserves=True,
            data={"series": row.id, "boxes": boxes, "money": money, "price": row.price, **chosen},
        )


RULES: tuple[PriceRule, ...] = (
    price_rule(
        "boxes",
        stage=Stage.ACTIVITY,
        quote=quote,
        reserve=places.reserve,
        confirm=places.confirm,
        release=places.release,
        choice=ChoiceForm,
    ),
)


def nonce(value: object) -> str | None:
    """A nonce as it may be sent; None for anything else."""
    return value if isinstance(value, str) and NONCE.fullmatch(value) else None


def _chosen(given: dict[Any, Any], row: Row[Any]) -> dict[str, str | None]:
    """The version and the nonce that were sent; of several series by their ids."""
    own = given.get(str(row.id), given)
    mine = own if isinstance(own, dict) else {}
    version = mine.get("version")
    seen = isinstance(version, str) and VERSION.fullmatch(version) is not None
    return {"version": version if seen else "", "nonce": nonce(mine.get("nonce"))}


def _against(
    asked: Asked, row: Row[Any], boxes: int, money: int, chosen: dict[str, str | None], *, declared: bool
) -> Wording | None:
    """Why it could not be reserved now."""
    if asked.member is None:
        return places.NOBODY
    if not declared:
        return places.UNDECLARED
    if chosen["version"] != row.pool:
        return UNSEEN
    if money > boxes * row.price:
        return places.TOO_DEAR
    return places.SOLD_OUT if row.room is not None and row.held + boxes > row.room else None
