"""Any history of quotes, seats, payments, refunds and time, late and twice, against a model of a few lines."""

import os
from itertools import count

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

from threepeat.sdk import Refused
from threepeat_groupbuy import ending, routes

NAMES = st.sampled_from(["ann", "bob", "eve", "joe"])
STAYS, LIVES = 30, 60  # minutes; time passes in steps of seven, so nothing is on the edge
SIZE = 3


class Group:
    """A group: who has paid, in order, and until when it is looked at."""

    def __init__(self, number, now):
        self.number, self.state, self.paid, self.ever = number, "open", [], []
        self.expires = self.looks = now + LIVES


class Order:
    """A quote, and what the model knows of it."""

    def __init__(self, quote, name, group, now):
        self.quote, self.name, self.chosen, self.until = quote, name, group, now + STAYS
        self.state, self.group, self.moved, self.paid, self.back, self.asked = (
            "quoted",
            group,
            False,
            False,
            False,
            "",
        )

    @property
    def open(self):
        return self.state in {"held", "joined"}


class Model:
    """Groups and orders; nothing of rows, locks and batches."""

    def __init__(self):
        self.groups, self.orders, self.now, self.closing = [], [], 0, False

    def taken(self, group):
        held = [one for one in self.orders if one.state == "held" and one.group is group]
        return len(group.paid) + len(held)

    def free(self, group):
        return group.state == "open" and group.expires > self.now and self.taken(group) < SIZE

    def busy(self, name):
        return any(one.open for one in self.orders if one.name == name)

    def offered(self, name, group):
        return not self.busy(name) and (self.free(group) if group else not self.closing)

    def hold(self, one):
        """What a command to hold comes to."""
        if one.until < self.now:
            return "quote-expired"
        if one.chosen is None and self.closing:
            return "over"
        if self.busy(one.name):
            return "in-a-group"
        if one.chosen and not self.free(one.chosen):
            return "group-full"
        one.state, one.group, one.until = "held", one.chosen, self.now + STAYS
        return "reserved"

    def pay(self, one):
        if one.paid:
            return
        one.paid = True
        if one.state != "held" or one.until < self.now:
            one.state = "released"
            if self.busy(one.name):
                one.asked = "quote-gone"
                return
            chosen = one.chosen if one.chosen and self.free(one.chosen) else None
            one.state, one.group = "held", chosen
        self.place(one)
        if one.back:
            self.leave(one)
            one.asked += " refunded" if one.asked == "late" else ""

    def place(self, one):
        opens = one.chosen is None
        if one.group is None or one.group.state != "open":
            one.group = None
            others = [] if opens and not self.closing else [g for g in self.groups if self.free(g)]
            one.moved = not opens or bool(others)
            if others:
                one.group = min(others, key=lambda group: (group.expires, group.number))
            elif self.closing:
                one.state, one.asked, one.moved = "failed", "late", False
                return
            else:
                one.group = Group(len(self.groups), self.now)
                self.groups.append(one.group)
        one.state = "joined"
        one.group.paid.append(one)
        if len(one.group.paid) >= SIZE:
            self.end(one.group)

    def refund(self, one):
        one.back = True
        if one.asked in {"failed", "late", "left"}:
            one.asked += " refunded"
        self.leave(one)

    def leave(self, one):
        if one.state == "joined":
            one.state = "left"
            one.group.paid.remove(one)
            if not one.group.paid:
                one.group.state = "failed"

    def end(self, group):
        done = len(group.paid) >= SIZE
        group.state = "succeeded" if done else "failed"
        for one in group.paid:
            one.state = group.state
            one.asked = one.asked if done else "failed"

    def pass_time(self, minutes):
        self.now += minutes
        for one in self.orders:
            if one.state == "held" and one.until < self.now:
                one.state = "released"
        for group in self.groups:
            if group.state == "open" and group.looks < self.now:
                waits = [one.until for one in self.orders if one.state == "held" and one.group is group]
                if waits:
                    group.looks = max(waits)
                else:
                    self.end(group)


