"""Any history of giving, taking, ordering, paying, cancelling, returning and waiting, against a small model."""

import os
from dataclasses import dataclass, field

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

from threepeat.sdk import Refused

TEA = ("green", 6_000, "tea")
NAMES = st.sampled_from(["ann", "bob"])
LIFE, TOTAL, BUDGET, PER_MEMBER = 3, 6, 1_400, 2
AMOUNT = 500


@dataclass
class ModelVoucher:
    """One voucher: whose it is, its last day, and how it stands."""

    owner: str
    last: int
    grant: str = ""
    state: str = "issued"
    revoked: bool = False


@dataclass
class ModelOrder:
    """A hold: of which voucher, how it stands, and what came back of it."""

    voucher: int
    holds: list
    state: str = "held"
    returned: int = 0
    whole: bool = False


@dataclass
class Model:
    """What a store with one template has."""

    vouchers: dict[int, ModelVoucher] = field(default_factory=dict)
    orders: list[ModelOrder] = field(default_factory=list)
    taken: dict[str, int] = field(default_factory=dict)
    grants: dict[str, object] = field(default_factory=dict)
    given: int = 0
    active: bool = True
    day: int = 0

    @property
    def spent(self):
        return sum(AMOUNT - one.returned for one in self.orders if one.state in {"held", "used"})

    def usable(self, name):
        return [
            number
            for number, one in sorted(self.vouchers.items())
            if (one.owner, one.state) == (name, "issued") and one.last >= self.day
        ]


class Machine(RuleBasedStateMachine):
    """A store and its model; the test says how a store is opened."""

    open_shop = None

    @initialize()
    def begin(self):
        self.shop, self.model, self.count = self.open_shop(), Model(), 0
        terms = {"amount": AMOUNT, "days": LIFE, "total": TOTAL, "budget": BUDGET, "per_member": PER_MEMBER}
        self.template = self.shop.template(claimable=True, **terms)

    def name(self):
        self.count += 1
        return f"n{self.count}"

    def added(self, name, grant=""):
        """Note the vouchers that are new in the store."""
        rows = self.shop.rows("SELECT id FROM vouchers.voucher ORDER BY id")
        for (number,) in rows:
            if number not in self.model.vouchers:
                self.model.vouchers[number] = ModelVoucher(name, self.model.day + LIFE - 1, grant)
                self.model.given += 1

    @property
    def gives(self):
        return self.model.active and self.model.spent < BUDGET

    @rule(name=NAMES, amount=st.integers(1, 3))
    def grant(self, name, amount):
        cause = self.name()
        (one,) = self.shop.grant(self.template, name, amount=amount, cause=cause)
        there = self.gives and self.model.given + amount <= TOTAL
        assert one.state.value == ("granted" if there else "closed")
        if there:
            self.model.grants[cause] = one
            self.added(name, cause)

    @precondition(lambda self: self.model.grants)
    @rule(data=st.data())
    def grant_again(self, data):
        cause = data.draw(st.sampled_from(sorted(self.model.grants)))
        owner = next(one.owner for one in self.model.vouchers.values() if one.grant == cause)
        assert self.shop.grant(self.template, owner, cause=cause)[0].state.value == "duplicate"

    @precondition(lambda self: self.model.grants)
    @rule(data=st.data())
    def revoke(self, data):
        cause = data.draw(st.sampled_from(sorted(self.model.grants)))
        self.shop.revoke(self.model.grants[cause])
        for one in self.model.vouchers.values():
            if one.grant == cause:
                one.revoked = True
                one.state = "void" if one.state == "issued" else one.state

    @rule(name=NAMES)
    def claim(self, name):
        answer = self.shop.claim(self.template, name)
        taken = self.model.taken.get(name, 0)
        there = self.gives and self.model.given < TOTAL and taken < PER_MEMBER
        assert answer.status_code == (200 if there else 409), answer.text
        if there:
            self.model.taken[name] = taken + 1
            self.added(name)

    @rule(name=NAMES)
    def order(self, name):
        quote = self.shop.quote(TEA, name=name)
        usable = self.model.usable(name)
        fits = self.model.spent + AMOUNT <= BUDGET
        assert bool(quote.applied) == bool(usable and fits)
        if quote.applied:
            holds = self.shop.holds(quote, name=name)
            self.shop.tell("reserve", *holds)
            number = int(holds[0].key)
            assert number in usable
            self.model.vouchers[number].state = "locked"
            self.model.orders.append(ModelOrder(number, holds))

    def any_order(self, data):
        return data.draw(st.sampled_from(range(len(self.model.orders))))

    @precondition(lambda self: self.model.orders)
    @rule(data=st.data())
    def reserve_again(self, data):
        order = self.model.orders[self.any_order(data)]
        voucher = self.model.vouchers[order.voucher]
        late = (
            order.state == "released"
            and voucher.state == "issued"
            and voucher.last >= self.model.day
            and self.model.spent + AMOUNT <= BUDGET
        )
        if late or order.state == "held":
            self.shop.tell("reserve", *order.holds)
            order.state, voucher.state = "held", "locked"
        else:
            with pytest.raises(Refused):
                self.shop.tell("reserve", *order.holds)

    @precondition(lambda self: self.model.orders)
    @rule(data=st.data())
    def pay(self, data):
        order = self.model.orders[self.any_order(data)]
        if order.state == "released":
            with pytest.raises(Refused):
                self.shop.tell("confirm", *order.holds)
            return
        self.shop.tell("confirm", *order.holds)
        if order.state == "held":
            order.state, self.model.vouchers[order.voucher].state = "used", "used"

    @precondition(lambda self: self.model.orders)
    @rule(data=st.data())
    def cancel(self, data):
        order = self.model.orders[self.any_order(data)]
        self.shop.tell("release", *order.holds)
        if order.state == "held":
            order.state, voucher = "released", self.model.vouchers[order.voucher]
            voucher.state = "void" if voucher.revoked else "issued"

    @precondition(lambda self: self.model.orders)
    @rule(data=st.data(), amount=st.integers(0, AMOUNT), whole=st.booleans())
    def come_back(self, data, amount, whole):
        order = self.model.orders[self.any_order(data)]
        self.shop.back(order.holds, amount, whole=whole)
        if order.state != "used":
            return
        order.returned = AMOUNT if whole else max(order.returned, amount)
        if whole and not order.whole:
            order.whole, voucher = True, self.model.vouchers[order.voucher]
            voucher.state = "returned" if voucher.revoked else "issued"

    @rule()
    def wait(self):
        self.model.day += 1
        self.shop.day(self.model.day)

    @rule(action=st.sampled_from(["pause", "resume"]))
    def rest(self, action):
        if self.model.active is (action == "pause"):
            self.shop.step(self.template, action)
            self.model.active = action == "resume"

    @invariant()
    def the_store_is_what_the_model_says(self):
        if not hasattr(self, "shop"):
            return
        rows = self.shop.rows("SELECT id, state, revoked FROM vouchers.voucher")
        assert {number: (state, revoked) for number, state, revoked in rows} == {
            number: (one.state, one.revoked) for number, one in self.model.vouchers.items()
        }
        for name in ("ann", "bob"):
            assert self.shop.usable(name) == len(self.model.usable(name))
        ((issued, taken, back),) = self.shop.rows(
            "SELECT issued, taken, coalesce((SELECT sum(amount) FROM vouchers.credit), 0) FROM vouchers.template"
        )
        assert (issued, taken - back) == (self.model.given, self.model.spent)

    def teardown(self):
        if hasattr(self, "shop"):
            assert self.shop.violations() == []


