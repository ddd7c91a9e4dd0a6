"""Points through the whole house: events in, a worker's turn, balances out."""

import os
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from secrets import token_hex

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from threepeat.events.verify import verify
from threepeat.tenancy import members, switches
from threepeat.tenancy.switches import SwitchState

DAY = timedelta(days=1)
START = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.fixture
def store(make_tenant):
    return make_tenant(f"tea-{token_hex(6)}", enable=("points",))


@pytest.fixture
def shop(platform, store, send, worker):
    return Shop(platform, store, send, worker)


class Shop:
    """Orders and refunds of one store, and what they come to."""

    def __init__(self, platform, store, send, worker):
        self.platform, self.store, self._send, self._worker = platform, store, send, worker

    def paid(self, member, order, total, *, time=START, **more):
        return self._send(
            self.store,
            "order.paid",
            member,
            order_id=order,
            total=total,
            currency=self.store.store.currency,
            time=time,
            **more,
        )

    def refunded(self, member, refund, amount, *, order=None, time=START + DAY, **more):
        return self._send(
            self.store,
            "order.refunded",
            member,
            refund_id=refund,
            order_id=order,
            amount=amount,
            currency=self.store.store.currency,
            time=time,
            **more,
        )

    def serve(self):
        self._worker.drain()

    def rows(self, query, **binds):
        with self.platform.database.tenant(self.store.id) as scope:
            return scope.run(text(query), **binds)

    def balance(self, member):
        """(points in lots, debt), after the worker has run."""
        self.serve()
        row = self.rows(
            """
            SELECT coalesce((SELECT sum(remaining) FROM points.lot l
                             WHERE l.tenant_id = :tenant AND l.member_id = i.member_id), 0)::bigint AS points,
                   coalesce((SELECT debt FROM points.account a
                             WHERE a.tenant_id = :tenant AND a.member_id = i.member_id), 0) AS debt
            FROM core.identity i WHERE i.tenant_id = :tenant AND i.value = :member
            """,
            member=member,
        )[0]
        assert not self.violations()
        return row.points, row.debt

    def violations(self):
        return [f"{one.owner}.{one.name}" for one in verify(self.platform, self.store) if one.rows]

    def letters(self):
        return self.rows("SELECT plugin, position, error FROM core.dead_letter WHERE tenant_id = :tenant")


def test_an_order_earns_one_point_for_each_whole_unit_of_its_total(shop):
    shop.paid("ann", "1", 12_890)
    shop.paid("ann", "2", 99)
    assert shop.balance("ann") == (128, 0)


def test_a_currency_without_minor_units_earns_by_its_whole_units(make_tenant, platform, send, worker):
    shop = Shop(platform, make_tenant(f"tokyo-{token_hex(6)}", enable=("points",), currency="JPY"), send, worker)
    shop.paid("ann", "1", 1280)
    assert shop.balance("ann") == (1280, 0)


def test_the_rate_is_a_setting(shop):
    with shop.platform.database.tenant(shop.store.id) as scope:
        switches.save_settings(
            scope,
            shop.store,
            shop.platform.registry,
            shop.platform.keyring,
            "points",
            {"points_per_unit": 3, "expires_after_days": None},
            revision=None,
            by="test",
        )
    shop.paid("ann", "1", 1_050)
    assert shop.balance("ann") == (30, 0)
    assert shop.rows("SELECT expires_at FROM points.lot WHERE tenant_id = :tenant")[0].expires_at is None


def test_an_order_earns_once_however_often_and_by_whatever_events_it_is_reported(shop):
    shop.paid("ann", "1", 5_000, id="a")
    shop.paid("ann", "1", 5_000, id="a")
    shop.paid("ann", "1", 5_000, id="b")
    shop.serve()
    shop.paid("ann", "1", 7_000, id="c")
    assert shop.balance("ann") == (50, 0)
    assert not shop.letters()