class Machine(RuleBasedStateMachine):
    """A store and its model; the test says how a store is opened."""

    open_shop = None

    @initialize()
    def begin(self):
        self.shop, self.model, self.numbers = self.open_shop(), Model(), count(1)
        self.campaign = self.shop.campaign(size=SIZE, hours=1)
        self.sent, self.ids = [], []

    @property
    def on(self):
        return not self.model.closing or self.shop.state() == "closing"

    def pick(self, data, *states):
        return data.draw(st.sampled_from([one for one in self.model.orders if not states or one.state in states]))

    def group_id(self, group):
        return self.shop.rows("SELECT id FROM groupbuy.team ORDER BY id")[group.number][0]

    def ask(self, what, one):
        try:
            return self.shop.ask(what, one.name, one.quote.id).state
        except Refused as error:
            return error.code

    @precondition(lambda self: self.on)
    @rule(name=NAMES, data=st.data())
    def quote(self, name, data):
        group = data.draw(st.sampled_from([None, *self.model.groups]))
        number = None if group is None else self.group_id(group)
        quote = self.shop.quote(name, self.campaign, number)
        assert bool(quote.quote.applied) == self.model.offered(name, group)
        if quote.quote.applied:
            self.model.orders.append(Order(quote, name, group, self.model.now))

    @precondition(lambda self: self.on and any(one.state == "quoted" for one in self.model.orders))
    @rule(data=st.data())
    def reserve(self, data):
        one = self.pick(data, "quoted")
        if not one.paid:
            assert self.ask("reserve", one) == self.model.hold(one)

    @precondition(lambda self: self.on and any(one.state == "held" for one in self.model.orders))
    @rule(data=st.data())
    def release(self, data):
        one = self.pick(data, "held")
        assert self.ask("release", one) == "released"
        one.state = "released"

    @precondition(lambda self: self.on and self.model.orders)
    @rule(data=st.data(), twice=st.booleans(), back=st.booleans())
    def pay(self, data, twice, back=False):
        """Pay for an order, and perhaps have the money back in the same batch."""
        one = self.pick(data)
        events = [self.shop.paid(one.quote, one.name) for _ in range(1 + twice)]
        back = back and not one.back
        if back:
            events.append(self.shop.refunded(one.quote, one.name))
        self.shop.batch(*events)
        self.sent += events
        self.model.pay(one)
        if back:
            self.model.refund(one)

    @precondition(lambda self: self.on and any(not one.back for one in self.model.orders))
    @rule(data=st.data())
    def refund(self, data):
        one = data.draw(st.sampled_from([one for one in self.model.orders if not one.back]))
        event = self.shop.refunded(one.quote, one.name)
        self.shop.batch(event)
        self.sent.append(event)
        self.model.refund(one)

    @precondition(lambda self: self.on and self.sent)
    @rule(data=st.data())
    def everything_comes_again(self, data):
        """With new ids, so that only what was kept can tell that it was here before."""
        shuffled = data.draw(st.permutations(self.sent)) if len(self.sent) > 1 else self.sent
        self.shop.batch(*({**one, "id": f"again-{next(self.numbers)}"} for one in shuffled))

    @precondition(lambda self: self.on and any(one.state == "joined" for one in self.model.orders))
    @rule(data=st.data())
    def leave(self, data):
        one = self.pick(data, "joined")
        number, member = str(self.group_id(one.group)), self.shop.member(one.name)

        def tap():
            return self.shop.act("groupbuy", lambda ctx: routes.leave(ctx, number), member=member)

        if one.moved:
            tap()
            one.asked = "left"
            self.model.leave(one)
        else:
            with pytest.raises(Refused):
                tap()

    @precondition(lambda self: self.on)
    @rule(steps=st.integers(1, 6))
    def wait(self, steps):
        self.shop.wait(minutes=7 * steps)
        self.model.pass_time(7 * steps)

    @precondition(lambda self: not self.model.closing and any(one.open for one in self.model.orders))
    @rule()
    def close(self):
        self.shop.switch()
        self.model.closing = True

    @precondition(lambda self: not self.on)
    @rule()
    def nothing_is_owed_any_more(self):
        assert not any(one.open for one in self.model.orders)

    @invariant()
    def the_store_is_what_the_model_says(self):
        if not hasattr(self, "shop"):
            return
        model, shop = self.model, self.shop
        found = {}
        for reservation, state, leads in shop.rows(
            "SELECT reservation, state, leads FROM groupbuy.seat ORDER BY length(reservation), reservation"
        ):
            found[reservation.partition(".")[0]] = (state, leads and state == "joined")
        heads = {id(group.paid[0]) for group in model.groups if group.state == "open"}
        assert found.keys() <= {one.quote.id for one in model.orders}
        for one in model.orders:
            state, leads = found.get(one.quote.id, ("quoted", False))
            assert (state, leads) == (one.state, id(one) in heads) or (one.state, state) == ("released", "quoted")
        teams = shop.rows("SELECT state, taken, joined FROM groupbuy.team ORDER BY id")
        seats_of = [model.taken(group) for group in model.groups]
        assert teams == [
            (group.state, taken, len(group.paid)) for group, taken in zip(model.groups, seats_of, strict=True)
        ]
        assert all(taken <= SIZE for taken in seats_of)
        asked = {(one.quote.id, one.asked) for one in model.orders if one.asked not in {"", "quote-gone"}}
        rows = shop.rows("SELECT order_id, reason, state FROM groupbuy.refund")
        assert asked == {
            (order.removeprefix("o-"), reason if state == "asked" else f"{reason} {state}")
            for order, reason, state in rows
        }

    def teardown(self):
        if not hasattr(self, "shop"):
            return
        model, shop = self.model, self.shop
        if self.on:
            shop.wait(hours=3)
            shop.wait(hours=3)
        assert shop.rows("SELECT count(*) FROM groupbuy.team WHERE state = 'open'") == [(0,)], "0 stuck"
        if model.closing:
            owed = shop.rows("SELECT order_id, member_id, amount FROM groupbuy.refund WHERE state = 'asked'")
            names = {number: name for name, number in shop.ids.items()}
            for order, member, amount in owed:
                data = {"refund_id": f"end-{order}", "order_id": order, "amount": amount, "currency": "CNY"}
                shop.batch(shop.event("order.refunded", names[member], **data))
            shop.wait(hours=1)
            assert shop.state() == "off"
        assert shop.violations() == []


