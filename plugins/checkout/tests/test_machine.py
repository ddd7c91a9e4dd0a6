"""Any history of quotes, orders, payments and refunds, late, twice, shuffled, against a model of a few lines."""

import os
from collections import Counter
from datetime import timedelta
from fractions import Fraction

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

from threepeat.sdk import BasketLine, Quote, Refused
from threepeat_checkout import reactions

NAMES = st.sampled_from(["ann", "ann", "bob"])
STAYS = 30  # minutes that quotes stand and holds last; time passes in steps of seven, so nothing is on the edge
STOCK = {"a": 3, "budget": 700, "purse ann": 1_500, "purse bob": 400}
LINES = (
    BasketLine(id="tea", sku="t", quantity=3, unit_price=333),
    BasketLine(id="cup", sku="c", quantity=1, unit_price=500),
    BasketLine(id="mug", sku="c", quantity=2, unit_price=250),
)


def divided(total, weights):
    """A total in proportion, rounded down, and the rest one by one to those that lost most by it."""
    exact = {name: Fraction(total * weight, sum(weights.values())) for name, weight in weights.items()}
    found = {name: int(part) for name, part in exact.items()}
    for name in sorted(exact, key=lambda one: found[one] - exact[one])[: total - sum(found.values())]:
        found[name] += 1
    return found


class Order:
    """A quote, and what the model knows of it."""

    def __init__(self, quote, name, now):
        self.quote, self.name, self.state, self.until = quote, name, "quoted", now + STAYS
        self.primary = f"o-{quote.id}"
        self.order = None
        self.takes = {}
        for one in quote.quote.applied:
            if one.held:
                item = one.data["item"] if one.rule != "purse" else f"purse {name}"
                self.takes[item] = one.data.get("take", one.amount)