def test_partial_refunds_leave_what_the_remaining_money_earns(shop):
    shop.paid("ann", "1", 1_050)
    shop.refunded("ann", "r1", 30, order="1")
    assert shop.balance("ann") == (10, 0)
    shop.refunded("ann", "r2", 30, order="1")
    assert shop.balance("ann") == (9, 0)
    shop.refunded("ann", "r3", 990, order="1")
    assert shop.balance("ann") == (0, 0)


def test_a_refund_beyond_the_orders_total_takes_no_more_than_the_order_gave(shop):
    shop.paid("ann", "1", 1_000)
    shop.paid("ann", "2", 1_000)
    shop.refunded("ann", "r1", 9_000, order="1")
    assert shop.balance("ann") == (10, 0)


def test_the_same_refund_reported_twice_counts_once(shop):
    shop.paid("ann", "1", 1_000)
    shop.refunded("ann", "r1", 500, order="1", id="a")
    shop.refunded("ann", "r1", 500, order="1", id="b")
    shop.serve()
    shop.refunded("ann", "r1", 500, order="1", id="c")
    assert shop.balance("ann") == (5, 0)


def test_a_refund_that_comes_before_its_order_is_taken_off_when_the_order_comes(shop):
    shop.refunded("ann", "r1", 400, order="1")
    assert shop.balance("ann") == (0, 0)
    shop.paid("ann", "1", 1_000)
    assert shop.balance("ann") == (6, 0)


def test_a_refund_without_an_order_takes_the_earliest_open_lots_and_leaves_a_debt(shop):
    shop.paid("ann", "1", 1_000, time=START)
    shop.paid("ann", "2", 1_000, time=START + DAY)
    shop.refunded("ann", "r1", 1_500, time=START + 2 * DAY)
    assert shop.balance("ann") == (5, 0)
    left = shop.rows("SELECT order_id, remaining FROM points.lot WHERE tenant_id = :tenant ORDER BY order_id")
    assert [tuple(row) for row in left] == [("1", 0), ("2", 5)]
    shop.refunded("ann", "r2", 2_000, time=START + 3 * DAY)
    assert shop.balance("ann") == (0, 15)
    shop.paid("ann", "3", 1_000, time=START + 4 * DAY)
    assert shop.balance("ann") == (0, 5)
    shop.paid("ann", "4", 1_000, time=START + 5 * DAY)
    assert shop.balance("ann") == (5, 0)


def test_a_refund_takes_nothing_from_lots_that_had_expired_by_then(shop):
    shop.paid("ann", "1", 1_000, time=START - 1000 * DAY)
    shop.paid("ann", "2", 1_000, time=START)
    shop.refunded("ann", "r1", 1_500, time=START + DAY)
    assert shop.balance("ann") == (0, 5)  # the 10 of the expired lot are written off: nobody can spend them
    breakage = shop.rows("SELECT breakage FROM points.entry WHERE tenant_id = :tenant AND kind = 'expired'")
    assert [tuple(row) for row in breakage] == [(10,)]


def test_expired_points_are_not_in_the_balance_that_the_member_sees(shop, client, make_key):
    shop.paid("ann", "1", 1_000, time=datetime.now(UTC) - 731 * DAY)
    shop.paid("ann", "2", 2_000, time=datetime.now(UTC) - 100 * DAY)
    shop.serve()
    token = member_token(client, make_key(shop.store, "manage"), "ann")
    answer = client.get("/v1/me/points/balance", headers=token).json()
    assert (answer["available"], answer["debt"]) == (20, 0)
    history = client.get("/v1/me/points/history", headers=token).json()["entries"]
    assert [entry["points"] for entry in history] == [20, 10]


def test_history_comes_in_pages(shop, client, make_key):
    for number in range(5):
        shop.paid("ann", str(number), 1_000)
    shop.serve()
    token = member_token(client, make_key(shop.store, "manage"), "ann")
    first = client.get("/v1/me/points/history?limit=3", headers=token).json()
    second = client.get(f"/v1/me/points/history?limit=3&before={first['next']}", headers=token).json()
    references = [entry["reference"] for entry in first["entries"] + second["entries"]]
    assert references == [f"order:{number}" for number in (4, 3, 2, 1, 0)]
    assert second["next"] is None


