"""Any sequence of grants, payments, holds, returns, orders, late refunds and weeks against a small model."""

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

from threepeat.sdk import GrantState, Hold, Refused, Returned, Spend
from threepeat_points.payments import Return, give_back

START = datetime(2023, 5, 1, 9, tzinfo=UTC)
LIFE = 30  # days; time passes in weeks, so nothing happens in the very moment in which a lot expires
WAIT = 10  # days that points of an order wait
BUDGET = 120
NAMES = st.sampled_from(["ann", "ann", "bob"])
POINTS = st.integers(1, 60)


LOTS = text("SELECT member_id, remaining + expired FROM points.lot WHERE tenant_id = :tenant")
ACCOUNTS = text("SELECT member_id, debt FROM points.account WHERE tenant_id = :tenant")
MONTHS = text("SELECT month, sum(spent) FROM core.budget WHERE tenant_id = :tenant GROUP BY month")


class ModelLot:
    """What is left of a lot; what expired of it is never taken off."""

    def __init__(self, key, points, ends, unlocks):
        self.key, self.granted, self.left, self.reversed = key, points, points, 0
        self.ends, self.unlocks = ends, unlocks

    def spendable(self, day):
        return self.unlocks < day < self.ends[0]


class Model:
    """What a member has: lots and a debt."""

    def __init__(self):
        self.lots, self.debt, self.journal = [], 0, 0

    def add(self, key, points, day, *, order):
        # An order's lot counts from its payment, a moment before whatever else happens on that day.
        ends = day + LIFE, not order, len(self.lots)
        lot = ModelLot(key, points, ends, day + WAIT if order else -1)
        self.lots.append(lot)
        self.journal += points
        paid = min(self.debt, points)
        lot.left, self.debt = points - paid, self.debt - paid

    def available(self, day):
        return sum(lot.left for lot in self.lots if lot.spendable(day)) - self.debt

    def pay(self, points, day):
        """Take points from what can be spent, the earliest to expire first; returns what each lot gave."""
        self.journal -= points
        gave = []
        for lot in sorted((lot for lot in self.lots if lot.spendable(day)), key=lambda lot: lot.ends):
            taken = min(lot.left, points)
            lot.left, points = lot.left - taken, points - taken
            gave.append([lot, taken])
        assert points == 0
        return gave

    def give_back(self, gave, points, day):
        """Put points back, the lot that expires last first; a debt is paid, but not with what has expired."""
        for part in sorted(gave, key=lambda part: part[0].ends, reverse=True):
            lot, back = part[0], min(part[1], points)
            part[1], points = part[1] - back, points - back
            self.journal += back
            paid = min(self.debt, back) if lot.ends[0] > day else 0
            self.debt -= paid
            lot.left += back - paid

    def draw(self, points, day, own=None):
        """Take points back; returns how many are missing."""
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
        self.shop.save(expires_after_days=LIFE, waiting_days=WAIT, grace_days=0, pay_percent=100)
        self.shop.save("giver", monthly_budget=BUDGET)
        self.shop.at(START)
        self.day = self.count = 0
        self.models = {"ann": Model(), "bob": Model()}
        self.members = {name: self.shop.member(name) for name in self.models}
        self.given, self.payments, self.orders, self.refunds, self.holds = {}, {}, {}, {}, {}
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
            self.payments[payment.reference] = (name, payment, model.pay(points, self.day))

    @rule(name=NAMES, more=POINTS)
    def spend_too_much(self, name, more):
        available = self.models[name].available(self.day)
        points = max(available, 0) + more
        with pytest.raises(Refused, match=f"^{points - available} points? (is|are) missing$"):
            self.shop.spend(Spend(self.members[name], points, self.name("p")))

    @precondition(lambda self: self.payments)
    @rule(data=st.data())
    def spend_again(self, data):
        self.shop.spend(self.payments[data.draw(st.sampled_from(sorted(self.payments)))][1])

    @precondition(lambda self: self.payments)
    @rule(data=st.data(), points=POINTS)
    def cancel(self, data, points):
        name, payment, gave = self.payments[data.draw(st.sampled_from(sorted(self.payments)))]
        back = Return(payment.member, f"spend:till:{payment.reference}", points, self.name("b"))
        for _ in range(2):  # the same return twice is one
            self.shop.act(self.shop.tenant, "points", lambda ctx: give_back(ctx, [back]))
        self.models[name].give_back(gave, points, self.day)

    @rule(name=NAMES, quarters=st.integers(1, 4))
    def hold(self, name, quarters):
        model = self.models[name]
        points = model.available(self.day) * quarters // 4
        if points > 0:
            hold = Hold(
                reservation=self.name("h"),
                plugin="points",
                rule="pay",
                key="",
                member=self.members[name],
                amount=points,
                shares={},
                shipping=0,
                data={"points": points, "amount": points},
            )
            self.price("reserve", hold)
            self.holds[hold.reservation] = [name, hold, "held", 0, model.pay(points, self.day)]

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def release(self, data):
        found = self.holds[data.draw(st.sampled_from(sorted(self.holds)))]
        name, hold, state, _, gave = found
        self.price("release", hold)
        if state == "held":
            found[2] = "released"
            self.models[name].give_back(gave, hold.amount, self.day)

    @precondition(lambda self: any(found[2] != "released" for found in self.holds.values()))
    @rule(data=st.data(), percent=st.integers(0, 100))
    def use_and_return(self, data, percent):
        usable = sorted(name for name, found in self.holds.items() if found[2] != "released")
        found = self.holds[data.draw(st.sampled_from(usable))]
        name, hold, _, before, gave = found
        self.price("confirm", hold)
        back = hold.amount * percent // 100
        whole = percent == 100
        for _ in range(2):
            self.price("returned", Returned(hold=hold, reference="r", amount=back, whole=whole))
        found[2], found[3] = "confirmed", max(before, back)
        self.models[name].give_back(gave, found[3] - before, self.day)

    def price(self, what, given):
        self.shop.act(self.shop.tenant, "till", lambda ctx: getattr(ctx.pricing, what)([given]))

    @rule(name=NAMES, units=st.integers(1, 40))
    def order(self, name, units):
        order = self.name("o")
        self.shop.paid(name, order, units * 100, time=self.now)
        self.models[name].add(order, units, self.day, order=True)
        self.orders[order] = (name, units, self.day)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), share=st.integers(1, 40), late=st.integers(0, 6))
    def refund(self, data, share, late=0):
        """It is reported when it happened, or weeks later."""
        order = data.draw(st.sampled_from(sorted(self.orders)))
        name, units, ordered = self.orders[order]
        day = max(self.day - 7 * late, ordered)
        refund = self.name("r"), min(share, units) * 100, order
        self.shop.refunded(name, *refund, time=START + timedelta(days=day))
        self.models[name].reverse(order, min(share, units), day)
        self.refunds[refund[0]] = (name, refund)

    @precondition(lambda self: self.refunds)
    @rule(data=st.data())
    def refund_again(self, data):
        name, refund = self.refunds[data.draw(st.sampled_from(sorted(self.refunds)))]
        self.shop.refunded(name, *refund, time=self.now)

    @rule(weeks=st.integers(1, 4), night=st.booleans())
    def wait(self, weeks, night=False):
        """What is due is written down at once, or whenever somebody comes to it."""
        self.day += 7 * weeks
        self.shop.at(self.now)
        if night:
            self.shop.nights(0)

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
    run(open_shop, max_examples=int(os.environ.get("SEQUENCES", "12")))


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
    machine.wait(2)
    machine.spend("ann", 4)
    machine.refund(Sole, 20)
    machine.grant("ann", 30)


