"""Points of members who are suspended, and of members who turn out to be one."""

import os
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from secrets import token_hex

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from threepeat.events import merging
from threepeat.events.verify import verify
from threepeat.tenancy import members
from threepeat.tenancy.members import Suspension

DAY = timedelta(days=1)
START = datetime(2026, 1, 10, 12, tzinfo=UTC)

BALANCE = """
    SELECT coalesce((SELECT sum(remaining) FROM points.lot WHERE tenant_id = :tenant AND member_id = :id), 0),
           coalesce((SELECT debt FROM points.account WHERE tenant_id = :tenant AND member_id = :id), 0)
"""
IDENTITY = (
    "INSERT INTO core.identity (tenant_id, kind, value, member_id) VALUES (:tenant, 'unionid', 'u', :source)"
)


class Shop:
    """Orders, refunds and merges of one store, and what they come to."""

    def __init__(self, platform, store, send, worker):
        self.platform, self.store, self._send, self._worker = platform, store, send, worker
        self._waiting = []

    def paid(self, member, order, total, *, time=START):
        data = {"order_id": order, "total": total, "currency": "CNY"}
        self._waiting.append(self._send.event("order.paid", member, time=time, **data))

    def refunded(self, member, refund, amount, *, order=None, time=START + DAY):
        data = {"refund_id": refund, "order_id": order, "amount": amount, "currency": "CNY"}
        self._waiting.append(self._send.event("order.refunded", member, time=time, **data))

    def flush(self):
        if self._waiting:
            self._send.batch(self.store, self._waiting)
        self._waiting = []

    def put(self, *names, **change):
        with self.platform.database.tenant(self.store.id) as scope:
            for name in names:
                members.put(scope, self.platform.keyring, name, **change)

    def id(self, name):
        with self.platform.database.tenant(self.store.id) as scope:
            return members.find(scope, name)

    def merge(self, source, target):
        self.flush()
        with self.platform.database.tenant(self.store.id) as scope:
            ids = members.find(scope, source), members.find(scope, target)
            if ids[0] != ids[1]:
                merging.merge(self.platform, scope, self.store, *ids, by="test")

    def balance(self, name):
        """(points in lots, debt) of whom a name leads to, after the worker has run."""
        self.flush()
        self._worker.drain()
        with self.platform.database.tenant(self.store.id) as scope:
            return tuple(map(int, scope.run(text(BALANCE), id=self.id(name))[0]))

    def violations(self):
        return [f"{one.owner}.{one.name}" for one in verify(self.platform, self.store) if one.rows]


@pytest.fixture
def open_shop(make_tenant, platform, send, worker):
    return lambda: Shop(platform, make_tenant(f"tea-{token_hex(6)}", enable=("points",)), send, worker)


def test_a_suspended_member_earns_nothing_and_refunds_still_reverse(open_shop):
    shop = open_shop()
    shop.paid("ann", "1", 5_000)
    assert shop.balance("ann") == (50, 0)
    shop.flush()
    shop.put("ann", suspension=Suspension(datetime.now(UTC) + DAY, "too many refunds"))
    shop.paid("ann", "2", 7_000)
    shop.paid("bob", "3", 1_000)
    assert shop.balance("ann") == (50, 0)
    assert shop.balance("bob") == (10, 0)
    shop.refunded("ann", "r1", 2_000, order="1")
    assert shop.balance("ann") == (30, 0)
    shop.refunded("ann", "r2", 4_000)
    assert shop.balance("ann") == (0, 10)
    shop.put("ann", suspension=Suspension(None))
    shop.paid("ann", "4", 3_000)
    assert shop.balance("ann") == (20, 0)
    assert shop.violations() == []


def test_a_suspension_that_is_over_holds_nothing_back(open_shop):
    shop = open_shop()
    shop.put("ann", suspension=Suspension(datetime.now(UTC) - timedelta(seconds=1)))
    shop.paid("ann", "1", 5_000)
    assert shop.balance("ann") == (50, 0)