@pytest.mark.parametrize("query", ["before=0", "before=9223372036854775808", "limit=101", "limit=x", "limit=NaN"])
def test_hostile_paging_is_refused_by_name(shop, client, make_key, query):
    shop.paid("ann", "1", 1_000)
    token = member_token(client, make_key(shop.store, "manage"), "ann")
    answer = client.get(f"/v1/me/points/history?{query}", headers=token)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


def test_members_of_the_comparison_group_earn_nothing_and_owe_nothing(shop):
    with shop.platform.database.tenant(shop.store.id) as scope:
        switches.save_settings(
            scope,
            shop.store,
            shop.platform.registry,
            shop.platform.keyring,
            "points",
            {},
            revision=None,
            holdout_percent=50,
            by="test",
        )
        ids = members.resolve(scope, shop.platform.keyring, [f"m{number}" for number in range(60)])
    for name in ids:
        shop.paid(name, f"order of {name}", 1_000)
        shop.refunded(name, f"refund of {name}", 300)
    shop.serve()
    held = {
        row.value
        for row in shop.rows("""
            SELECT i.value FROM core.identity i
            JOIN core.member m ON m.tenant_id = i.tenant_id AND m.id = i.member_id
            JOIN core.activation a ON a.tenant_id = i.tenant_id AND a.plugin = 'points'
            WHERE i.tenant_id = :tenant AND core.held_out(a.holdout_key, a.holdout_percent, m.holdout_unit)
        """)
    }
    assert 10 < len(held) < 50
    for name in ids:
        assert shop.balance(name) == ((0, 0) if name in held else (7, 0))


def test_an_exempt_member_earns_whatever_the_comparison_group_says(shop):
    with shop.platform.database.tenant(shop.store.id) as scope:
        for number in range(30):
            members.put(scope, shop.platform.keyring, f"m{number}", exempt=True)
        scope.run(
            text("UPDATE core.activation SET holdout_percent = 50 WHERE tenant_id = :tenant AND plugin = 'points'")
        )
    for number in range(30):
        shop.paid(f"m{number}", str(number), 1_000)
    assert all(shop.balance(f"m{number}") == (10, 0) for number in range(30))


def test_while_closing_nothing_is_earned_and_refunds_still_reverse(shop):
    shop.paid("ann", "1", 1_000)
    shop.serve()
    with shop.platform.database.tenant(shop.store.id) as scope:
        left = switches.disable(
            scope, shop.store, shop.platform.registry, "points", by="test", act=shop.platform.act
        )
    assert left.state is SwitchState.CLOSING
    assert left.slot is None
    shop.paid("ann", "2", 1_000)
    shop.refunded("ann", "r1", 400, order="1")
    assert shop.balance("ann") == (6, 0)


def test_a_tactic_that_owes_nothing_is_off_at_once(shop):
    with shop.platform.database.tenant(shop.store.id) as scope:
        left = switches.disable(
            scope, shop.store, shop.platform.registry, "points", by="test", act=shop.platform.act
        )
    assert left.state is SwitchState.OFF


def test_earning_is_told_to_the_log_with_the_order_as_its_cause(shop):
    shop.paid("ann", "1", 1_000)
    shop.serve()
    told = shop.rows("SELECT * FROM core.event WHERE tenant_id = :tenant AND type = 'points.earned'")
    assert len(told) == 1
    assert told[0].data["order_id"] == "1"
    assert told[0].data["points"] == 10
    assert (told[0].source, told[0].depth, told[0].occurred_at) == ("plugin:points", 1, START)


def test_two_stores_with_the_same_ids_never_meet(platform, make_tenant, send, worker):
    first = Shop(platform, make_tenant(f"one-{token_hex(6)}", enable=("points",)), send, worker)
    second = Shop(platform, make_tenant(f"two-{token_hex(6)}", enable=("points",)), send, worker)
    first.paid("ann", "1", 1_000, id="same")
    second.paid("ann", "1", 7_000, id="same")
    second.refunded("ann", "r", 2_000, order="1", id="back")
    assert first.balance("ann") == (10, 0)
    assert second.balance("ann") == (50, 0)