class Model:
    """What is in stock, who holds what, and what came back; nothing of rows, locks and batches."""

    def __init__(self):
        self.stock, self.now = dict(STOCK), 0
        self.paid, self.refunds, self.asked = {}, {}, []

    def hold(self, one):
        if any(self.stock[item] < take for item, take in one.takes.items()):
            return False
        for item, take in one.takes.items():
            self.stock[item] -= take
        one.state, one.until = "reserved", self.now + STAYS
        return True

    def release(self, one):
        if one.state == "reserved":
            for item, take in one.takes.items():
                self.stock[item] += take
        one.state = "released"

    def pay(self, one, order, total, *, by_event=True):
        """What comes of a payment, as the outcome."""
        if order in self.paid:
            if by_event and one.order == order and one.by_hand:
                one.total, one.by_hand = total, False
                self.settle(one)
            return "again"
        if one.state == "confirmed":
            outcome = "taken"
        else:
            was = one.state, dict(self.stock)
            if one.state == "reserved" and one.until > self.now:
                outcome = "confirmed"
            else:
                self.release(one)
                outcome = "confirmed" if self.hold(one) else "gone"
            if outcome == "gone" and not by_event:
                (one.state, self.stock) = was
                return "gone"
        self.paid[order] = outcome
        if outcome == "confirmed":
            one.state, one.order, one.total, one.back = "confirmed", order, total, Counter()
            one.by_hand = not by_event
            self.settle(one)
        else:
            back = sum(amount for o, _, amount, _ in self.refunds.values() if o == order)
            if total > back:
                self.asked.append((order, total - back, f"quote-{outcome}"))
        return outcome

    def settle(self, one):
        """Bring what came back of a paid order up to date."""
        mine = [r for r in self.refunds.values() if r[0] == one.order and r[1] == one.name]
        units, money, times = Counter(), 0, 0
        for _, _, amount, given in mine:
            units.update(given)
            money, times = money + (0 if given else amount), times + (not given)
        quote, came = one.quote.quote, {}
        for line in LINES:
            came[line.id] = min(line.quantity, units[line.sku])
            units[line.sku] -= came[line.id]
        paid = divided(one.total, {**quote.lines, "delivery": quote.shipping})
        worth = sum(-(-paid[line.id] * came[line.id] // line.quantity) for line in LINES)
        rest = one.total - worth
        share = Fraction(min(money, rest), rest) if rest > 0 else Fraction(min(times, 1))
        whole = share == 1 or all(came[line.id] == line.quantity for line in LINES)
        for applied in quote.applied:
            if applied.held:
                named = sum(applied.shares.get(line.id, 0) * came[line.id] // line.quantity for line in LINES)
                now = named + int((applied.amount - named) * share)
                item = applied.data["item"] if applied.rule != "purse" else f"purse {one.name}"
                if "take" in applied.data:
                    now = int(whole)
                self.stock[item] += max(now - one.back[item], 0)
                one.back[item] = max(now, one.back[item])


class Machine(RuleBasedStateMachine):
    """A store and its model; the test says how a store is opened."""

    open_shop = None

    @initialize()
    def begin(self):
        self.shop, self.model = self.open_shop(), Model()
        self.shop.platform.registry["stall"].plugin.percent = 10
        for item, number in STOCK.items():
            name = item.partition("purse ")[2]
            self.shop.put(f"purse {self.shop.member(name)}" if name else item, number)
        self.orders, self.sent = [], []

    def pick(self, data, *states):
        return data.draw(st.sampled_from([one for one in self.orders if not states or one.state in states]))

    def ask(self, what, one, *given):
        """What a command comes to, in a word."""
        try:
            return self.shop.ask(what, one.quote, *given).state
        except Refused as error:
            return error.code

    def send(self, *events):
        self.shop.batch(*events)
        self.sent += events

    @rule(name=NAMES, coupon=st.booleans(), campaign=st.booleans(), pay=st.sampled_from([0, 200, 700]))
    def quote(self, name, coupon, campaign, pay):
        choices = {"coupon": "a" if coupon else None, "campaign": campaign, "pay": pay}
        quote = self.shop.quote(name, lines=LINES, shipping=99, **choices)
        self.orders.append(Order(quote, name, self.model.now))

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def reserve(self, data):
        one = self.pick(data)
        if one.state == "quoted" and one.until < self.model.now:
            expected = "quote-expired"
        elif one.state == "quoted":
            expected = "reserved" if self.model.hold(one) else "gone"
        else:
            expected = "quote-released" if one.state == "released" else one.state
        assert self.ask("reserve", one) == expected

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def release(self, data):
        one = self.pick(data)
        if one.state == "confirmed":
            with pytest.raises(Refused):
                self.shop.ask("release", one.quote)
        else:
            self.shop.ask("release", one.quote)
            self.model.release(one)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), second=st.sampled_from([False, False, True]), more=st.sampled_from([0, 0, 7, -7]))
    def pay(self, data, second, more):
        one = self.pick(data)
        order = f"{one.primary}-2" if second else one.primary
        total = one.quote.quote.total + more
        self.send(self.shop.paid(one.quote, order, one.name, total=total))
        self.model.pay(one, order, total)

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def confirm(self, data):
        one = self.pick(data)
        if one.order == one.primary:
            assert self.shop.ask("confirm", one.quote, one.primary).state == "confirmed"
        elif one.state == "confirmed" or one.primary in self.model.paid:
            with pytest.raises(Refused):
                self.shop.ask("confirm", one.quote, one.primary)
        else:
            outcome = self.model.pay(one, one.primary, one.quote.quote.total, by_event=False)
            if outcome == "confirmed":
                assert self.shop.ask("confirm", one.quote, one.primary).state == "confirmed"
            else:
                with pytest.raises(Refused, match="is gone"):
                    self.shop.ask("confirm", one.quote, one.primary)

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def place_and_cancel(self, data):
        one = self.pick(data)
        held = one.state == "reserved"
        self.send(self.shop.created(one.quote, one.primary, one.name), self.shop.cancelled(one.primary, one.name))
        if held:
            self.model.release(one)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), stranger=st.booleans())
    def pay_with_anothers(self, data, stranger):
        one = self.pick(data)
        other = "bob" if one.name == "ann" else "ann"
        name = "carl" if stranger else other
        self.send(self.shop.paid(one.quote, f"x-{len(self.sent)}", name))

    @precondition(lambda self: self.orders)
    @rule(
        data=st.data(),
        units=st.dictionaries(st.sampled_from("tc"), st.integers(1, 3), max_size=2),
        share=st.sampled_from([4, 2, 1]),
    )
    def refund(self, data, units, share):
        one = self.pick(data)
        amount, refund = one.quote.quote.total // share, f"r{len(self.sent)}"
        self.send(self.shop.refunded(amount, units, one.primary, refund, one.name))
        self.model.refunds[refund] = one.primary, one.name, amount, units
        if one.order == one.primary:
            self.model.settle(one)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def everything_comes_again(self, data):
        """With new ids, so that only the checkout can know that it was here before; but what cancels."""
        again = [one for one in self.sent if one["type"] in {"order.refunded", "order.paid"}]
        shuffled = data.draw(st.permutations(again)) if len(again) > 1 else again
        for number, one in enumerate(shuffled):
            self.shop.batch({**one, "id": f"again-{len(self.sent)}-{number}"}, drain=False)
        self.sent.append({"type": "again"})
        self.shop.worker.drain()

    @rule(steps=st.integers(1, 6))
    def wait(self, steps):
        self.model.now += 7 * steps
        for one in self.orders:
            if one.state == "reserved" and one.until < self.model.now:
                self.model.release(one)
        self.shop.at(self.shop.now + timedelta(minutes=7 * steps))

    @invariant()
    def the_store_is_what_the_model_says(self):
        if not hasattr(self, "shop"):
            return
        with self.shop.platform.database.tenant(self.shop.tenant.id) as scope:
            stock = {row.item: row.remaining for row in scope.run(text("SELECT item, remaining FROM stall.stock"))}
            states = {row.id: row.state for row in scope.run(text("SELECT id, state FROM checkout.quote"))}
        for item, number in self.model.stock.items():
            name = item.partition("purse ")[2]
            assert stock[f"purse {self.shop.member(name)}" if name else item] == number, item
        assert states == {one.quote.id: one.state for one in self.orders}

    def teardown(self):
        if hasattr(self, "shop"):
            assert sorted(self.shop.asked_back()) == sorted(self.model.asked)
            assert self.shop.violations() == []


