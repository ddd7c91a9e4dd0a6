"""Any history of orders, refunds, late and doubled events, reviews, floors, rule changes and merges.

It comes to what a simple model says, which knows days and sums, and nothing of batches, windows in SQL, and rows.
"""

import os
from collections import defaultdict
from datetime import date, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DAY = timedelta(days=1)
FIRST = date(2025, 1, 10)
NAMES = "abc"
EXAMPLES = int(os.environ.get("HISTORIES", "6"))

EVENT = st.one_of(
    st.tuples(st.just("pay"), st.integers(1, 12), st.integers(0, 40), st.just(0)),
    st.tuples(st.just("pay"), st.integers(1, 12), st.integers(0, 40), st.just(0)),
    st.tuples(st.just("refund"), st.integers(0, 12), st.integers(1, 12), st.just(0)),
    st.tuples(st.just("loose"), st.sampled_from(NAMES), st.integers(1, 5), st.just(0)),
    st.tuples(st.just("visit"), st.sampled_from(NAMES), st.integers(0, 3), st.just(0)),
    st.tuples(st.just("again"), st.integers(0, 30), st.just(0), st.just(0)),
)
STEP = st.one_of(
    st.tuples(st.just("batch"), st.lists(EVENT, min_size=1, max_size=8)),
    st.tuples(st.just("batch"), st.lists(EVENT, min_size=1, max_size=8)),
    st.tuples(st.just("wait"), st.integers(1, 75)),
    st.tuples(st.just("grant"), st.sampled_from(NAMES), st.integers(1, 3), st.integers(0, 40)),
    st.tuples(st.just("rules"), st.sampled_from([(400, 300, 30), (600, 500, 0), (500, 200, 10)])),
    st.tuples(st.just("merge"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
)
WINDOW = st.sampled_from(["rolling", "calendar_year", "membership_year", "lifetime"])


class Rules:
    """Level 1 from 0; level 2 and its threshold to keep it; level 3 from 900, kept by 700."""

    def __init__(self, window, qualify, keep, grace, version):
        self.window, self.grace, self.version = window, grace, version
        self.ask, self.keep = {1: 0, 2: qualify, 3: 900}, {1: 0, 2: keep, 3: 700}

    def reached(self, growth):
        return max(level for level, least in self.ask.items() if growth >= least)

    def start(self, joined, day):
        if self.window == "rolling":
            return day - 59 * DAY
        if self.window == "calendar_year":
            return date(day.year, 1, 1)
        if self.window == "membership_year":
            return joined.replace(
                year=day.year if (day.month, day.day) >= (joined.month, joined.day) else day.year - 1
            )
        return date.min

    def next_review(self, joined, day):
        if self.window == "calendar_year":
            return date(day.year + 1, 1, 1)
        if self.window == "membership_year":
            return self.start(joined, day).replace(year=self.start(joined, day).year + 1)
        return (day.replace(day=1) + 32 * DAY).replace(day=1)

    def worse_than(self, other):
        return (
            self.ask[2] > other.ask[2] or self.keep[2] > other.keep[2] or self.grace < other.grace
            or self.window != other.window
        )  # fmt: skip


class Person:
    """What a model knows of a person."""

    def __init__(self, rules, day):
        self.rules, self.joined, self.earned = rules, day, 0
        self.reviewed, self.due, self.grace, self.fell = None, rules.next_review(day, day), None, None


class Model:
    def __init__(self, window):
        self.window, self.rules = window, Rules(window, 500, 400, 10, 1)
        self.today, self.who = FIRST, {name: name for name in NAMES}
        self.people, self.growth = {}, defaultdict(lambda: defaultdict(int))
        self.orders, self.refunds, self.visits = {}, defaultdict(int), defaultdict(int)
        self.floors = defaultdict(list)

    def sum(self, who, first, last):
        return max(sum(value for day, value in self.growth[who].items() if first <= day <= last), 0)

    def grow(self, name, day, value):
        who = self.who[name]
        self.growth[who][day] += value
        person = self.people.setdefault(who, Person(self.rules, day))
        self.give_back(who, person, day)
        self.climb(who, person, max(day, person.reviewed or day))

    def give_back(self, who, person, late):
        """What comes in late for the window of a fall is judged as if it had been there."""
        if person.fell and person.fell[2] <= late < person.reviewed:
            rules, lost, first = person.fell
            growth = self.sum(who, first, person.reviewed - DAY)
            level = lost if growth >= rules.keep[lost] else min(rules.reached(growth), lost)
            person.earned = max(person.earned, level)

    def climb(self, who, person, first):
        rules = person.rules
        ends = {first, *(day for day in self.growth[who] if day > first)}
        ends = [day for day in ends if rules.start(person.joined, day) <= first]
        level = max(rules.reached(self.sum(who, rules.start(person.joined, day), day)) for day in ends)
        if level > person.earned:
            person.earned, person.grace = level, None
            person.due = max(person.due, rules.next_review(person.joined, first))

    def meet(self, who):
        if who not in self.people:
            self.people[who] = Person(self.rules, self.today)
            self.climb(who, self.people[who], self.today)

    def pay(self, order, name, yuan, day):
        left = max(yuan - self.refunds[order], 0)
        self.orders[order] = (name, yuan, day)
        self.grow(name, day, left)

    def refund(self, order, yuan):
        before = self.refunds[order]
        self.refunds[order] += yuan
        if order in self.orders:
            name, total, day = self.orders[order]
            self.growth[self.who[name]][day] -= min(before + yuan, total) - min(before, total)

    def visit(self, name, day):
        self.visits[self.who[name], day] += 1
        if self.visits[self.who[name], day] <= 2:
            self.grow(name, day, 60)
        else:
            self.grow(name, day, 0)

    def wait(self, days):
        self.today += days * DAY
        for who, person in self.people.items():
            while person.due <= self.today:
                self.review(who, person)

    def review(self, who, person):
        rules, day = person.rules, person.due
        first = person.grace or rules.start(person.joined, day - DAY)
        growth, fell = self.sum(who, first, day - DAY), None
        if rules.reached(growth) >= person.earned:
            person.earned = rules.reached(growth)
        elif growth < rules.keep[person.earned]:
            if rules.grace and person.grace is None:
                person.grace, person.due = first, day + rules.grace * DAY
                return
            fell = rules, person.earned, first
            person.earned = max(person.earned - 1, rules.reached(growth))
        if person.rules is not self.rules:
            now = self.sum(who, self.rules.start(person.joined, day - DAY), day - DAY)
            person.rules, person.earned = self.rules, max(person.earned, self.rules.reached(now))
        person.reviewed, person.grace, person.fell = day, None, fell
        person.due = person.rules.next_review(person.joined, day)

    def change(self, qualify, keep, grace):
        if (qualify, keep, grace) == (self.rules.ask[2], self.rules.keep[2], self.rules.grace):
            return
        self.rules = Rules(self.window, qualify, keep, grace, self.rules.version + 1)
        for who, person in self.people.items():
            if person.rules is not self.rules and not self.rules.worse_than(person.rules):
                person.rules = self.rules
                self.climb(who, person, max(self.today, person.reviewed or self.today))

    def merge(self, source, target):
        old, new = self.who[source], self.who[target]
        for day, value in self.growth.pop(old, {}).items():
            self.growth[new][day] += value
        for who, day in list(self.visits):
            if who == old:
                self.visits[new, day] += self.visits.pop((who, day))
        self.floors[new] += self.floors.pop(old, [])
        self.who = {name: new if who == old else who for name, who in self.who.items()}
        one, other = self.people.pop(old, None), self.people.get(new)
        if one is None:
            return
        both = [one, other] if other else [one]
        kept = max(both, key=lambda person: (person.earned, person.due, person.rules.version))
        last = max((person.reviewed for person in both if person.reviewed), default=None)
        kept.fell = kept.fell if kept.reviewed == last else None
        kept.joined = min(person.joined for person in both)
        kept.reviewed = last
        self.people[new] = kept
        self.climb(new, kept, max(self.today, kept.reviewed or self.today))

    def level(self, who):
        earned = self.people[who].earned if who in self.people else 0
        return max([earned, *(level for level, last in self.floors[who] if self.today <= last)])


class Play:
    """The same steps for the model and the store."""

    def __init__(self, shop, model):
        self.shop, self.model, self.sent, self.number, self.orders = shop, model, [], 0, 0

    def batch(self, events):
        made = [found for event in events if (found := getattr(self, event[0])(*event[1:])) is not None]
        if made:
            self.shop.batch(*made)

    def pay(self, tens, ago):
        self.orders += 1
        order, name, day = f"o{self.orders}", NAMES[self.orders % 3], self.model.today - ago * DAY
        self.model.pay(order, name, tens * 50, day)
        return self.keep(self.shop.order(name, order, tens * 50, day))

    def refund(self, order, tens):
        """Of an order that was made, or will be."""
        self.number += 1
        name = NAMES[order % 3]
        self.model.refund(f"o{order}", tens * 20)
        return self.keep(self.shop.refund(name, f"r{self.number}", tens * 20, f"o{order}", self.model.today))

    def loose(self, name, tens):
        self.number += 1
        self.model.growth[self.model.who[name]][self.model.today] -= tens * 10
        return self.keep(self.shop.refund(name, f"r{self.number}", tens * 10, None, self.model.today))

    def visit(self, name, ago):
        self.model.visit(name, self.model.today - ago * DAY)
        return self.keep(self.shop.event("visit.made", name, self.model.today - ago * DAY))

    def again(self, number):
        return self.sent[number] if number < len(self.sent) else None

    def keep(self, event):
        self.sent.append(event)
        return event

    def do(self, what, *given):
        getattr(self, f"step_{what}")(*given)

    def step_batch(self, events):
        # A refund may come before its order in the log, in the same batch or long before.
        self.batch([(what, one, *([] if what == "again" else [two])) for what, one, two, _ in events])

    def step_wait(self, days):
        self.model.wait(days)
        self.shop.at(self.model.today)

    def step_grant(self, name, level, days):
        last = self.model.today + days * DAY
        self.model.floors[self.model.who[name]].append((level, last))
        who = self.model.who[name]
        self.model.meet(who)
        self.shop.grant(name, level, last)

    def step_rules(self, terms):
        qualify, keep, grace = terms
        self.shop.save(**{**BASE, "window": self.model.window, "grace_days": grace})
        self.shop.tier(2, name="b", qualify=qualify, retain=keep)
        self.shop.kit.worker.drain()
        self.model.change(*terms)

    def step_merge(self, source, target):
        if self.model.who[source] != self.model.who[target]:
            self.model.merge(source, target)
            self.shop.merge(source, target)


BASE = {"window_days": 60, "interactions": [{"kind": "visit.made", "growth": 60, "most_a_day": 2}]}

LEVELS = """
    SELECT i.value, s.level FROM tiers.standing s
    JOIN core.identity i ON i.tenant_id = s.tenant_id AND i.member_id = s.member_id WHERE s.tenant_id = :tenant
"""


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(window=WINDOW, steps=st.lists(STEP, min_size=4, max_size=16))
def test_any_history_comes_to_what_the_model_says(make_shop, window, steps):
    shop, model = make_shop(enable=("tiers",)), Model(window)
    shop.save(**BASE, window=window, grace_days=10)
    shop.tier(2, name="b", qualify=500, retain=400)
    shop.tier(3, name="c", qualify=900, retain=700)
    shop.batch(*(shop.event("page.viewed", name, page="home") for name in NAMES))
    play = Play(shop, model)
    for step in steps:
        play.do(*step)
        found = dict(shop.rows(LEVELS))
        assert {name: found.get(name, 0) for name in NAMES} == {
            name: model.level(model.who[name]) for name in NAMES
        }
    assert shop.faults() == []
    days = shop.rows("SELECT member_id, day, value FROM tiers.day_growth WHERE tenant_id = :tenant AND value <> 0")
    assert sum(value for _member, _day, value in days) == sum(sum(one.values()) for one in model.growth.values())
