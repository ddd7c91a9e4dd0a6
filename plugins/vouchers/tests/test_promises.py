"""Each promise that `threepeat verify` checks, and a violation that it sees."""

from contextlib import suppress

import pytest
from sqlalchemy import text

TEA = ("green", 6_000, "tea")

PLANTED = {
    "a lock without an order": ("locks", "UPDATE vouchers.redemption SET state = 'released' WHERE state = 'held'"),
    "an order without its lock": (
        "locks",
        "UPDATE vouchers.voucher SET state = 'issued', reservation = NULL WHERE state = 'locked'",
    ),
    "one used twice": (
        "locks",
        """
        INSERT INTO vouchers.redemption (tenant_id, reservation, voucher_id, member_id, template_id, amount, state,
                                         held_at, used_at)
        SELECT tenant_id, 'other', voucher_id, member_id, template_id, 0, 'used', held_at, used_at
        FROM vouchers.redemption WHERE state = 'used'
        """,
    ),
    "one too many": (
        "totals",
        """
        INSERT INTO vouchers.voucher (tenant_id, member_id, template_id, valid_from, valid_until, issued_at)
        SELECT tenant_id, member_id, template_id, valid_from, valid_until, issued_at FROM vouchers.voucher LIMIT 1
        """,
    ),
    "a count that is wrong": ("totals", "UPDATE vouchers.template SET issued = issued - 1"),
    "a budget that is wrong": ("budgets", "UPDATE vouchers.template SET taken = taken - 1"),
    "a credit out of nothing": (
        "budgets",
        """
        INSERT INTO vouchers.credit (tenant_id, template_id, amount) SELECT tenant_id, id, 1 FROM vouchers.template
        """,
    ),
    "a member's count": ("taking", "UPDATE vouchers.taking SET taken = taken + 1"),
    "a member without a count": ("taking", "DELETE FROM vouchers.taking"),
    "a code of another template": ("codes", "UPDATE vouchers.batch SET template_id = template_id + 1"),
    "a code that is nobody's": (
        "codes",
        "UPDATE vouchers.code SET voucher_id = NULL WHERE voucher_id IS NOT NULL",
    ),
    "codes that are missing": ("codes", "DELETE FROM vouchers.code WHERE voucher_id IS NULL"),
    "one that came again": ("revoked", "UPDATE vouchers.voucher SET state = 'issued' WHERE state = 'void'"),
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
        template = shop.template(total=20, budget=5_000, claimable=True, per_member=None)
        code, _ = shop.codes(template, 2)
        shop.enter(code, "eve")
        shop.claim(template)
        shop.tell("confirm", *shop.reserve(TEA))
        shop.claim(template)
        shop.reserve(TEA)
        granted = shop.grant(template, "bob", amount=2)
        shop.revoke(granted[0], 1)
        assert shop.violations() == []
    return known["shop"]


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_violation_is_found(kept, platform, what):
    invariant, statement = PLANTED[what]
    (declared,) = (one for one in platform.registry["vouchers"].invariants if one.name == invariant)
    looks = platform.statements["vouchers"][declared.sql]
    with suppress(_UndoError), platform.database.tenant(kept.tenant.id) as scope:
        assert not scope.run(looks)
        assert scope.count(text(statement))
        assert scope.run(looks)
        raise _UndoError
    assert kept.violations() == []