def waiting_too(machine):
    machine.grant("ann", 10)
    machine.order("ann", 20)
    machine.spend_too_much("ann", 1)


def never_unlocked(machine):
    machine.order("ann", 20)
    machine.wait(2)
    machine.spend("ann", 1)


def first_lot_first(machine):
    machine.grant("ann", 10)
    machine.wait(1)
    machine.grant("ann", 20)
    machine.spend("ann", 4)
    machine.cancel(Sole, 12)


def released_to_nobody(machine):
    machine.grant("ann", 10)
    machine.hold("ann", 4)
    machine.release(Sole)


OPEN = "AND (expires_at IS NULL OR expires_at > core.now())"
PLANTED = {
    latest_first: [("spend", "ORDER BY l.expires_at NULLS LAST", "ORDER BY l.expires_at DESC")],
    expired_too: [("spend", OPEN, ""), ("mature", "coalesce(expires_at <= core.now(), false)", "false")],
    waiting_too: [("spend", "AND NOT waiting", "")],
    never_unlocked: [("mature", "waiting = l.waiting AND NOT d.unlocks", "waiting = l.waiting")],
    first_lot_first: [("given", "l.expires_at DESC", "l.expires_at ASC")],
    released_to_nobody: [("give_back", "remaining = l.remaining + g.kept", "remaining = l.remaining")],
    debt_stays: [("settle", "SET debt = a.debt - g.paid", "SET debt = a.debt")],
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
    for statement, right, wrong in PLANTED[steps]:
        found = str(platform.statements["points"][statement])
        assert right in found
        monkeypatch.setitem(platform.statements["points"], statement, text(found.replace(right, wrong)))
    with pytest.raises((AssertionError, Refused, pytest.fail.Exception)):
        take()