@pytest.mark.parametrize(
    ("statement", "alarm"),
    [
        ("UPDATE points.lot SET remaining = remaining - 1 WHERE tenant_id = :tenant", "points.journal"),
        ("UPDATE points.account SET debt = 1 WHERE tenant_id = :tenant", "points.journal"),
        (
            """
            INSERT INTO points.entry
                (tenant_id, member_id, reference, kind, points, occurred_at, available, expense)
            SELECT :tenant, member_id, 'gift', 'earned', 5, now(), 5, -5
            FROM points.account WHERE tenant_id = :tenant
            """,
            "points.journal",
        ),
        ("UPDATE points.lot SET waiting = true WHERE tenant_id = :tenant", "points.journal"),
        (
            "UPDATE points.lot SET remaining = remaining - 1, expired = 1 WHERE tenant_id = :tenant",
            "points.journal",
        ),
        ("UPDATE points.lot SET order_refunded = 500 WHERE tenant_id = :tenant", "points.orders"),
        ("UPDATE orders.buyer SET paid = paid + 1 WHERE tenant_id = :tenant", "orders.buyers"),
        ("UPDATE orders.header SET refunded = 1 WHERE tenant_id = :tenant", "orders.refunded"),
    ],
)
def test_verify_sees_every_kind_of_planted_violation(shop, statement, alarm):
    shop.paid("ann", "1", 1_000)
    shop.serve()
    assert shop.violations() == []
    shop.rows(statement)
    assert shop.violations() == [alarm]


def test_the_app_can_neither_change_nor_delete_the_journal(shop):
    from sqlalchemy.exc import ProgrammingError

    shop.paid("ann", "1", 1_000)
    shop.serve()
    for statement in ("UPDATE points.entry SET points = 99", "DELETE FROM points.entry"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            shop.rows(statement)


ORDERS = st.integers(0, 5)
STEP = st.one_of(
    st.tuples(st.just("paid"), st.sampled_from("ab"), ORDERS, st.integers(0, 3_000)),
    st.tuples(st.just("refunded"), st.sampled_from("ab"), st.one_of(st.none(), ORDERS), st.integers(0, 3_000)),
    st.tuples(st.just("serve"), st.none(), st.none(), st.none()),
)


@settings(
    max_examples=int(os.environ.get("SEQUENCES", "20")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, max_size=25))
def test_any_history_comes_to_what_a_simple_model_says(make_tenant, platform, send, worker, steps):
    """The model knows orders and refunds only; lots, debts and batches must not show in the sum."""
    shop = Shop(platform, make_tenant(f"run-{token_hex(6)}", enable=("points",)), send, worker)
    totals: dict[tuple[str, str], int] = {}
    refunds: dict[tuple[str, str], int] = defaultdict(int)
    loose: dict[str, int] = defaultdict(int)
    waiting: list[dict[str, object]] = []
    for number, (what, member, place, amount) in enumerate([*steps, ("serve", None, None, None)]):
        time = START + timedelta(hours=number)
        order = None if place is None else f"{member}{place}"
        if what == "serve":
            if waiting:
                send.batch(shop.store, waiting)
            waiting = []
            shop.serve()
        elif what == "paid":
            data = {"order_id": order, "total": amount, "currency": "CNY"}
            waiting.append(send.event("order.paid", member, time=time, **data))
            totals.setdefault((member, order), amount)
        else:
            data = {"refund_id": f"r{number}", "order_id": order, "amount": amount, "currency": "CNY"}
            waiting.append(send.event("order.refunded", member, time=time, **data))
            if order is None:
                loose[member] += amount // 100
            else:
                refunds[member, order] += amount
    for member in {step[1] for step in steps} - {None}:
        earned = sum(max(total - refunds[key], 0) // 100 for key, total in totals.items() if key[0] == member)
        points, debt = shop.balance(member)
        assert points - debt == earned - loose[member]
    assert not shop.letters()


def member_token(client, key, member):
    answer = client.post(f"/v1/members/{member}/token", headers={"authorization": f"Bearer {key}"})
    return {"authorization": f"Bearer {answer.json()['token']}"}
