"""Many at once on a real server: none too many, none twice, nobody waits in a circle."""

import random
from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from threepeat.sdk import Refused
from threepeat.testing.together import together

TEA = ("green", 6_000, "tea")
THREADS = 32


def test_of_many_who_take_the_last_ones_as_many_get_one_as_there_are(shop):
    template = shop.template(claimable=True, total=5, per_member=None)
    names = [f"m{number}" for number in range(THREADS)]
    for name in names:
        shop.member(name)
    codes = [answer.status_code for answer in together(THREADS, lambda n: shop.claim(template, names[n]))]
    assert (codes.count(200), codes.count(409)) == (5, THREADS - 5)


@pytest.mark.parametrize("limit", ["per_member", "per_day"])
def test_a_member_who_taps_on_many_phones_takes_as_many_as_may_be(shop, limit):
    template = shop.template(claimable=True, **{"per_member": None, limit: 3})
    shop.member()
    codes = [answer.status_code for answer in together(THREADS, lambda _: shop.claim(template))]
    assert (codes.count(200), codes.count(409)) == (3, THREADS - 3)
    assert shop.usable() == 3


def test_one_code_and_one_voucher_are_had_once(shop):
    template = shop.template()
    (code,) = shop.codes(template, 1)
    names = [f"m{number}" for number in range(8)]
    codes = [answer.status_code for answer in together(8, lambda n: shop.enter(code, names[n]))]
    assert (codes.count(200), codes.count(409)) == (1, 7)
    shop.give(template, "bob")
    orders = [shop.holds(shop.quote(TEA, name="bob"), name="bob") for _ in range(THREADS)]
    assert together(THREADS, lambda n: reserved(shop, orders[n])).count(True) == 1


def reserved(shop, holds):
    try:
        shop.tell("reserve", *holds)
    except Refused:
        return False
    return True


def budget_storm(shop):
    """32 members with a voucher of 5.00 each, and a budget for seven of them."""
    template = shop.template(amount=500, budget=3_600)
    names = [f"m{number}" for number in range(THREADS)]
    shop.grant(template, *names)
    orders = [shop.holds(shop.quote(TEA, name=name), name=name) for name in names]
    done = together(THREADS, lambda n: reserved(shop, orders[n]))
    assert done.count(True) == 7
    return [order for order, held in zip(orders, done, strict=True) if held]


def test_a_money_budget_is_never_taken_beyond(shop):
    held = budget_storm(shop)
    together(len(held), lambda n: shop.tell("release", *held[n]))
    again = together(len(held), lambda n: reserved(shop, held[n]))
    assert all(again), "what was released is there again"


def test_the_storm_sees_a_budget_that_is_looked_at_first(open_shop, platform, monkeypatch):
    found = platform.statements["vouchers"]
    right = str(found["charge"])
    careless = right.split("AND (n.budget IS NULL", maxsplit=1)[0] + "RETURNING t.id"
    assert careless != right
    monkeypatch.setitem(found, "charge", text(careless.replace("::", "\\:\\:")))
    shop = open_shop()
    # The table's own CHECK sees it even before the counting does.
    with pytest.raises((AssertionError, IntegrityError)):
        budget_storm(shop)


def test_the_storm_sees_a_limit_without_its_condition(open_shop, platform, monkeypatch):
    found = platform.statements["vouchers"]
    careless = str(found["take"]).split("WHERE")[0] + "RETURNING taken"
    monkeypatch.setitem(found, "take", text(careless.replace("::", "\\:\\:")))
    shop = open_shop()
    template = shop.template(claimable=True, per_member=3)
    shop.member()
    codes = [answer.status_code for answer in together(8, lambda _: shop.claim(template))]
    assert codes.count(200) > 3


class Bustle:
    """What one of many does at random: grants, revocations, orders held, paid, let go and returned."""

    def __init__(self, shop, templates, names, seed):
        self.shop, self.templates, self.names = shop, templates, names
        self.chance, self.granted, self.held = random.Random(seed), [], []

    def grant(self):
        some = self.chance.sample(self.names, 3)
        self.granted += self.shop.grant(self.chance.choice(self.templates), *some)

    def reserve(self):
        self.held.append(self.shop.reserve(TEA, name=self.chance.choice(self.names)))

    def revoke(self):
        if self.granted:
            self.shop.revoke(self.granted.pop())

    def finish(self):
        if not self.held:
            return
        order = self.held.pop()
        if self.chance.random() < 0.5:
            self.shop.tell("release", *order)
        else:
            self.shop.tell("confirm", *order)
            self.shop.back(order, 200)
            self.shop.back(order, 500, whole=self.chance.random() < 0.5)

    def step(self):
        with suppress(Refused):
            self.chance.choice([self.grant, self.grant, self.reserve, self.reserve, self.finish, self.revoke])()


def test_whatever_happens_at_once_adds_up_and_nobody_waits_in_a_circle(shop):
    """Any fault of the database ends the test."""
    seed = random.randrange(2**32)
    templates = [
        shop.template(amount=300, budget=4_000, total=60),
        shop.template(amount=500, budget=4_000),
        shop.template(kind="delivery", budget=3_000, total=60),
    ]
    names = [f"m{number}" for number in range(6)]
    for name in names:
        shop.member(name)

    def work(number):
        bustle = Bustle(shop, templates, names, f"{seed}:{number}")
        for _ in range(12):
            bustle.step()

    try:
        together(8, work)
    except DBAPIError as error:
        raise AssertionError(f"seed {seed}: {error.orig}") from error
    assert shop.violations() == [], f"seed {seed}"
