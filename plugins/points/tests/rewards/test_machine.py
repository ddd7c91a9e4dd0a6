"""Any sequence of grants, revocations, payments, orders, refunds and weeks against a model of a few lines."""

import os
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from threepeat.sdk import GrantState, Refused, Spend

START = datetime(2023, 5, 1, 9, tzinfo=UTC)
LIFE = 30  # days; time passes in weeks, so nothing happens in the very moment in which a lot expires
BUDGET = 120
NAMES = st.sampled_from(["ann", "ann", "bob"])
POINTS = st.integers(1, 60)


LOTS = text("SELECT member_id, remaining FROM points.lot WHERE tenant_id = :tenant")
ACCOUNTS = text("SELECT member_id, debt FROM points.account WHERE tenant_id = :tenant")
MONTHS = text("SELECT month, sum(spent) FROM core.budget WHERE tenant_id = :tenant GROUP BY month")


class ModelLot:
    def __init__(self, key, points, ends):
        self.key, self.granted, self.left, self.reversed, self.ends = key, points, points, 0, ends


class Model:
    """What a member has: lots and a debt."""

    def __init__(self):
        self.lots, self.debt, self.journal = [], 0, 0

    def add(self, key, points, day, *, order):
        # An order's lot counts from its payment, a moment before whatever else happens on that day.
        lot = ModelLot(key, points, (day + LIFE, not order, len(self.lots)))
        self.lots.append(lot)
        self.journal += points
        paid = min(self.debt, points)
        lot.left, self.debt = points - paid, self.debt - paid

    def available(self, day):
        return sum(lot.left for lot in self.lots if lot.ends[0] > day) - self.debt

    def draw(self, points, day, own=None):
        """Take points; returns how many are missing."""
        self.journal -= points
        others = [lot for lot in self.lots if lot is not own and lot.ends[0] > day]
        for lot in [own] * (own is not None) + sorted(others, key=lambda lot: lot.ends):
            taken = min(lot.left, points)
            lot.left, points = lot.left - taken, points - taken
        return points

    def reverse(self, key, points, day):
        """Take back what is left of a lot's grant, at most `points` of it; returns how many."""
        own = next(lot for lot in self.lots if lot.key == key)
        points = min(points, own.granted - own.reversed)
        own.reversed += points
        self.debt += self.draw(points, day, own)
        return points


