"""The phones of merged and erased members: tokens, repeated commands, commands under way."""

import threading
from datetime import UTC, datetime

import pytest

from threepeat.tenancy import consents, members

START = datetime(2026, 1, 10, 12, tzinfo=UTC)


def test_the_sources_token_is_the_targets_from_then_on(shop):
    shop.paid("wx", "1", 10_000)
    shop.paid("app", "2", 2_000)
    shop.serve()
    token = shop.token("wx")
    shop.merge("wx", "app")
    assert shop.me(token, "/points/balance").json()["available"] == 120
    assert shop.me(token).json()["external_id"] == "wx"
    event = {
        "specversion": "1.0",
        "id": "v1",
        "source": "phone",
        "type": "page.viewed",
        "data": {"page": "home"},
    }
    sent = shop.client.post("/v1/events", headers=token, json=event)
    assert sent.status_code == 200, sent.text
    assert shop.rows("SELECT member_id FROM core.event WHERE tenant_id = :tenant AND id = 'v1'")[0][0] == shop.id(
        "app"
    )


def test_an_erased_members_token_opens_nothing(shop):
    shop.put("wx", "app")
    tokens = [shop.token("wx"), shop.token("app")]
    shop.merge("wx", "app")
    shop.rows(
        "UPDATE core.member SET erase_requested_at = now() WHERE tenant_id = :tenant AND id = :id",
        id=shop.id("app"),
    )
    event = {"specversion": "1.0", "id": "v1", "source": "phone", "type": "page.viewed", "data": {"page": "p"}}
    for token in tokens:
        assert shop.me(token).status_code == 401
        assert shop.client.post("/v1/events", headers=token, json=event).status_code == 401
        body = {"purpose": "ads", "granted": True}
        consent = shop.client.post("/v1/me/consents", headers={**token, "Idempotency-Key": "k"}, json=body)
        assert consent.status_code == 401
    shop.rows("DELETE FROM core.identity WHERE tenant_id = :tenant")
    shop.rows("DELETE FROM core.member WHERE tenant_id = :tenant")
    assert shop.me(tokens[0]).status_code == 401


@pytest.mark.parametrize("with_fresh_token", [False, True])
def test_a_command_that_the_source_repeats_after_the_merge_is_not_done_twice(shop, with_fresh_token):
    shop.put("wx", "app")
    token = shop.token("wx")
    body = {"purpose": "ads", "granted": True}

    def give(token):
        return shop.client.post("/v1/me/consents", headers={**token, "Idempotency-Key": "once"}, json=body)

    first = give(token)
    shop.merge("wx", "app")
    again = give(shop.token("wx") if with_fresh_token else token)
    assert (again.content, again.headers.get("Idempotency-Replayed")) == (first.content, "true")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        assert len(consents.history(scope, shop.id("app"), "ads")) == 1


def test_a_key_that_both_used_keeps_the_targets_answer(shop):
    shop.put("wx", "app")
    for name, purpose in (("wx", "ads"), ("app", "mail")):
        headers = {**shop.token(name), "Idempotency-Key": "same"}
        shop.client.post("/v1/me/consents", headers=headers, json={"purpose": purpose, "granted": True})
    assert shop.merge("wx", "app").status_code == 200
    headers = {**shop.token("wx"), "Idempotency-Key": "same"}
    again = shop.client.post("/v1/me/consents", headers=headers, json={"purpose": "mail", "granted": True})
    assert again.headers["Idempotency-Replayed"] == "true"
    owners = shop.rows(
        "SELECT DISTINCT member_id FROM core.idempotency WHERE tenant_id = :tenant AND member_id IS NOT NULL"
    )
    assert [row.member_id for row in owners] == [shop.id("app")]


@pytest.mark.parametrize("held", [True, False])
def test_a_merge_waits_for_a_members_command_that_is_under_way(shop, held):
    """And a command that does not hold its member would leave rows behind: that is what holding is for."""
    shop.put("wx", "app")
    source, done = shop.id("wx"), threading.Event()
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        members.current(scope, source, hold=held)
        thread = threading.Thread(target=lambda: (shop.merge("wx", "app"), done.set()))
        thread.start()
        assert done.wait(1) is not held
        consents.record(scope, [consents.Statement(source, "ads", "r", True, "", "", START)])
    thread.join(20)
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        assert len(consents.history(scope, shop.id("app"), "ads")) == held
        assert len(consents.history(scope, source, "ads")) == (not held)
