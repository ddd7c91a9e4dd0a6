"""Any history of news, consents, nights, caps, permissions and switches, against a model of a few lines."""

import os
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

NAMES = st.sampled_from(["ann", "ann", "bob"])
KINDS = st.sampled_from(["told", "offer", "offer"])
HOUR = timedelta(hours=1)
QUIET_FROM, QUIET_UNTIL = 21, 9


class Model:
    """What should have become of everything; nothing of rows, locks and batches."""

    def __init__(self):
        self.hour = 12 + 2 * 24  # since Monday, 00:00 in the store
        self.per_day, self.per_week = 1, 3
        self.agrees = {}  # by name: the latest statement about marketing or the channel
        self.off, self.courier = set(), set()
        self.permits = {}
        self.sold = []  # (name, hour) of marketing that went
        self.waits = []  # [name, number, made at, until]
        self.states = {}  # by name: by number of the message
        self.suspended = {}

    @property
    def quiet(self):
        return self.hour % 24 >= QUIET_FROM or self.hour % 24 < QUIET_UNTIL

    def room(self, name):
        hours = [hour for who, hour in self.sold if who == name]
        today = sum(hour // 24 == self.hour // 24 for hour in hours)
        week = sum(hour // 168 == self.hour // 168 for hour in hours)
        return today < self.per_day and week < self.per_week

    def agreed(self, name):
        return self.agrees.get((name, "courier" if "offer" in self.courier else "inbox"), False)

    def state(self, name, purposes, yes):
        for purpose in purposes:
            for channel in ("inbox", "courier"):
                if purpose in {"marketing", f"marketing.{channel}"}:
                    self.agrees[name, channel] = yes
        if not yes:
            for one in list(self.waits):
                if one[0] == name and not self.agrees.get((name, one[4]), False):
                    self.waits.remove(one)
                    self.states[name][one[1]] = "withdrawn: refused"

    def say(self, name, kind, number, until):
        mine = self.states.setdefault(name, {})
        if kind in self.off:
            mine[number] = "held: off"
        elif kind == "offer" and self.suspended.get(name, 0) > self.hour:
            mine[number] = "held: not_taking_part"
        elif until is not None and until <= self.hour:
            mine[number] = "held: too_old"
        elif kind == "told":
            mine[number] = "sent" if kind not in self.courier else self.permitted(name)
        else:
            mine[number] = "queued"
            self.waits.append([name, number, self.hour, until, "courier" if "offer" in self.courier else "inbox"])
            if not self.quiet:
                self.look({name})

    def permitted(self, name):
        if not self.permits.get(name):
            return "held: no_permission"
        self.permits[name] -= 1
        return "sent"

    def look(self, names=None):
        """What becomes of marketing that waits, in the day."""
        for one in sorted(self.waits, key=lambda one: one[1]):
            name, number, _made, until, _channel = one
            if names is not None and name not in names:
                continue
            self.waits.remove(one)
            self.states[name][number] = self.judge(name, until)

    def judge(self, name, until):
        reasons = {
            "off": "offer" in self.off,
            "too_old": until is not None and until <= self.hour,
            "suspended": self.suspended.get(name, 0) > self.hour,
            "no_consent": not self.agreed(name),
        }
        held = next((f"held: {reason}" for reason, holds in reasons.items() if holds), None)
        if held:
            return held
        if not self.room(name):
            return "held: cap"
        found = self.permitted(name) if "offer" in self.courier else "sent"
        if found == "sent":
            self.sold.append((name, self.hour))
        return found


class Machine(RuleBasedStateMachine):
    """A store and its model; the test says how a store is opened."""

    open_shop = None

    @initialize()
    def begin(self):
        self.shop, self.model, self.number = self.open_shop(), Model(), 0
        self.shop.member("ann"), self.shop.member("bob")
        self.start = self.shop.now - self.model.hour * HOUR

    def settled(self):
        """Let a moment pass, so that of two statements one is the later."""
        self.shop.at(self.shop.now + timedelta(seconds=5), drain=False)

    @rule(name=NAMES, kind=KINDS, hours=st.sampled_from([None, None, None, 0, 6, 30]), again=st.booleans())
    def say(self, name, kind, hours, again):
        self.number += 1
        cause = f"n-{self.number}"
        until = None if hours is None else self.model.hour + hours
        given = None if until is None else self.start + until * HOUR
        self.shop.say(kind, name, cause=cause, until=given)
        if again:
            self.shop.say(kind, name, cause=cause, until=given)
        self.model.say(name, kind, self.number, until)

    @rule(
        name=NAMES, yes=st.sampled_from([True, True, False]), where=st.sampled_from(["", "", ".inbox", ".courier"])
    )
    def state(self, name, yes, where):
        self.settled()
        purpose = f"marketing{where}"
        event = self.shop.event("consent.changed", name, purpose=purpose, granted=yes)
        self.shop.batch(event)
        self.model.state(name, [purpose], yes)

    @rule(hours=st.sampled_from([1, 5, 10, 13]))
    def pass_time(self, hours):
        for _ in range(hours):
            self.model.hour += 1
            if self.model.hour % 24 == QUIET_UNTIL:
                self.model.look()
        # The worker is there at the end of the night, whenever that was.
        night = self.model.hour - (self.model.hour - QUIET_UNTIL) % 24
        before = round((self.shop.now - self.start) / HOUR)
        if before < night <= self.model.hour:
            self.shop.at(self.start + night * HOUR)
        self.shop.at(self.start + self.model.hour * HOUR)

    @rule(per_day=st.integers(0, 2), per_week=st.integers(1, 4))
    def change_the_caps(self, per_day, per_week):
        self.shop.save(per_day=per_day, per_week=per_week)
        self.model.per_day, self.model.per_week = per_day, per_week

    @rule(kind=st.sampled_from(["told", "offer"]))
    def switch(self, kind):
        off = kind in self.model.off
        self.shop.template(f"herald-{kind}", action="switch_on" if off else "switch_off")
        self.model.off ^= {kind}

    @rule(name=NAMES, count=st.integers(1, 2))
    def allow(self, name, count):
        self.shop.allow(name, count=count)
        self.model.permits[name] = self.model.permits.get(name, 0) + count

    @rule(name=NAMES, hours=st.sampled_from([0, 8, 30]))
    def suspend(self, name, hours):
        self.shop.suspend(name, until=self.start + (self.model.hour + hours) * HOUR)
        self.model.suspended[name] = self.model.hour + hours

    @invariant()
    def the_store_is_as_the_model_says(self):
        if not hasattr(self, "model"):
            return
        assert self.shop.violations() == []
        for name, states in self.model.states.items():
            assert self.shop.states(name) == [states[number] for number in sorted(states)], name
        used = self.shop.rows("SELECT coalesce(sum(granted - used), 0)::int FROM messages.permission")
        assert used == [(sum(self.model.permits.values()),)]


def run(open_shop, courier_for):
    """Run the machine; `courier_for` are the kinds that go by courier, which needs a permission for each."""

    class Run(Machine):
        @initialize()
        def begin(self):
            super().begin()
            for kind in sorted(courier_for):
                self.shop.rows(
                    """
                    INSERT INTO messages.template (tenant_id, plugin, kind, channel, revision, changed_at)
                    VALUES (:tenant, 'herald', :kind, 'courier', 2, core.now()) RETURNING 1
                    """,
                    kind=kind,
                )
            self.model.courier = set(courier_for)

    Run.open_shop = staticmethod(open_shop)
    run_state_machine_as_test(
        Run,
        settings=settings(
            max_examples=int(os.environ.get("SEQUENCES", "3")),
            stateful_step_count=18,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


@pytest.mark.usefixtures("courier")
@pytest.mark.parametrize("courier_for", [(), ("told", "offer")], ids=["inbox", "courier"])
def test_any_history(open_shop, courier_for):
    run(open_shop, courier_for)
