"""Members who are merged, exported and erased, and two stores that never meet."""

import orjson
import pytest

from threepeat.sdk import Refused
from threepeat.tenancy import keys, switches

TEA = ("green", 6_000, "tea")
CANARY = "canary-7f3a"


def lived(shop, name):
    """A member of whom every table holds something."""
    template = shop.template(claimable=True, budget=5_000, per_member=None)
    shop.claim(template, name)
    holds = shop.holds(shop.quote(TEA, name=name), f"{name}-quote", name)
    shop.tell("reserve", *holds)
    shop.tell("confirm", *holds)
    shop.give(template, name)
    shop.enter("nonsense", name)
    return template


def test_two_who_are_one_have_one_wallet_and_one_limit(shop):
    template = shop.template(claimable=True, per_member=3, per_day=2)
    shop.claim(template, "ann")
    shop.day(1)
    for name in ("ann", "bob"):
        shop.claim(template, name)
    held = shop.reserve(TEA, name="bob")
    shop.enter("nonsense", "bob")
    shop.merge("bob", "ann")
    assert sorted(shop.wallet().values()) == ["locked", "usable", "usable"]
    assert shop.claim(template).json()["type"] == "urn:threepeat:problem:limit"
    shop.day(2)
    assert shop.claim(template).json()["type"] == "urn:threepeat:problem:limit", "of both there are three"
    shop.tell("confirm", *held)
    assert len(shop.wallet("used")) == 1


def test_an_export_holds_every_row_and_after_an_erasure_the_sums_stay(shop):
    for name in (CANARY, "bob"):
        lived(shop, name)
    tables = ("voucher", "redemption", "taking", "guess")
    before = {table: shop.rows(f"SELECT count(*) FROM vouchers.{table}") for table in tables}
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        key = keys.create_key(scope, shop.platform.keyring, "test", ["manage"], by="test")
    headers = {"Authorization": f"Bearer {key}"}
    export = shop.client.get(f"/v1/members/{CANARY}/export", headers=headers)
    found = orjson.dumps(export.json()).decode()
    assert all(f"vouchers.{table}" in found for table in tables)
    assert f"{CANARY}-quote" in found
    assert "bob-quote" not in found
    assert shop.client.delete(f"/v1/members/{CANARY}", headers=headers).status_code == 202
    shop.worker.drain()
    after = {table: shop.rows(f"SELECT count(*) FROM vouchers.{table}") for table in tables}
    assert {table: before[table] == after[table] for table in tables} == {
        "voucher": True,
        "redemption": True,
        "taking": False,
        "guess": False,
    }
    for table in tables:
        texts = [row[0] for row in shop.rows(f"SELECT to_jsonb(t)::text FROM vouchers.{table} t")]
        assert not [one for one in texts if CANARY in one]
    assert shop.violations() == []
    held = shop.rows("SELECT count(*) FROM vouchers.voucher WHERE member_id < 0 AND state = 'issued'")
    assert held == [(1,)]
    vouchers = shop.platform.registry["vouchers"].plugin
    owed = shop.act("vouchers", lambda ctx: list(vouchers.open_obligations(ctx)))
    assert owed == ["1 voucher that a member holds can still be used"], "nothing is owed to who is gone"


def test_two_stores_never_meet(shop, open_shop):
    there = open_shop()
    template = there.template(claimable=True, per_member=None)
    theirs = str(there.give(template))
    shop.template()
    assert shop.claim(template).json()["type"] == "urn:threepeat:problem:not-offered"
    assert shop.grant(template, "ann")[0].state.value == "closed"
    assert shop.quote(TEA, chosen=[theirs]).left_out[0].reason["en"] == "There is no such voucher"
    holds = there.holds(there.quote(TEA))
    with pytest.raises(Refused):
        shop.tell("reserve", *holds)
    shop.tell("release", *holds)
    there.tell("reserve", *holds)
    assert there.state(int(theirs)) == "locked"
    assert shop.wallet() == {}
    assert there.violations() == []


def test_a_store_that_switches_vouchers_off_lets_members_use_what_they_have(shop):
    template = lived(shop, "ann")
    [code] = shop.codes(template, 1)
    early = shop.holds(shop.quote(TEA, chosen=[code]))
    holds = shop.reserve(TEA)

    def switch(work):
        with shop.platform.database.tenant(shop.tenant.id) as scope:
            return work(scope, shop.tenant, shop.platform.registry, "vouchers", by="test", act=shop.platform.act)

    switch(switches.disable)
    assert shop.ask("POST", "claim", json={"template": template}).status_code == 409
    assert len(shop.wallet()) == 1
    shop.tell("confirm", *holds)
    shop.back(holds, 500, whole=True)
    assert list(shop.wallet().values()) == ["usable"]
    # What members hold counts while it is closing; codes, which nobody holds yet, do not.
    again = shop.reserve(TEA)
    assert (len(again), [one.rule for one in again]) == (1, ["voucher"])
    shop.tell("release", *again)
    refused = shop.quote(TEA, chosen=[code])
    assert (refused.applied, refused.left_out[0].reason["zh"]) == ((), "已停止接受券码")
    with pytest.raises(Refused):
        shop.tell("reserve", *early)
    switch(switches.enable)
