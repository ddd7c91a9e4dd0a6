"""Each promise that `threepeat verify` checks, and a violation that it sees."""

from contextlib import suppress

import pytest
from sqlalchemy import text

ITEMS = [
    {"sku": "cup", "name": "Cup", "weight": 60, "stock": 50},
    {"sku": "owl", "name": "Owl", "weight": 40, "stock": 50, "floor": True},
]
COPY = """
    INSERT INTO blindbox.draw (tenant_id, series_id, draw_no, version, item, hidden, buyer, order_hash, ordinal,
                               misses_before, misses_after, body, hash, previous, signature, drawn_at)
    SELECT tenant_id, series_id, draw_no + 100, version, item, hidden, buyer, 'x', ordinal, misses_before,
           misses_after, body, hash, previous, signature, drawn_at
    FROM blindbox.draw WHERE draw_no = 1
"""
PLANTED = {
    "a gap": ("draws", "UPDATE blindbox.draw SET draw_no = 100 WHERE draw_no = 3"),
    "a draw that is missing": ("draws", "DELETE FROM blindbox.draw WHERE draw_no = 5"),
    "one too many": ("draws", COPY),
    "a draw from another pool": ("draws", "UPDATE blindbox.draw SET version = 2 WHERE draw_no = 2"),
    "another item": ("chain", "UPDATE blindbox.draw SET item = CASE item WHEN 'cup' THEN 'owl' ELSE 'cup' END"),
    "another receipt": ("chain", "UPDATE blindbox.draw SET body = body || ' ' WHERE draw_no = 2"),
    "another order of draws": (
        "chain",
        "UPDATE blindbox.draw SET previous = '' WHERE draw_no = 2",
    ),
    "another buyer": ("chain", "UPDATE blindbox.draw SET buyer = 'x' WHERE draw_no = 1"),
    "another end": ("chain", "UPDATE blindbox.series SET head = 'x' WHERE draws > 0"),
    "another pool": ("chain", "UPDATE blindbox.version SET body = replace(body, 'cup', 'mug')"),
    "stock out of nothing": ("stock", "UPDATE blindbox.stock SET taken = taken - 1 WHERE taken > 0"),
    "an item that was never put in": ("stock", "DELETE FROM blindbox.stock WHERE taken > 0"),
    "a place that is lost": ("places", "UPDATE blindbox.series SET held = held + 1"),
    "a place that nobody holds": ("places", "UPDATE blindbox.hold SET state = 'released' WHERE state = 'held'"),
    "more room than there is": ("places", "UPDATE blindbox.series SET room = room + 1 WHERE room IS NOT NULL"),
    "misses that are forgotten": ("misses", "UPDATE blindbox.buyer SET misses = misses + 1"),
    "misses that begin elsewhere": ("misses", "UPDATE blindbox.draw SET misses_before = 7 WHERE draw_no = 2"),
    "no commitment": ("seed", "UPDATE blindbox.series SET commitment = '' WHERE state = 'on_sale'"),
    "a seed that is known early": ("seed", "UPDATE blindbox.series SET seed = 'aa' WHERE state = 'on_sale'"),
    "another seed": ("seed", "UPDATE blindbox.series SET seed = repeat('ab', 32) WHERE state = 'closed'"),
    "draws before the commitment": ("seed", "UPDATE blindbox.version SET published_at = 'infinity'"),
    "a day that counts too little": ("limits", "UPDATE blindbox.spending SET boxes = boxes - 1 WHERE boxes > 0"),
    "a day that nobody counted": ("limits", "DELETE FROM blindbox.spending"),
    "draws beyond the limit": ("limits", "UPDATE blindbox.series SET daily_boxes = 1"),
    "money beyond the limit": ("limits", "UPDATE blindbox.series SET daily_money = 1"),
    "a box without its draw": ("boxes", "UPDATE blindbox.box SET draw_no = 99 WHERE draw_no = 1"),
    "a draw of nobody's box": ("boxes", "DELETE FROM blindbox.box WHERE draw_no = 1"),
    "a draw for another order": ("boxes", "UPDATE blindbox.box SET order_id = 'x' WHERE draw_no = 1"),
}  # fmt: skip


class _UndoError(Exception):
    """Ends a transaction in which something was planted."""


@pytest.fixture(scope="module")
def lived(kept):
    """A store in which everything has happened; what a test plants in it is undone."""
    ended = kept.series(items=ITEMS, pity=4, sku="old")
    kept.buy(boxes=2, sku="old", order="o1")
    kept.step(ended, "close")
    kept.series(items=ITEMS, pity=4, daily_boxes=20, daily_money=10**8)
    kept.buy(boxes=6)
    kept.buy("bob", 2)
    kept.paid("waits", boxes=2)
    kept.held("bob", 3)
    kept.paid("too-many", boxes=99)
    assert kept.violations() == []
    return kept


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_violation_is_found(lived, platform, what):
    """As the operator's role: the app's own cannot change draws and pools at all."""
    invariant, statement = PLANTED[what]
    (declared,) = (one for one in platform.registry["blindbox"].invariants if one.name == invariant)
    looks = platform.statements["blindbox"][declared.sql]
    with suppress(_UndoError), platform.database.ops.begin() as ops:
        given = {"tenant": lived.tenant.id}
        assert not ops.execute(looks, given).all()
        assert ops.execute(text(statement + ("" if "WHERE" in statement else " WHERE true"))).rowcount
        assert ops.execute(looks, given).all()
        raise _UndoError


def test_nothing_is_planted_after_all(lived):
    assert lived.violations() == []
