"""What a tier brings: prices, free shipping, a factor that replays, facts."""

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest

from threepeat.sdk import AsOf, Audience, Basket, BasketLine

FIRST = date(2025, 1, 10)
SILVER = {"name": "Silver", "qualify": 1_000, "retain": 800}
BASKET = Basket(
    lines=(
        BasketLine(id="a", sku="t1", quantity=2, unit_price=3_333, category="tea"),
        BasketLine(id="b", sku="c1", quantity=1, unit_price=10_000, category="cups"),
        BasketLine(id="c", sku="g1", quantity=1, unit_price=5_000, category="gold"),
    ),
    shipping=800,
)


def noon(day):
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


def quote(shop, name):
    member = shop.member(name)
    return shop.ask(lambda ctx: ctx.pricing.quote(member, BASKET))


@pytest.fixture
def shop(make_shop):
    made = make_shop()
    made.tier(
        2, **SILVER, percent_off=10, extra_percent_off=5, free_shipping=True, excluded_categories=["gold"],
        early_access_hours=24, contact="Ask Lin", earn_factor="1.5",
    )  # fmt: skip
    made.batch(made.order("ann", "1", 1_000), made.order("low", "2", 10))
    return made


def test_the_members_price_then_percent_on_top_and_free_shipping(shop):
    made = quote(shop, "ann")
    assert [(one.rule, one.amount, one.shipping) for one in made.applied] == [
        ("member_price", 1_666, 0), ("extra_off", 750, 0), ("free_shipping", 0, 800),
    ]  # fmt: skip
    # 6,666 + 10,000 without gold: 10 % is 1,666.6 rounded down; 5 % of the 15,000 that are left is 750.
    assert made.applied[0].shares.get("c", 0) == 0
    assert made.applied[0].title == {"en": "Silver price", "zh": "Silver专享价"}
    assert (made.goods, made.shipping) == (21_666 - 1_666 - 750, 0)
    assert quote(shop, "low").applied == ()


def test_categories_and_products_can_be_left_out(shop):
    shop.tier(2, **SILVER, percent_off=50, categories=["tea", "cups"], excluded_skus=["c1"])
    shop.paid("new", "3", 1_000)
    assert [(one.rule, one.amount) for one in quote(shop, "new").applied] == [("member_price", 3_333)]


def test_the_factor_is_that_of_the_moment_whenever_it_is_asked(shop):
    """Elsewhere a replay earns by the tier of today."""
    shop.paid("low", "3", 990)
    first = dict(shop.rows("SELECT data ->> 'order_id', position FROM core.event WHERE type = 'order.paid'"))
    member = shop.member("low")
    moments = [AsOf(member, position, noon(FIRST)) for position in first.values()]

    def factors():
        return shop.ask(lambda ctx: shop.platform.registry["tiers"].multipliers[0].answer(ctx, moments))

    assert factors() == [Fraction(1)] * 3, "the order that reaches the tier earns as before"
    shop.paid("low", "4", 100)
    last = shop.rows("SELECT max(position) FROM core.event WHERE type = 'order.paid'")[0][0]
    moments.append(AsOf(member, last, noon(FIRST)))
    assert factors() == [Fraction(1)] * 3 + [Fraction(3, 2)]
    shop.refunded("low", "r", 990, "3")
    shop.at(date(2025, 3, 10))
    assert shop.level("low") == 1
    assert factors() == [Fraction(1)] * 3 + [Fraction(3, 2)], "what was so stays so"


def test_orders_earn_by_the_factor(shop):
    shop.batch(shop.order("ann", "5", 100))
    earned = shop.rows("SELECT granted FROM points.lot WHERE order_id = '5'")
    assert earned == [(150,)]


def test_facts_serve_audiences(shop):
    ann, low = shop.member("ann"), shop.member("low")

    def known(ctx):
        return ctx.facts(["tiers.tier", "tiers.level", "tiers.growth", "tiers.early_access_hours"], [ann, low])

    facts = shop.ask(known)
    assert facts["tiers.tier"] == {ann: frozenset({"Silver"}), low: frozenset({"普通会员"})}
    assert facts["tiers.level"] == {ann: 2, low: 1}
    assert facts["tiers.growth"] == {ann: 1_000, low: 10}
    assert facts["tiers.early_access_hours"] == {ann: 24, low: 0}
    meant = Audience.model_validate({"fact": "tiers.tier", "op": "has", "value": "Silver"})
    assert shop.ask(lambda ctx: ctx.matching(meant, [ann, low])) == {ann}


def test_a_member_reads_what_the_tier_brings_and_what_is_missing(shop):
    mine = shop.mine("low")
    assert (mine["tier"]["level"], mine["growth"], mine["since"]) == (1, 10, "2024-01-12")
    assert (mine["next"]["missing"], mine["next"]["spend"]) == (990, 99_000)
    assert mine["keep"] is None
    said = [one["en"] for one in mine["next"]["tier"]["benefits"]]
    assert said == [
        "10% off as a member price", "5% off on top", "Free shipping", "1.5 times the points",
        "24 hours of early access",
    ]  # fmt: skip
    assert mine["next"]["tier"]["benefits"][0]["zh"] == "会员价立减 10%"
    assert shop.mine("ann")["tier"]["contact"] == "Ask Lin"
    history = shop.call("GET", "/history", "ann").json()["changes"]
    assert [(one["from_level"], one["to_level"], one["tier"], one["reason"]) for one in history] == [
        (0, 2, "Silver", "growth")
    ]
    shop.batch(shop.event("page.viewed", "stranger", page="home"))
    assert shop.mine("stranger") | {"next": None} == {
        "tier": None, "growth": 0, "since": None, "next": None, "keep": None, "floors": [], "birthday": None,
    }  # fmt: skip


def test_a_store_without_orders_earning_growth_says_no_money(shop):
    shop.save(growth_per_unit=0, interactions=[{"kind": "visit.made", "growth": 100}])
    shop.batch(shop.event("visit.made", "eve"))
    assert shop.mine("eve")["next"]["spend"] is None
