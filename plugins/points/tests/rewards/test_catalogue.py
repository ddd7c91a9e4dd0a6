"""The catalogue: what members redeem, at its price, within its limits, and what cancelling puts back."""

import secrets
import threading
from datetime import UTC, datetime

import httpx2
import pytest
from sqlalchemy import text

from threepeat.events import collections, erasure, merging, suppression
from threepeat.sdk import Refused
from threepeat.tenancy.errors import Conflict, Invalid
from threepeat.testing.fixtures import serving
from threepeat_points import payments, redemptions, routes

START = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.fixture
def shop(open_shop):
    made = open_shop()
    made.save(expires_after_days=40)
    made.at(START)
    yield made
    assert made.violations() == []


@pytest.fixture
def till(shop, counter):
    shop.grant(shop.member("ann"), 100, "gift")
    return counter(shop)


def test_a_member_redeems_and_the_merchant_hands_over(shop, till, ann):
    mug = till.make(stock=5)
    made = till.redeem(mug)
    assert shop.held(ann) == {ann: 70}
    assert till.read("catalogue", mug).figures == {"Redeemed": 1, "Left": 4}
    (event,) = shop.told("points.redeemed")
    assert (event["item"], event["points"], event["redemption_id"]) == ("Mug", 30, str(made))
    assert till.read("redemptions", made).state == "open"
    assert till.act("redemptions", made, "fulfil").state == "fulfilled"
    with pytest.raises(Conflict):
        till.act("redemptions", made, "fulfil")


def test_a_cancelled_redemption_puts_everything_back_where_it_was(shop, till, ann):
    shop.pass_days(5)
    shop.grant(ann, 50, "second")
    mug = till.make(stock=1, per_member=1, per_day=1)
    made = till.redeem(mug, price=30)
    assert shop.lots(ann) == [(100, 70), (50, 50)]
    till.act("redemptions", made, "cancel")
    shop.worker.drain()
    assert shop.lots(ann) == [(100, 100), (50, 50)]
    assert [one["points"] for one in shop.told("points.redemption_cancelled")] == [30]
    with pytest.raises(Conflict):
        till.act("redemptions", made, "cancel")
    till.redeem(mug)
    assert shop.accounts() == (120, 0, 0, 30, -150, 0)


def test_limits_hold_for_the_item_the_day_and_the_member(shop, till):
    shop.grant(shop.member("bob"), 100, "gift for bob")
    last, daily, once = till.make(stock=1), till.make(per_day=1), till.make(per_member=1)
    for item in (last, daily, once):
        till.redeem(item)
    assert [till.refused(item, "bob") for item in (last, daily)] == ["sold-out", "sold-out-today"]
    till.redeem(once, "bob")
    shop.nights(1)
    assert [till.refused(last, "bob"), till.refused(once, "bob")] == ["sold-out", "member-limit"]
    till.redeem(daily, "bob")
    counted = shop.rows("SELECT id, redeemed FROM points.item WHERE tenant_id = :tenant ORDER BY id")
    assert counted == [(last, 1), (daily, 2), (once, 2)]


def test_who_has_too_few_points_takes_nothing(shop, till):
    mug = till.make(stock=1)
    assert till.refused(mug, "bob") == "not-enough"
    assert till.read("catalogue", mug).figures == {"Redeemed": 0, "Left": 1}
    shop.grant(shop.member("bob"), 29, "gift for bob")
    assert till.refused(mug, "bob") == "not-enough"


def test_nobody_pays_another_price_than_was_seen(till):
    mug = till.make()
    assert till.refused(mug, price=20) == "price-changed"


def test_only_what_is_published_in_its_days_and_for_its_audience_is_offered(shop, till):
    draft = till.make(publish=False)
    paused, later = till.make(), till.make(first_day="2026-01-11", last_day="2026-01-12")
    rich = till.make(audience={"fact": "points.available", "op": "at_least", "value": 80})
    till.act("catalogue", paused, "pause")
    assert {till.refused(item) for item in (draft, paused, later, 10**9)} == {"not-offered"}
    till.redeem(rich)
    assert till.refused(rich) == "not-offered"  # 70 are left
    shop.nights(1)
    till.redeem(later)
    shop.nights(2)
    assert till.refused(later) == "not-offered"
    till.act("catalogue", later, "pause")
    with pytest.raises(Refused, match="The last day is over"):
        till.act("catalogue", later, "publish")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kind": "reward"}, "values.reward"),
        ({"kind": "reward", "reward": {"kind": "points", "amount": 5}}, "values.reward"),
        ({"kind": "goods", "reward": {"kind": "giver", "amount": 5}}, "values.reward"),
        ({"price": 0}, "values.price"),
        ({"price": 2**63}, "values.price"),
        ({"name": "a\0b"}, "values.name"),
        ({"name": " "}, "values.name"),
        ({"first_day": "2026-02-02", "last_day": "2026-02-01"}, "values.last_day"),
    ],
)
def test_an_item_that_cannot_be_is_refused_at_its_field(till, values, field):
    with pytest.raises(Invalid) as refused:
        till.make(**values)
    assert refused.value.errors[0].field == field