def test_a_suspended_member_who_is_merged_takes_the_suspension_along(open_shop):
    shop = open_shop()
    shop.paid("wx", "1", 1_000)
    assert shop.balance("wx") == (10, 0)
    shop.put("wx", suspension=Suspension(datetime.now(UTC) + DAY))
    shop.put("app")
    shop.merge("wx", "app")
    shop.paid("app", "2", 1_000)
    assert shop.balance("app") == (10, 0)


@pytest.mark.parametrize(
    ("statement", "alarm"),
    [
        (IDENTITY, "core.merges"),
        (
            "UPDATE core.member SET merged_into = 1000000 WHERE tenant_id = :tenant AND id = :source",
            "core.members",
        ),
        ("UPDATE core.member SET merged_into = :source WHERE tenant_id = :tenant AND id = :source", "core.merges"),
        ("UPDATE core.member SET merged_into = NULL WHERE tenant_id = :tenant AND id = :source", "core.members"),
        ("UPDATE points.lot SET member_id = :source WHERE tenant_id = :tenant", "points.journal"),
        ("UPDATE orders.header SET member_id = :source WHERE tenant_id = :tenant", "orders.buyers"),
    ],
)
def test_verify_sees_a_merge_that_was_half_done(open_shop, statement, alarm):
    shop = open_shop()
    shop.paid("wx", "1", 1_000)
    shop.put("app")
    shop.balance("wx")
    source = shop.id("wx")
    shop.merge("wx", "app")
    assert shop.violations() == []
    with shop.platform.database.tenant(shop.store.id) as scope:
        scope.run(text(statement), source=source)
    assert alarm in shop.violations()


NAMES = "abcd"
ORDERS = st.integers(0, 3)
STEP = st.one_of(
    st.tuples(st.just("paid"), st.sampled_from(NAMES), ORDERS, st.integers(0, 3_000)),
    st.tuples(st.just("refunded"), st.sampled_from(NAMES), st.one_of(st.none(), ORDERS), st.integers(0, 3_000)),
    st.tuples(st.just("merge"), st.sampled_from(NAMES), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("serve"), st.none(), st.none(), st.none()),
)


class Model:
    """Knows orders, refunds and who is the same person; nothing of lots, debts and batches."""

    def __init__(self):
        self.person = {name: name for name in NAMES}
        self.totals: dict[str, tuple[str, int]] = {}
        self.refunds: dict[str, int] = defaultdict(int)
        self.loose: Counter[str] = Counter()

    def paid(self, name, order, total):
        self.totals.setdefault(order, (name, total))

    def refunded(self, name, order, amount):
        if order is None:
            self.loose[name] += amount // 100
        else:
            self.refunds[order] += amount

    def merge(self, source, target):
        old, new = self.person[source], self.person[target]
        self.person = {name: new if one == old else one for name, one in self.person.items()}

    def due(self, person):
        mine = {name for name, one in self.person.items() if one == person}
        earned = sum(
            max(total - self.refunds[order], 0) // 100
            for order, (name, total) in self.totals.items()
            if name in mine
        )
        return earned - sum(self.loose[name] for name in mine)


@settings(
    max_examples=int(os.environ.get("SEQUENCES", "20")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, max_size=30))
def test_any_history_with_merges_comes_to_what_a_simple_model_says(open_shop, steps):
    shop, model = open_shop(), Model()
    shop.put(*NAMES)
    for number, (what, name, place, amount) in enumerate(steps):
        time = START + timedelta(hours=number)
        order = f"{name}{place}"
        if what == "serve":
            shop.balance("a")
        elif what == "merge":
            shop.merge(name, place)
            model.merge(name, place)
        elif what == "paid":
            shop.paid(name, order, amount, time=time)
            model.paid(name, order, amount)
        else:
            shop.refunded(name, f"r{number}", amount, order=None if place is None else order, time=time)
            model.refunded(name, None if place is None else order, amount)
    for name, person in model.person.items():
        assert shop.id(name) == shop.id(person)
        points, debt = shop.balance(person)
        assert points - debt == model.due(person)
        assert not points or not debt
    assert shop.violations() == []
