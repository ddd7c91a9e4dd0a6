"""The end of a series: once nothing can be drawn from it, its seed is revealed, and everything can be checked."""

from collections.abc import Collection, Mapping
from typing import Any

from threepeat.sdk import Refused, _
from threepeat_blindbox import evidence
from threepeat_blindbox.events import SeriesClosed
from threepeat_blindbox.pools import Ctx

PAGE = 5_000
"""Receipts that a member gets at once."""
MOST = 1_000_000
"""Receipts of a file."""


def reveal(ctx: Ctx, series: Collection[int]) -> None:
    """Close those of some series that are ending and have no box left that could be drawn."""
    rows = ctx.sql("series_over", ids=sorted(series)) if series else ()
    if not rows:
        return
    ctx.sql(
        "series_reveal",
        ids=[row.id for row in rows],
        seeds=[ctx.unseal(row.sealed, place="seed") for row in rows],
    )
    for row in rows:
        ctx.emit(SeriesClosed(series=str(row.id), draws=row.draws), member=None, cause=f"closed:{row.id}")


def document(ctx: Ctx, series: int, *, after: int = 0, most: int = MOST) -> Mapping[str, Any]:
    """What anybody needs to draw a closed series again; nothing of it leads to a person.

    Args:
        after: Only receipts after this draw.
        most: At most so many receipts.

    Raises:
        Refused: There is no such series, or it is not closed.
    """
    rows = ctx.sql("series_evidence", id=series)
    if not rows:
        raise Refused(_("there is no closed series of this number"), code="not-closed")
    row = rows[0]
    found = ctx.sql("receipts", series=series, after=after, most=most)
    return {
        "format": evidence.EVIDENCE,
        "store": str(ctx.tenant.id),
        "series": str(series),
        "name": row.name,
        "key": row.public_key,
        "commitment": row.commitment,
        "seed": row.seed,
        "draws": row.draws,
        "head": row.head,
        "versions": list(row.versions),
        "receipts": [{"body": one.body, "signature": one.signature} for one in found],
    }
