"""Members who are merged, erased or another store's, and promises that are broken on purpose."""

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from threepeat.events import erasure
from threepeat.sdk import BasketLine, Refused
from threepeat.tenancy import members
from threepeat_checkout.quotes import Quotes

TABLES = ("quote", "taken", "payment", "refund")
CANARY = "canary-4c1d"


def test_a_merged_members_quotes_follow(shop):
    shop.fill("bob", 5_000)
    open_, paid = shop.reserved("bob", coupon="a"), shop.reserved("bob", pay=100)
    shop.batch(shop.paid(paid, "o1", "bob"), shop.refunded(5, name="bob", order="o9"))
    shop.merge("bob", "ann")
    assert {shop.read(one).member for one in (open_, paid)} == {shop.member("ann")}
    for table in TABLES:
        assert shop.rows(f"SELECT DISTINCT member_id FROM checkout.{table}") == [(shop.member("ann"),)]
    shop.batch(shop.paid(open_, "o2"), shop.refunded(paid.quote.total, order="o1"))
    assert shop.state(open_) == "confirmed"
    assert shop.rows("SELECT returned FROM checkout.taken WHERE rule = 'purse'") == [(100,)]


def test_what_is_held_for_a_merged_member_is_still_released_in_time(shop):
    quote = shop.reserved("bob", coupon="a")
    shop.merge("bob", "ann")
    shop.wait(31)
    assert (shop.state(quote), shop.left("a")) == ("released", 3)


def erase(shop, name):
    member = shop.member(name)
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        asked = erasure.request(shop.platform, scope, member, by="member")
    erasure.announce(shop.platform, shop.tenant, asked)
    erasure.complete(shop.platform, shop.tenant, asked)


def test_of_an_erased_member_the_sums_stay_and_nothing_else(shop, client, make_key):
    lines = (BasketLine(id=f"{CANARY}-1", sku=CANARY, quantity=2, unit_price=1_000, name=CANARY),)
    paid = shop.ask("reserve", shop.quote(CANARY, lines=lines, coupon="a"))
    shop.batch(
        shop.paid(paid, f"{CANARY}-o1", CANARY),
        shop.refunded(5, {CANARY: 1}, f"{CANARY}-o1", f"{CANARY}-r", CANARY),
    )
    open_ = shop.reserved(CANARY, coupon="a")
    kept = shop.reserved("ann", coupon="a")
    headers = {"Authorization": f"Bearer {make_key(shop.tenant, 'manage')}"}
    answer = client.get(f"/v1/members/{CANARY}/export", headers=headers)
    assert answer.status_code == 200
    found = orjson.dumps(answer.json()).decode()
    assert all(f"checkout.{table}" in found for table in TABLES)
    assert open_.id in found
    assert kept.id not in found
    before = [shop.rows(f"SELECT count(*) FROM checkout.{table}") for table in TABLES]
    totals = shop.rows("SELECT total, before FROM checkout.quote ORDER BY 1, 2")
    erase(shop, CANARY)
    assert before == [shop.rows(f"SELECT count(*) FROM checkout.{table}") for table in TABLES]
    assert totals == shop.rows("SELECT total, before FROM checkout.quote ORDER BY 1, 2")
    for table in TABLES:
        for (row,) in shop.rows(f"SELECT to_jsonb(t)::text FROM checkout.{table} t"):
            assert CANARY not in row
            assert paid.id not in row
            assert open_.id not in row
    assert shop.left("a") == 1, "what was held for the member is free, what was paid for is used, the other holds"
    assert shop.state(kept) == "reserved"
    assert shop.read(paid) is None
    assert shop.violations() == []


def test_two_stores_never_meet(open_shop):
    shops = [open_shop() for _ in range(2)]
    first, second = shops
    for shop in shops:
        shop.put("a", 1)
    quote = first.reserved(coupon="a")
    assert second.read(quote) is None
    with pytest.raises(Refused, match="no such price"):
        second.call(lambda ctx: Quotes(ctx).reserve(quote.id))
    second.batch(second.paid(quote), second.created(quote), second.cancelled(), second.refunded(5, quote=quote))
    assert (first.state(quote), first.left("a"), second.left("a")) == ("reserved", 0, 1)
    other = second.reserved(coupon="a")
    second.batch(second.paid(other, "o1"))
    first.batch(first.paid(quote, "o1"), first.refunded(quote.quote.total, order="o1"))
    assert (first.left("a"), second.left("a")) == (1, 0)
    assert first.violations() == second.violations() == []


VIOLATIONS = {
    "held": "UPDATE checkout.taken SET amount = amount + 1",
    "held.": "DELETE FROM checkout.taken",
    "held..": "UPDATE checkout.quote SET times = 0",
    "paid": "UPDATE checkout.payment SET outcome = 'gone'",
    "paid.": "UPDATE checkout.payment SET outcome = 'claimed'",
    "paid..": "UPDATE checkout.payment SET order_id = 'another'",
    "paid...": "DELETE FROM checkout.payment",
    "paid....": "UPDATE checkout.quote SET state = 'released'",
    "returned": "DELETE FROM checkout.refund",
    "returned.": "UPDATE checkout.quote SET state = 'quoted'",
}


@pytest.mark.parametrize(("name", "planted"), VIOLATIONS.items(), ids=VIOLATIONS)
def test_a_promise_that_is_broken_is_found(shop, name, planted):
    quote = shop.reserved(pay=500)
    shop.batch(shop.paid(quote), shop.refunded(1_000, {"t": 1}))
    assert shop.violations() == []
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        savepoint = scope.connection.begin_nested()
        scope.run(text(planted))
        assert scope.run(shop.platform.statements["checkout"][f"verify_{name.rstrip('.')}"])
        savepoint.rollback()


@pytest.mark.parametrize(
    "planted",
    [
        "UPDATE checkout.taken SET returned = amount + shipping + 1",
        "UPDATE checkout.quote SET held_until = core.now()",
        "UPDATE checkout.quote SET total = before + 1",
        "INSERT INTO checkout.payment SELECT tenant_id, 'b', quote_id, 1, outcome, 1, now() FROM checkout.payment",
    ],
)
def test_the_database_refuses_what_no_query_has_to_find(shop, planted):
    quote = shop.reserved(pay=500)
    shop.batch(shop.paid(quote))
    with pytest.raises(IntegrityError), shop.platform.database.tenant(shop.tenant.id) as scope:
        scope.run(text(planted))


def test_a_member_who_is_being_erased_cannot_be_held_for(shop):
    quote = shop.quote("bob", coupon="a")
    member = shop.member("bob")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        erasure.request(shop.platform, scope, member, by="member")
        assert members.current(scope, member, hold=True) is None
    assert quote.member == member