def run(open_shop, **more):
    class OfThisPlatform(Machine):
        pass

    OfThisPlatform.open_shop = staticmethod(open_shop)
    quiet = list(HealthCheck)
    run_state_machine_as_test(
        OfThisPlatform,
        settings=settings(stateful_step_count=14, deadline=None, suppress_health_check=quiet, **more),
    )


def test_any_history_comes_to_what_a_simple_model_says(open_shop):
    run(open_shop, max_examples=int(os.environ.get("SEQUENCES", "12")))


# --- Mistakes that are planted, each seen by a history ---------------------------------------------------------


class Sole:
    """Draws the first that there is."""

    @staticmethod
    def draw(strategy):
        return strategy.elements[0]


def untold(patch):
    """The rules do not hear that something is released."""
    patch.setattr("threepeat.events.pricing.Prices.release", lambda *_: None)


def late(machine):
    machine.quote("ann", coupon=True, campaign=False, pay=0)
    machine.reserve(Sole)
    machine.wait(6)


def never_counted(patch):
    """What came before its payment is forgotten."""
    patch.setattr("threepeat_checkout.returns.count_waiting", lambda *_: None)


def early(machine):
    machine.quote("ann", coupon=False, campaign=False, pay=700)
    machine.refund(Sole, {}, 1)
    machine.pay(Sole, second=False, more=0)


def rounded_up(patch):
    """A part is rounded in the store's favour."""
    patch.setattr(
        Quote, "part", lambda _self, one, line, units: -(-one.shares.get(line.id, 0) * units // line.quantity)
    )


def part(machine):
    machine.quote("ann", coupon=False, campaign=False, pay=200)
    machine.pay(Sole, second=False, more=0)
    machine.refund(Sole, {"t": 1}, 4)


def claimed_twice(patch):
    """A payment that comes again is taken for another one."""
    real = reactions._claim
    patch.setattr(reactions, "_claim", lambda ctx, events: real(ctx, events) | {one.order_id for one in events})


def again(machine):
    machine.quote("ann", coupon=True, campaign=False, pay=0)
    machine.pay(Sole, second=False, more=0)
    machine.everything_comes_again(Sole)


@pytest.mark.parametrize(
    ("steps", "plant"),
    [(late, untold), (early, never_counted), (part, rounded_up), (again, claimed_twice)],
    ids=lambda one: one.__name__,
)
def test_the_model_sees_a_checkout_that_is_wrong(open_shop, monkeypatch, steps, plant):
    def take():
        machine = Machine()
        machine.open_shop = open_shop
        machine.begin()
        steps(machine)
        machine.the_store_is_what_the_model_says()
        machine.teardown()

    take()
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        take()
