"""Each promise that `threepeat verify` checks, and a violation that it sees."""

from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

SENT = "state = 'sent' AND purpose = 'marketing'"
COLUMNS = (
    "tenant_id, member_id, plugin, kind, purpose, channel, state, written, title, text, happened_at, created_at,"
    " settled_at, consent_at, local_day, local_minute, quiet_from, quiet_until, per_day, per_week"
)

PLANTED = {
    "a consent that was taken back before": (
        "consent",
        f"""
        INSERT INTO messages.refusal (tenant_id, member_id, purpose, given_at, noted_at)
        SELECT tenant_id, member_id, 'marketing', consent_at + interval '1 second',
               settled_at - interval '1 second'
        FROM messages.message WHERE {SENT}
        """,
    ),
    "a refusal of the channel": (
        "consent",
        f"""
        INSERT INTO messages.refusal (tenant_id, member_id, purpose, given_at, noted_at)
        SELECT tenant_id, member_id, 'marketing.inbox', settled_at, settled_at - interval '1 second'
        FROM messages.message WHERE {SENT}
        """,
    ),
    "late in the evening": ("quiet", f"UPDATE messages.message SET local_minute = 1260 WHERE {SENT}"),
    "early in the morning": ("quiet", f"UPDATE messages.message SET local_minute = 539 WHERE {SENT}"),
    "in the siesta": (
        "quiet",
        f"UPDATE messages.message SET local_minute = 800, quiet_from = 780, quiet_until = 900 WHERE {SENT}",
    ),
    "one too many a day": ("cap", f"UPDATE messages.message SET per_day = 0 WHERE {SENT}"),
    "one too many a week": ("cap", f"UPDATE messages.message SET per_week = 0 WHERE {SENT}"),
    "one that was not counted": ("cap", "UPDATE messages.allowance SET day_sent = 0"),
    "a member who was not counted": ("cap", "DELETE FROM messages.allowance"),
    "a permission out of nothing": ("permissions", "UPDATE messages.permission SET granted = granted + 1"),
    "a permission that is lost": ("permissions", "DELETE FROM messages.permission"),
    "a tap that is lost": ("permissions", "DELETE FROM messages.permission_grant"),
    "a message without a permission": (
        "permissions",
        "UPDATE messages.message SET permission = 't-1' WHERE purpose = 'service' AND permission IS NULL",
    ),
    "a permission that was used for nothing": (
        "permissions",
        "UPDATE messages.message SET permission = NULL WHERE permission IS NOT NULL",
    ),
    "sent twice": (
        "once",
        f"""
        INSERT INTO messages.message (key, {COLUMNS})
        SELECT key || '/x', {COLUMNS} FROM messages.message WHERE purpose = 'service' AND state = 'sent'
        """,
    ),
    "forgotten": (
        "waiting",
        """
        UPDATE messages.message SET state = 'queued', settled_at = NULL, reason = NULL,
            created_at = created_at - interval '3 days' WHERE state = 'held'
        """,
    ),
}


class _UndoError(Exception):
    """Ends a transaction in which something was planted."""


@pytest.fixture(scope="module")
def known():
    return {}


@pytest.fixture
def kept(open_shop, known, courier):
    """A store in which everything has happened; what a test plants in it is undone."""
    if "shop" not in known:
        shop = known["shop"] = open_shop()
        shop.agree()
        shop.say("told")
        shop.say("offer")
        shop.say("offer", "bob")
        shop.rows(
            """
            INSERT INTO messages.template (tenant_id, plugin, kind, channel, revision, changed_at)
            VALUES (:tenant, 'herald', 'told', 'courier', 2, core.now()) RETURNING 1
            """
        )
        shop.allow(count=2)
        shop.say("told")
        assert len(courier.brought) == 1
    return known["shop"]


def broken(shop, statement):
    """Which promises a statement breaks; nothing of it stays."""
    found = []
    with suppress(_UndoError):
        current = shop.current()
        with shop.platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            assert scope.connection.execute(text(statement)).rowcount > 0
            statements = shop.platform.statements["messages"]
            promises = shop.platform.registry["messages"].invariants
            found += [one.name for one in promises if scope.run(statements[one.sql])]
            raise _UndoError
    return found


def test_all_is_well(kept):
    assert kept.violations() == []


@pytest.mark.parametrize("name", PLANTED)
def test_a_violation_is_seen(kept, name):
    promise, statement = PLANTED[name]
    assert broken(kept, statement) == [promise]


def test_every_promise_has_a_violation(registry):
    assert {promise for promise, _ in PLANTED.values()} == {one.name for one in registry["messages"].invariants}


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE messages.message SET consent_at = NULL WHERE {SENT}",
        f"UPDATE messages.message SET local_minute = NULL WHERE {SENT}",
        "UPDATE messages.permission SET used = granted + 1",
        "UPDATE messages.permission SET used = -1",
        "UPDATE messages.message SET state = 'queued' WHERE state = 'sent'",
        "UPDATE messages.message SET reason = NULL WHERE state = 'held'",
    ],
)
def test_the_database_refuses_the_rest(kept, statement):
    with pytest.raises(IntegrityError):
        broken(kept, statement)


def test_what_is_merged_breaks_no_promise(shop):
    """A member's own caps and refusals say nothing of what the other was sent before the two were one."""
    shop.agree("ann", "bob")
    shop.say("offer", "ann", "bob")
    shop.agree("ann", yes=False)
    shop.wait(timedelta(minutes=1))
    shop.merge("ann", "bob")
    shop.member("carl")
    shop.merge("bob", "carl")
    assert shop.violations() == []
