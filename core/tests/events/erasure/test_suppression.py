"""From the commit of a request on, nothing is done with the member's data."""

from typing import Any

import pytest
from sqlalchemy import text

from threepeat.events import merging
from threepeat.events.erasure import complete
from threepeat.events.platform import Platform
from threepeat.events.verify import verify
from threepeat.tenancy import members
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Sender

CANARY = "canary-7f3a"
TABLES = ("dormant.album", "dormant.photo", "dormant.bill", "dormant.item")

WAITING = """
    INSERT INTO core.timer (tenant_id, plugin, kind, name, key, due_at, member_id)
        SELECT :tenant, 'x', kind, 'n', CAST(m AS text), '2999-01-01', m
        FROM unnest(ARRAY['timer', 'call']) AS kind, {members};
    INSERT INTO core.outbox (tenant_id, source, event_id, type, member_id, occurred_at, depth, data)
        SELECT :tenant, 'plugin:x', CAST(m AS text), 'page.viewed', m, now(), 0, '{{}}' FROM {members};
    INSERT INTO core.dead_letter (tenant_id, plugin, position, member_id, error)
        SELECT :tenant, 'x', m, m, 'e' FROM {members};
    INSERT INTO core.attempt (tenant_id, plugin, what, attempts, member_id)
        SELECT :tenant, 'x', CAST(m AS text), 1, m FROM {members};
    INSERT INTO core.idempotency (tenant_id, principal, key, request_hash, member_id)
        SELECT :tenant, 'member:' || m, 'k', '', m FROM {members};
    INSERT INTO core.idempotency (tenant_id, principal, key, request_hash, status, body)
        SELECT :tenant, 'key:1', CAST(m AS text), '', 200,
               convert_to('{{"external_id":"' || i.value || '"}}', 'UTF8')
        FROM {members} JOIN core.identity i ON i.tenant_id = :tenant AND i.member_id = m
""".format(members="unnest(CAST(:members AS bigint[])) AS m")


def test_from_the_request_on_nothing_is_done_with_the_members_data(
    platform: Platform, tenant: Tenant, send: Sender, yard: Any
):
    ann, bob = yard.hold(tenant, "ann"), yard.hold(tenant, "bob")
    for who in ("ann", "bob"):
        send(tenant, "consent.changed", who, purpose="news", granted=True)
    with platform.database.tenant(tenant.id) as scope:
        for statement in WAITING.split(";"):
            scope.run(text(statement), members=[ann, bob])
    erasure_id = yard.ask(tenant, ann)
    for table, expected in (
        ("core.timer", {bob, None}),  # the erasure's own alarm names nobody
        ("core.outbox", {bob}),
        ("core.dead_letter", {bob}),
        ("core.attempt", {bob}),
        ("core.consent", {bob}),
        ("core.identity", {bob}),
    ):
        assert {row["member_id"] for row in yard.rows(tenant, table)} == expected, table
    answers = {row["key"]: row["body"] for row in yard.rows(tenant, "core.idempotency", principal="key:1")}
    assert bytes(answers[str(ann)]) == b"{}"
    assert b'"bob"' in bytes(answers[str(bob)])
    assert {row["member_id"] for row in yard.rows(tenant, "core.idempotency")} == {bob, None}
    with platform.database.tenant(tenant.id) as scope, pytest.raises(NotFound):
        members.get(scope, "ann")
    assert "was erased" in send(tenant, "page.viewed", "ann", page="home").reason
    assert all(not finding.rows for finding in verify(platform, tenant))
    assert yard.ask(tenant, ann) == erasure_id
    (alarm,) = yard.rows(tenant, "core.timer", plugin="core", name="erase")
    assert alarm["key"] == erasure_id


def test_who_was_merged_into_the_member_is_erased_with_it(
    platform: Platform, tenant: Tenant, send: Sender, yard: Any
):
    for who in ("ann", "anna", "annie", "bob"):
        send(tenant, "page.viewed", who, id=who, page=f"{CANARY}-{who}")
    with platform.database.tenant(tenant.id) as scope:
        ids = {who: members.find(scope, who) for who in ("ann", "anna", "annie", "bob")}
        merging.merge(platform, scope, tenant, ids["annie"], ids["anna"], by="test")
        merging.merge(platform, scope, tenant, ids["anna"], ids["ann"], by="test")
    yard.fill(tenant, ids["annie"], f"{CANARY}-old")  # a plugin that is gone was not asked to merge
    erasure_id = yard.ask(tenant, ids["annie"])
    assert yard.ask(tenant, ids["ann"]) == erasure_id
    for who in ("ann", "anna", "annie"):
        assert "was erased" in send(tenant, "page.viewed", who, page="again").reason
    complete(platform, tenant, erasure_id)
    left = [row for row in yard.rows(tenant, "core.event") if row["erased_at"] is None]
    assert [row["subject"] for row in left] == ["bob"]
    assert yard.hits(tenant, *TABLES, "core.event", canary=f"{CANARY}-old") == []
    assert [row["id"] for row in yard.rows(tenant, "core.member")] == [ids["bob"]]
    assert yard.rows(tenant, "core.merge") == []
    erased = [row["member_id"] for row in yard.rows(tenant, "core.event") if row["erased_at"] is not None]
    assert len(set(erased)) == 3, "each id keeps a number of its own, so that no key of two rows becomes one"