def test_nobody_makes_or_changes_a_redemption_by_hand(till):
    with pytest.raises(Conflict, match="by hand"):
        till.inside(lambda opened: collections.create(opened, "points", "redemptions", {}, by="t"))
    made = till.redeem(till.make())
    with pytest.raises(Conflict, match="none can be saved"):
        till.inside(
            lambda opened: collections.update(opened, "points", "redemptions", str(made), {}, revision=1, by="t")
        )


def test_two_members_who_are_one_have_one_limit_between_them_and_their_redemptions(shop, till, ann):
    mug = till.make(per_member=2)
    first = till.redeem(mug)
    bob = shop.member("bob")
    shop.grant(bob, 100, "gift for bob")
    till.redeem(mug, "bob")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        merging.merge(shop.platform, scope, shop.tenant, ann, bob, by="t")
    assert till.refused(mug, "bob") == "member-limit"
    till.act("redemptions", first, "cancel")
    till.redeem(mug, "bob")
    assert shop.held(bob) == {bob: 140}


def test_a_redemption_of_an_erased_member_can_be_cancelled_and_tells_nobody(shop, till, ann):
    """Also if it was made by somebody who became that member: the journal keeps the line under the former one."""
    mug = till.make(stock=1, per_member=1)
    made = till.redeem(mug)
    bob = shop.member("bob")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        merging.merge(shop.platform, scope, shop.tenant, ann, bob, by="t")
        asked = suppression.request(shop.platform, scope, bob, by="operator")
    erasure.complete(shop.platform, shop.tenant, asked)
    assert shop.rows("SELECT 1 FROM points.redemption WHERE tenant_id = :tenant AND member_id > 0") == []
    assert shop.violations() == []
    till.act("redemptions", made, "cancel")
    shop.worker.drain()
    assert shop.told("points.redemption_cancelled") == []
    assert till.read("catalogue", mug).figures["Left"] == 1
    assert shop.accounts() == (100, 0, 0, 0, -100, 0)


TEA = {"kind": "reward", "reward": {"kind": "treats", "amount": 2, "item": "tea"}}


def test_a_reward_is_handed_over_at_once_and_taken_back_with_the_redemption(shop, till, ann, treats):
    made = till.redeem(till.make(**TEA))
    key, item, amount = treats.given[-1]
    assert (item, amount, till.read("redemptions", made).state) == ("tea", 2, "fulfilled")
    till.act("redemptions", made, "cancel")
    assert treats.given[-1] == (key, "back", 2)
    assert shop.held(ann) == {ann: 100}


def test_a_reward_that_cannot_be_had_costs_no_points(shop, till, ann):
    gone = till.make(kind="reward", reward={"kind": "treats", "amount": 1, "item": "gone"}, stock=1)
    tea = till.make(**TEA)
    assert till.refused(gone) == "reward-not-available"
    shop.save(monthly_budget=999)
    assert till.refused(tea) == "reward-not-available"
    assert shop.held(ann) == {ann: 100}
    assert till.read("catalogue", gone).figures["Left"] == 1
    shop.save(monthly_budget=1_000)
    till.redeem(tea)
    assert shop.rows("SELECT spent FROM core.budget WHERE tenant_id = :tenant AND plugin = 'points'") == [(1_000,)]


def test_whoever_is_held_out_of_earning_still_gets_what_the_points_pay_for(shop, till):
    shop.save(holdout_percent=50)
    name = next(name for name in map(str, range(100)) if not shop.takes_part(shop.member(name)))
    shop.grant(shop.member(name), 100, f"gift for {name}")
    made = till.redeem(till.make(**TEA), name)
    assert till.read("redemptions", made).state == "fulfilled"


