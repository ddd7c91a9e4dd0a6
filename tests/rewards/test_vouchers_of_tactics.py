"""Tactics that give a chosen reward give vouchers: from the event to the wallet, with their cause and cost."""

import itertools
from datetime import UTC, datetime, timedelta
from secrets import token_hex

import httpx2
import pytest
from sqlalchemy import text

from threepeat.events import collections
from threepeat.events.stores import open_store
from threepeat.events.verify import verify
from threepeat.tenancy import keys, members, switches, tenants
from threepeat.testing.fixtures import Sender, serving
from threepeat.worker.loop import Worker

START = datetime(2026, 3, 2, 4, tzinfo=UTC)
DAY = timedelta(days=1)
WORTH = 500

REWARDS = """
    SELECT r.plugin, r.rule, r.amount, r.cost, e.type AS event, count(v.id) AS vouchers
    FROM core.reward r
    LEFT JOIN core.event e ON e.tenant_id = r.tenant_id AND e.position = r.cause
    LEFT JOIN vouchers.voucher v ON v.tenant_id = r.tenant_id AND v.grant_key = r.key AND v.member_id = r.member_id
    WHERE r.tenant_id = :tenant AND r.kind = 'vouchers' GROUP BY r.key, r.plugin, r.rule, r.amount, r.cost, e.type
    ORDER BY r.plugin, r.rule
"""


@pytest.fixture(scope="module")
def platform(cluster, tmp_path_factory):
    """One platform for the file; every test makes a store of its own."""
    with cluster.platform(tmp_path_factory.mktemp("data")) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(platform):
    with serving(platform) as url, httpx2.Client(base_url=url, timeout=60) as made:
        yield made


