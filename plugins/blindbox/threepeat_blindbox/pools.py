"""Pools as they are published: each version stands word for word, and follows the one before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Row

from threepeat.sdk import Context
from threepeat_blindbox import evidence
from threepeat_blindbox.form import STORED, SeriesForm, pool_item
from threepeat_blindbox.odds import Pool
from threepeat_blindbox.settings import BlindboxSettings

Ctx = Context[BlindboxSettings]
Why = Literal["opened", "changed", "sold_out"]


@dataclass(frozen=True, slots=True)
class Published:
    """A version of a series' pool."""

    series: int
    number: int
    body: str
    hash: str
    pool: Pool
    why: Why


def form(row: Row[Any]) -> SeriesForm:
    """What was filled in of a series' row, whatever the rules have become."""
    return SeriesForm.model_validate(row.form, context=STORED)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a version says of its series; `pool` is the hash of the version before."""

    id: int
    commitment: str
    public_key: str
    pool: str


def publish(
    ctx: Ctx,
    standing: Standing,
    given: SeriesForm,
    left: Mapping[str, int | None],
    *,
    number: int,
    after: int,
    why: Why,
) -> Published:
    """Write down what is drawn from now on; whatever is sold out is not in it.

    Args:
        left: What is left by item; an item that is not named is left out.
        number: The version's.
        after: The last draw before it.
    """
    there = [one for one in given.items if left.get(one.sku, 0) != 0]
    pool = Pool(given.mode, tuple(pool_item(given, one, left[one.sku]) for one in there), given.pity or 0)
    facts = {
        "format": evidence.POOL,
        "store": str(ctx.tenant.id),
        "series": str(standing.id),
        "version": number,
        "why": why,
        "after": after,
        "commitment": standing.commitment,
        "key": standing.public_key,
        "previous": standing.pool,
        "mode": given.mode,
        "pity": given.pity or 0,
        "sku": given.sku,
        "price": given.price,
        "currency": ctx.tenant.currency,
        "items": [
            {
                "item": one.item,
                "name": shown.name,
                "weight": one.weight,
                "left": one.left,
                "hidden": one.hidden,
                "floor": one.floor,
                "value": shown.value,
            }
            for one, shown in zip(pool.items, there, strict=True)
        ],
    }
    body = evidence.written(facts)
    return Published(standing.id, number, body, evidence.hashed(body), pool, why)


def keep(ctx: Ctx, made: Sequence[Published]) -> None:
    """Store versions."""
    if made:
        ctx.sql(
            "version_add",
            series=[one.series for one in made],
            numbers=[one.number for one in made],
            bodies=[one.body for one in made],
            hashes=[one.hash for one in made],
            whys=[one.why for one in made],
        )