def test_members_redeem_over_http_once_for_each_key(shop, till):
    mug = till.make(stock=3)
    with (
        serving(shop.platform) as url,
        httpx2.Client(base_url=url, headers=shop.token("ann"), timeout=30) as client,
    ):
        offered = client.get("/v1/me/points/catalogue").json()["items"]
        assert [(one["id"], one["price"], one["left"]) for one in offered] == [(mug, 30, 3)]
        key = {"Idempotency-Key": "k"}
        body = {"item": mug, "price": 30}
        first = client.post("/v1/me/points/redeem", json=body, headers=key)
        again = client.post("/v1/me/points/redeem", json=body, headers=key)
        assert (first.status_code, first.json()) == (again.status_code, again.json())
        assert first.json()["state"] == "open"
        for wrong in ({}, {"item": 2**63, "price": 30}, {"item": "x", "price": 30}, {**body, "more": 1}):
            refused = client.post(
                "/v1/me/points/redeem", json=wrong, headers={"Idempotency-Key": secrets.token_hex(4)}
            )
            assert refused.status_code == 422
        lost = client.post("/v1/me/points/redeem", json={"item": 1, "price": 30}, headers={"Idempotency-Key": "l"})
        assert (lost.status_code, client.get("/v1/me/points/redemptions").json()["redemptions"][0]["name"]) == (
            409,
            "Mug",
        )
        assert client.get("/v1/me/points/balance").json()["available"] == 70


def test_nobody_gets_something_else_than_was_looked_at(shop, till, ann, monkeypatch):
    """The merchant changes the item after it was looked at and before it is taken."""
    mug = till.make(stock=1)

    def change():
        till.act("catalogue", mug, "pause")
        seen = till.read("catalogue", mug)
        given = {"name": "Spoon", "kind": "goods", "price": 30, "stock": 1}
        till.inside(
            lambda opened: collections.update(
                opened, "points", "catalogue", str(mug), given, revision=seen.revision, by="t"
            )
        )
        till.act("catalogue", mug, "publish")

    def interrupted(*given):
        monkeypatch.undo()
        together = threading.Thread(target=change)
        together.start()
        together.join()
        return payments.pay(*given)

    monkeypatch.setattr(redemptions, "pay", interrupted)
    assert till.refused(mug) == "not-offered"
    assert (shop.held(ann), till.read("catalogue", mug).title) == ({ann: 100}, "Spoon")
    till.redeem(mug)
    assert till.refused(mug) == "sold-out"


def test_the_catalogue_looks_an_audience_up_once_however_many_items_have_it(shop, till, ann, statements):
    rich, poor = ({"fact": "points.available", "op": op, "value": 80} for op in ("at_least", "less_than"))
    for audience in (rich, rich, poor):
        till.make(audience=audience)

    def offered():
        return shop.act(shop.tenant, "points", routes.catalogue, member=ann).items

    assert len(offered()) == 2
    assert sum("points.account" in one for one in statements(offered)) == 2


def test_the_catalogue_comes_in_pages_the_cheapest_first(shop, till, ann):
    for price in (30, 10, 20, 20):
        till.make(price=price, audience={"fact": "points.available", "op": "at_least", "value": 10 * price})

    def page(after):
        def ask(ctx):
            return routes.catalogue(ctx, after=after, limit=2)

        return shop.act(shop.tenant, "points", ask, member=ann)

    first = page(0)
    second = page(first.next)
    assert [[one.price for one in found.items] for found in (first, second)] == [[10], []]
    assert page(second.next).items == []
    assert page(second.next).next is None


@pytest.mark.parametrize(
    ("statement", "alarm"),
    [
        ("UPDATE points.item SET redeemed = 0 WHERE tenant_id = :tenant", "points.items"),
        ("UPDATE points.item_day SET redeemed = 2 WHERE tenant_id = :tenant", "points.items"),
        ("DELETE FROM points.item_member WHERE tenant_id = :tenant", "points.items"),
        ("UPDATE points.redemption SET points = 31 WHERE tenant_id = :tenant", "points.redemptions"),
        ("UPDATE points.redemption SET payment = 'x' WHERE tenant_id = :tenant", "points.redemptions"),
    ],
)
def test_verify_sees_what_was_planted(open_shop, counter, statement, alarm):
    shop = open_shop()
    till = counter(shop)
    shop.grant(shop.member(), 100, "gift")
    till.redeem(till.make())
    assert shop.violations() == []
    with shop.platform.database.ops.begin() as ops:
        ops.execute(text(statement), {"tenant": shop.tenant.id})
    assert shop.violations() == [alarm]


def test_the_catalogue_of_another_store_cannot_be_redeemed(till, open_shop, counter):
    foreign = counter(open_shop()).make()
    assert till.refused(foreign) == "not-offered"
