"""Each promise that `threepeat verify` checks, and a violation that it sees."""

from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

PLANTED = {
    "a seat that is counted twice": ("seats", "UPDATE groupbuy.team SET taken = taken + 1 WHERE taken < size"),
    "a paid seat that is forgotten": ("seats", "UPDATE groupbuy.team SET joined = joined - 1"),
    "a seat that nobody released": (
        "seats",
        "UPDATE groupbuy.seat SET state = 'released' WHERE state = 'held' AND team_id IS NOT NULL",
    ),
    "a seat of a complete group that waits": (
        "states",
        "UPDATE groupbuy.seat SET state = 'joined', merged = true, leads = false WHERE state = 'succeeded'",
    ),
    "a group that was complete and is open again": (
        "states",
        "UPDATE groupbuy.team SET state = 'open' WHERE state = 'succeeded'",
    ),
    "a success with one real seat": (
        "complete",
        "UPDATE groupbuy.team SET state = 'succeeded', virtual = 9, fill = 1 WHERE joined = 1",
    ),
    "a success with too few": ("complete", "UPDATE groupbuy.team SET state = 'succeeded' WHERE joined = 1"),
    "virtual seats that nobody allowed": (
        "complete",
        "UPDATE groupbuy.team SET virtual = 1 WHERE state = 'succeeded'",
    ),
    "a full group that is open": (
        "complete",
        "UPDATE groupbuy.team SET state = 'open' WHERE state = 'succeeded'",
    ),
    "a group that is stuck": (
        "in_time",
        "UPDATE groupbuy.team SET expires_at = expires_at - interval '9 days' WHERE state = 'open'",
    ),
    "money that was not asked back": ("refunds", "DELETE FROM groupbuy.refund WHERE reason = 'failed'"),
    "money of somebody who left": (
        "refunds",
        "UPDATE groupbuy.seat SET state = 'left', leads = false WHERE state = 'joined'",
    ),
    "money of a seat that stands": (
        "refunds",
        """
        UPDATE groupbuy.refund
        SET reservation = (SELECT reservation FROM groupbuy.seat WHERE state = 'joined' LIMIT 1)
        WHERE reason = 'failed'
        """,
    ),
    "a group without a head": ("heads", "UPDATE groupbuy.seat SET leads = false WHERE state = 'joined'"),
    "a refund without money": ("answers", "UPDATE groupbuy.refund SET state = 'refunded'"),
    "a refund that goes on being asked for": ("answers", "UPDATE groupbuy.refund SET back = amount"),
}


class _UndoError(Exception):
    """Ends a transaction in which something was planted."""


@pytest.fixture(scope="module")
def known():
    return {}


@pytest.fixture
def kept(open_shop, known):
    """A store in which everything has happened; what a test plants in it is undone."""
    if "shop" not in known:
        shop = known["shop"] = open_shop()
        campaign = shop.campaign(size=3)
        shop.open("ann", campaign)
        shop.wait(hours=25)
        group = shop.open("bob", campaign)
        for name in ("eve", "joe"):
            shop.buy(name, campaign, group)
        group = shop.open("kim", campaign)
        shop.reserve("lee", campaign, group)
        shop.reserve("max", campaign)
        assert shop.violations() == []
    return known["shop"]


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_violation_is_found(kept, platform, what):
    invariant, statement = PLANTED[what]
    (declared,) = (one for one in platform.registry["groupbuy"].invariants if one.name == invariant)
    looks = platform.statements["groupbuy"][declared.sql]
    offset = kept.offset()
    with suppress(_UndoError), platform.database.tenant(kept.tenant.id, clock_offset=offset) as scope:
        assert not scope.run(looks)
        assert scope.count(text(statement))
        assert scope.run(looks)
        raise _UndoError
    assert kept.violations() == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE groupbuy.team SET taken = size + 1",
        "UPDATE groupbuy.team SET joined = taken + 1",
        "UPDATE groupbuy.seat SET state = 'joined', leads = true, merged = true WHERE team_id IS NOT NULL",
        """
        INSERT INTO groupbuy.seat (tenant_id, reservation, member_id, campaign_id, units, price, amount, reduction,
                                   total, held_at)
        SELECT tenant_id, reservation || 'x', member_id, campaign_id, units, price, amount, reduction, total,
               held_at
        FROM groupbuy.seat WHERE state = 'joined'
        """,
    ],
    ids=["over-full", "more paid than taken", "two heads", "two open groups"],
)
def test_the_tables_themselves_refuse(kept, platform, statement):
    with pytest.raises(IntegrityError), platform.database.tenant(kept.tenant.id) as scope:
        scope.run(text(statement))