class Machine(RuleBasedStateMachine):
    """A store and its model; the test says how a store is opened."""

    open_shop = None

    @initialize()
    def begin(self):
        self.shop = self.open_shop()
        self.shop.save(expires_after_days=LIFE)
        self.shop.save("giver", monthly_budget=BUDGET)
        self.shop.at(START)
        self.day = self.count = 0
        self.models = {"ann": Model(), "bob": Model()}
        self.members = {name: self.shop.member(name) for name in self.models}
        self.given, self.payments, self.orders = {}, {}, {}
        self.spent = defaultdict(int)

    def name(self, letter):
        self.count += 1
        return f"{letter}{self.count}"

    @property
    def now(self):
        return START + timedelta(days=self.day)

    @property
    def month(self):
        return self.now.astimezone(self.shop.tenant.store.timezone).date().replace(day=1)

    @rule(name=NAMES, points=POINTS)
    def grant(self, name, points):
        cause = self.name("c")
        one = self.shop.grant(self.members[name], points, cause)
        covered = self.spent[self.month] + points <= BUDGET  # one point costs one minor unit
        assert one.state is (GrantState.GRANTED if covered else GrantState.OVER_BUDGET)
        if covered:
            self.spent[self.month] += points
            self.models[name].add(one.key, points, self.day, order=False)
            self.given[cause] = (name, points, one, self.month)

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def grant_again(self, data):
        cause = data.draw(st.sampled_from(sorted(self.given)))
        name, points, first, _ = self.given[cause]
        again = self.shop.grant(self.members[name], points + 1, cause)
        assert (again.state, again.key) == (GrantState.DUPLICATE, first.key)

    @precondition(lambda self: self.given)
    @rule(data=st.data(), points=st.none() | POINTS)
    def revoke(self, data, points):
        name, granted, one, month = self.given[data.draw(st.sampled_from(sorted(self.given)))]
        self.shop.revoke(one, points)
        self.spent[month] -= self.models[name].reverse(one.key, points or granted, self.day)

    @rule(name=NAMES, quarters=st.integers(1, 4))
    def spend(self, name, quarters):
        model = self.models[name]
        points = model.available(self.day) * quarters // 4
        if points > 0:
            payment = Spend(self.members[name], points, self.name("p"))
            self.shop.spend(payment)
            assert model.draw(points, self.day) == 0
            self.payments[payment.reference] = payment

    @rule(name=NAMES, more=POINTS)
    def spend_too_much(self, name, more):
        available = self.models[name].available(self.day)
        points = max(available, 0) + more
        with pytest.raises(Refused, match=f"^{points - available} points? (is|are) missing$"):
            self.shop.spend(Spend(self.members[name], points, self.name("p")))

    @precondition(lambda self: self.payments)
    @rule(data=st.data())
    def spend_again(self, data):
        self.shop.spend(self.payments[data.draw(st.sampled_from(sorted(self.payments)))])

    @rule(name=NAMES, units=st.integers(1, 40))
    def order(self, name, units):
        order = self.name("o")
        self.shop.paid(name, order, units * 100, time=self.now)
        self.models[name].add(order, units, self.day, order=True)
        self.orders[order] = (name, units)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), share=st.integers(1, 40))
    def refund(self, data, share):
        order = data.draw(st.sampled_from(sorted(self.orders)))
        name, units = self.orders[order]
        self.shop.refunded(name, self.name("r"), min(share, units) * 100, order, time=self.now)
        self.models[name].reverse(order, min(share, units), self.day)

    @rule(weeks=st.integers(1, 4))
    def wait(self, weeks):
        self.day += 7 * weeks
        self.shop.at(self.now)

    @invariant()
    def the_store_is_what_the_model_says(self):
        if not hasattr(self, "shop"):
            return
        with self.shop.platform.database.tenant(self.shop.tenant.id) as scope:
            lots, accounts, months = ([tuple(row) for row in scope.run(one)] for one in (LOTS, ACCOUNTS, MONTHS))
        held = self.shop.held(*self.members.values())
        for name, model in self.models.items():
            member = self.members[name]
            assert held.get(member, 0) == max(model.available(self.day), 0)
            assert dict(accounts).get(member, 0) == model.debt
            assert sorted(left for owner, left in lots if owner == member) == sorted(
                lot.left for lot in model.lots
            )
            assert sum(lot.left for lot in model.lots) - model.debt == model.journal
        known = defaultdict(int, months)
        assert all(known[month] == self.spent[month] for month in {*known, *self.spent})

    def teardown(self):
        if hasattr(self, "shop"):
            assert self.shop.violations() == []


def run(open_shop, **more):
    class OfThisPlatform(Machine):
        pass

    OfThisPlatform.open_shop = staticmethod(open_shop)
    quiet = list(HealthCheck)
    run_state_machine_as_test(
        OfThisPlatform,
        settings=settings(stateful_step_count=15, deadline=None, suppress_health_check=quiet, **more),
    )


def test_any_sequence_comes_to_what_a_simple_model_says(open_shop):
    run(open_shop, max_examples=int(os.environ.get("SEQUENCES", "50")))


class Sole:
    """Draws from what there is only one of."""

    @staticmethod
    def draw(strategy):
        (one,) = strategy.elements
        return one


def latest_first(machine):
    machine.grant("ann", 10)
    machine.wait(1)
    machine.grant("ann", 20)
    machine.spend("ann", 1)


def expired_too(machine):
    machine.grant("ann", 10)
    machine.wait(4)
    machine.wait(1)
    machine.grant("ann", 20)
    machine.spend("ann", 1)


def debt_stays(machine):
    machine.order("ann", 20)
    machine.spend("ann", 4)
    machine.refund(Sole, 20)
    machine.grant("ann", 30)


PLANTED = {
    latest_first: ("spend", "ORDER BY expires_at NULLS LAST", "ORDER BY expires_at DESC"),
    expired_too: ("spend", "AND (expires_at IS NULL OR expires_at > core.now())", ""),
    debt_stays: ("settle", "SET debt = g.debt", "SET debt = a.debt"),
}


@pytest.mark.parametrize("steps", PLANTED, ids=lambda steps: steps.__name__)
def test_the_model_sees_a_statement_that_is_wrong(open_shop, platform, monkeypatch, steps):
    def take():
        machine = Machine()
        machine.open_shop = open_shop
        machine.begin()
        steps(machine)
        machine.the_store_is_what_the_model_says()
        machine.teardown()

    take()
    statement, right, wrong = PLANTED[steps]
    found = str(platform.statements["points"][statement])
    assert right in found
    monkeypatch.setitem(platform.statements["points"], statement, text(found.replace(right, wrong)))
    with pytest.raises(AssertionError):
        take()