class Shop:
    """A store with one tactic, whose rewards are vouchers of one template."""

    def __init__(self, platform, client, tactic):
        self.platform, self.client, self.tactic = platform, client, tactic
        self.tenant = open_store(platform, f"shop-{token_hex(4)}", holdout=0, enable=[tactic], by="test")
        self.sender, self.worker = Sender(platform), Worker(platform)
        self._orders = itertools.count(1)
        self.at(START)

    def at(self, moment):
        with self.platform.database.ops.begin() as ops:
            tenants.set_clock(ops, self.tenant.id, moment)
        self.now = moment
        self.worker.drain()

    def template(self, **terms):
        with self.platform.database.tenant(self.tenant.id) as scope:
            opened = self.platform.inside(scope, self.tenant)
            values = {"name": "Five off", "kind": "fixed", "amount": WORTH, **terms}
            made = collections.create(opened, "vouchers", "templates", values, by="test")
            place = ("vouchers", "templates", made.id, "activate")
            collections.act(opened, *place, revision=made.revision, by="test")
            return made.id

    def save(self, budget=None, **values):
        registry, keyring = self.platform.registry, self.platform.keyring
        with self.platform.database.tenant(self.tenant.id) as scope:
            switches.save_settings(
                scope, self.tenant, registry, keyring, self.tactic, values,
                revision=None, monthly_budget=budget, by="test",
            )  # fmt: skip

    def send(self, kind, name, **data):
        self.sender(self.tenant, kind, name, time=self.now, **data)
        self.worker.drain()

    def paid(self, name):
        self.send("order.paid", name, order_id=f"o{next(self._orders)}", total=10_000, currency="CNY")

    def ask(self, method, path, name):
        with self.platform.database.tenant(self.tenant.id) as scope:
            member = members.resolve(scope, self.platform.keyring, [name])[name]
        token = keys.sign_token(self.platform.keyring, self.tenant.id, member, name, timedelta(hours=1))[0]
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": token_hex(8)}
        answer = self.client.request(method, f"/v1/me/{path}", headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wallet(self, name):
        return [(one["name"], one["state"]) for one in self.ask("GET", "vouchers/wallet", name)["vouchers"]]

    def rows(self, query):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return [tuple(row) for row in scope.run(text(query))]

    def spent(self):
        query = "SELECT coalesce(sum(spent), 0)::int FROM core.budget WHERE tenant_id = :tenant AND plugin = '{}'"
        return self.rows(query.format(self.tactic))[0][0]

    def faults(self):
        letters = self.rows("SELECT plugin, error FROM core.dead_letter WHERE tenant_id = :tenant")
        return letters + [f"{one.owner}.{one.name}" for one in verify(self.platform, self.tenant) if one.rows]


@pytest.fixture
def open_shop(platform, client):
    opened = []

    def make(tactic):
        opened.append(Shop(platform, client, tactic))
        return opened[-1]

    yield make
    assert [shop.faults() for shop in opened] == [[] for _ in opened]


def voucher(item, amount=1):
    return {"kind": "vouchers", "amount": amount, "item": item}


def test_a_newcomer_gets_vouchers_with_the_pack_and_with_the_second_order(open_shop):
    shop = open_shop("welcome")
    first, second = shop.template(), shop.template(name="Ten off", amount=2 * WORTH)
    shop.save(4 * WORTH, newcomers_only=False, rewards=[voucher(first, 2)], second_reward=voucher(second))
    shop.send("member.registered", "ann")
    assert shop.wallet("ann") == [("Five off", "usable")] * 2
    (coming,) = shop.ask("GET", "welcome/pack", "ann")["coming"]
    assert (coming["kind"], coming["item"], coming["amount"]) == ("vouchers", second, 1)
    for _ in range(2):
        shop.paid("ann")
    assert shop.wallet("ann") == [("Ten off", "usable")] + [("Five off", "usable")] * 2
    received = shop.ask("GET", "welcome/pack", "ann")["received"]
    assert [(one["part"], one["item"]) for one in received] == [("pack", first), ("second", second)]
    assert shop.rows(REWARDS) == [
        ("welcome", "pack-1", 2, 2 * WORTH, None, 2),
        ("welcome", "second-1", 1, 2 * WORTH, None, 1),
    ]
    assert shop.spent() == 4 * WORTH
    shop.send("member.registered", "bob")
    assert (shop.wallet("bob"), shop.spent()) == ([], 4 * WORTH), "the month's budget is used up"


def test_a_refunded_second_order_takes_its_voucher_back(open_shop):
    shop = open_shop("welcome")
    template = shop.template()
    shop.save(newcomers_only=False, rewards=[voucher(template)], second_reward=voucher(template))
    shop.send("member.registered", "ann")
    for _ in range(2):
        shop.paid("ann")
    money = {"amount": 10_000, "currency": "CNY"}
    shop.send("order.refunded", "ann", refund_id="r1", order_id="o2", **money)
    assert (shop.wallet("ann"), shop.spent()) == ([("Five off", "usable")], WORTH)


def test_whoever_checks_in_gets_vouchers_for_the_day_and_for_a_step(open_shop):
    shop = open_shop("checkin")
    daily, step = shop.template(), shop.template(name="Ten off", amount=2 * WORTH)
    ladder = [{"days": 2, "reward": voucher(step)}]
    shop.save(budget=4 * WORTH, daily=voucher(daily), ladder=ladder)
    today = shop.ask("POST", "checkin/check-in", "ann")
    assert [(one["kind"], one["item"], one["state"]) for one in today["rewards"]] == [
        ("vouchers", daily, "granted")
    ]
    assert today["next_step"]["item"] == step
    shop.at(START + DAY)
    shop.ask("POST", "checkin/check-in", "ann")
    assert shop.wallet("ann")[-1] == ("Five off", "usable")
    assert sorted(shop.wallet("ann")) == [("Five off", "usable")] * 2 + [("Ten off", "usable")]
    days = shop.ask("GET", "checkin/calendar", "ann")["days"]
    assert [[one["item"] for one in day["rewards"]] for day in days] == [[daily], [daily, step]]
    assert shop.rows(REWARDS) == [
        ("checkin", "daily", 1, WORTH, None, 1),
        ("checkin", "daily", 1, WORTH, None, 1),
        ("checkin", "step.2", 1, 2 * WORTH, None, 1),
    ]
    assert shop.spent() == 4 * WORTH
    shop.at(START + 2 * DAY)
    (third,) = shop.ask("POST", "checkin/check-in", "ann")["rewards"]
    assert (third["state"], len(shop.wallet("ann"))) == ("over_budget", 3)


def test_who_comes_back_gets_the_voucher_that_was_promised(open_shop):
    shop = open_shop("winback")
    template = shop.template(days=30)
    shop.save(budget=WORTH, reward=voucher(template))
    shop.paid("ann")
    shop.at(START + 41 * DAY)
    (offer,) = shop.ask("GET", "winback/offer", "ann")["offers"]
    assert (offer["kind"], offer["item"], offer["amount"]) == ("vouchers", template, 1)
    told = "SELECT data ->> 'kind', data ->> 'item' FROM core.event WHERE type = 'winback.offered'"
    assert shop.rows(told) == [("vouchers", template)]
    assert shop.wallet("ann") == []
    shop.at(START + 42 * DAY)
    shop.paid("ann")
    assert shop.wallet("ann") == [("Five off", "usable")]
    assert shop.rows(REWARDS) == [("winback", "return", 1, WORTH, None, 1)]
    assert shop.spent() == WORTH