def test_any_history_comes_to_what_a_simple_model_says(open_shop):
    class OfThisPlatform(Machine):
        pass

    OfThisPlatform.open_shop = staticmethod(open_shop)
    run_state_machine_as_test(
        OfThisPlatform,
        settings=settings(
            max_examples=int(os.environ.get("SEQUENCES", "8")),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


class Sole:
    """Draws from what there is only one of."""

    @staticmethod
    def draw(strategy):
        (one,) = strategy.elements
        return one


def held_twice(machine):
    machine.grant("ann", 1)
    first, second = (machine.shop.holds(machine.shop.quote(TEA)) for _ in range(2))
    machine.shop.tell("reserve", *first)
    with pytest.raises(Refused):
        machine.shop.tell("reserve", *second)
    machine.shop.tell("release", *first)


def cancelled_after_its_revocation(machine):
    machine.grant("ann", 1)
    machine.order("ann")
    machine.revoke(Sole)
    machine.cancel(Sole)


def counted_when_cancelled(machine):
    machine.grant("ann", 1)
    machine.order("ann")
    machine.cancel(Sole)


def returned_in_part(machine):
    machine.grant("ann", 1)
    machine.order("ann")
    machine.pay(Sole)
    machine.come_back(Sole, 100, whole=False)


def usable_after_its_end(machine):
    machine.grant("ann", 1)
    for _ in range(LIFE):
        machine.wait()


PLANTED = {
    held_twice: ("reserve", "AND v.state = 'issued'", "AND v.state IN ('issued', 'locked')"),
    cancelled_after_its_revocation: ("release", "CASE WHEN v.revoked THEN 'void' ELSE 'issued' END", "'issued'"),
    counted_when_cancelled: ("release", "f.amount > 0", "f.amount < 0"),
    returned_in_part: ("returned", "a.complete", "true"),
    usable_after_its_end: ("balances", "AND valid_until > core.now()", ""),
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
    found = str(platform.statements["vouchers"][statement])
    assert right in found
    monkeypatch.setitem(
        platform.statements["vouchers"], statement, text(found.replace(right, wrong).replace("::", "\\:\\:"))
    )
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        take()