def run(open_shop, **more):
    class OfThisPlatform(Machine):
        pass

    OfThisPlatform.open_shop = staticmethod(open_shop)
    quiet = list(HealthCheck)
    run_state_machine_as_test(
        OfThisPlatform,
        settings=settings(stateful_step_count=16, deadline=None, suppress_health_check=quiet, **more),
    )


def test_any_history_comes_to_what_a_simple_model_says(open_shop):
    run(open_shop, max_examples=int(os.environ.get("SEQUENCES", "6")))


# --- Mistakes that are planted, each seen by a history ---------------------------------------------------------


class Sole:
    """Draws the first that there is, or the group that a step is about."""

    def __init__(self, group=None):
        self.group = group

    def draw(self, strategy):
        found = strategy.elements
        return self.group if self.group is not None and self.group in found else found[0]


def unreleased(patch):
    """A seat that was not paid is not given back to its group."""
    patch.setattr("threepeat.events.pricing.Prices.release", lambda *_: None)


def late(machine):
    opened(machine, "ann")
    machine.quote("bob", Sole(machine.model.groups[0]))
    machine.reserve(Sole())
    machine.wait(6)


def headless(patch):
    """Nobody leads after the head has left."""
    patch.setattr(ending, "leave", leave_without_head)


def leave_without_head(ctx, reservation, team, *, refund):
    del refund
    rows = ctx.sql("leave", reservation=reservation, team=team)
    return bool(rows and ctx.sql("one_less", team=team))


def head_leaves(machine):
    opened(machine, "ann")
    machine.quote("bob", Sole(machine.model.groups[0]))
    machine.reserve(Sole())
    machine.pay(Last(machine), twice=False)
    machine.refund(Sole())


def forgetful(patch):
    """A group that failed asks nothing back."""
    patch.setattr("threepeat_groupbuy.refunds.ask", lambda *_: None)


def fails(machine):
    opened(machine, "ann")
    machine.wait(6)
    machine.wait(6)


def opened(machine, name):
    machine.quote(name, Sole())
    machine.reserve(Sole())
    machine.pay(Last(machine), twice=False)


class Last:
    """Draws the newest order."""

    def __init__(self, machine):
        self.machine = machine

    def draw(self, strategy):
        del strategy
        return self.machine.model.orders[-1]


@pytest.mark.parametrize(
    ("steps", "plant"),
    [(late, unreleased), (head_leaves, headless), (fails, forgetful)],
    ids=lambda one: one.__name__,
)
def test_the_model_sees_groups_that_are_wrong(open_shop, monkeypatch, steps, plant):
    def take():
        machine = Machine()
        machine.open_shop = open_shop
        machine.begin()
        steps(machine)
        machine.the_store_is_what_the_model_says()

    take()
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        take()
