"""A hundred thousand messages do not take a hundred thousand round trips."""

from datetime import timedelta

import pytest
from sqlalchemy import event, text

from threepeat.sdk import Notice
from threepeat_messages import sending

MAKE = text("""
    WITH made AS (
        INSERT INTO core.member (tenant_id, id, holdout_unit)
        SELECT :tenant, m, m FROM (SELECT nextval('core.member_id') AS m FROM generate_series(1, :number)) AS fresh
        RETURNING id
    ), agreed AS (
        INSERT INTO core.consent (tenant_id, member_id, purpose, reference, granted, given_at)
        SELECT :tenant, id, 'marketing', 'r', true, '2026-01-01Z' FROM made
    )
    SELECT id FROM made ORDER BY id
""")


class Counting:
    """How many statements the app role ran."""

    def __init__(self, engine):
        self._engine, self.number = engine, 0

    def __enter__(self):
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_):
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, *_):
        self.number += 1


def people(shop, number):
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        return [row.id for row in scope.run(MAKE, number=number)]


def said(shop, kind, members):
    """How many statements it takes to say something to so many."""
    notices = [Notice(one, "news", {"title": "tea"} if kind == "offer" else {}) for one in members]
    with Counting(shop.platform.database.app) as counting:
        shop.inside(lambda ctx: ctx.message(kind, notices))
    return counting.number


def sent(shop):
    """How many statements it takes to send what waits."""
    with Counting(shop.platform.database.app) as counting:
        shop.worker.drain()
    return counting.number


def prove(open_shop, sizes):
    """Statements that taking a batch and sending it took, by size."""
    taken, went = {}, {}
    for size in sizes:
        shop = open_shop()
        members = people(shop, size)
        taken[size] = said(shop, "plain", members), said(shop, "offer", members)
        went[size] = sent(shop)
        assert shop.rows("SELECT state, purpose, count(*) FROM messages.message GROUP BY 1, 2 ORDER BY 2") == [
            ("sent", "marketing", size),
            ("sent", "service", size),
        ]
    return taken, went


def test_statements_grow_with_batches_only(open_shop):
    taken, went = prove(open_shop, (1_000, 10_000))
    assert taken[1_000] == taken[10_000], "taking them is one batch, whatever its size"
    assert max(taken[1_000]) < 30
    turns = 10_000 // 1_000
    assert went[10_000] <= went[1_000] * turns
    assert went[1_000] < 100


@pytest.mark.long
def test_a_hundred_thousand(open_shop):
    taken, went = prove(open_shop, (1_000, 100_000))
    assert taken[1_000] == taken[100_000]
    assert went[100_000] <= went[1_000] * 100


def test_a_batch_that_grew_at_night_is_one_turn(shop):
    members = people(shop, sending.MOST // 4)
    shop.wait(timedelta(hours=10))
    said(shop, "offer", members)
    shop.at(shop.now + timedelta(hours=12), drain=False)
    assert sent(shop) < 100
    assert shop.rows("SELECT count(*) FROM messages.message WHERE state = 'sent'") == [(len(members),)]
