"""Any history of holding, paying, opening, giving up and returning, against a small model that draws by itself."""

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

from threepeat_blindbox import evidence, odds
from threepeat_blindbox.verifier.verify import verify

NAMES = st.sampled_from(["ann", "bob"])
LIMIT, PRICE, PITY = 7, 5_900, 3
CUPS, OWLS = 9, 5
ITEMS = [
    {"sku": "cup", "name": "Cup", "weight": 6, "stock": CUPS},
    {"sku": "pan", "name": "Pan", "weight": 3, "stock": 40},
    {"sku": "owl", "name": "Owl", "weight": 2, "stock": OWLS, "floor": True, "hidden": True},
]


@dataclass
class ModelBox:
    """A paid box: whose, of which order, the version that was seen, and how it stands."""

    owner: str
    order: str
    ordinal: int
    seen: str | None
    day: int
    state: str = "waiting"
    item: str | None = None


@dataclass
class Model:
    """What a store with one series has; it draws with the store's seed."""

    seed: bytes
    series: int
    store: int
    left: dict[str, int] = field(default_factory=lambda: {"cup": CUPS, "pan": 40, "owl": OWLS})
    boxes: list[ModelBox] = field(default_factory=list)
    holds: dict[str, tuple] = field(default_factory=dict)
    misses: dict[str, int] = field(default_factory=dict)
    versions: int = 1
    draws: int = 0
    day: int = 0

    def opened_today(self, name):
        mine = [one for one in self.boxes if (one.owner, one.day) == (name, self.day) and one.state != "void"]
        return len(mine) + sum(n for who, n, _, day in self.holds.values() if (who, day) == (name, self.day))

    @property
    def held(self):
        return sum(n for _, n, _, _ in self.holds.values()) + sum(one.state == "waiting" for one in self.boxes)

    @property
    def pool(self):
        there = [one for one in ITEMS if self.left[one["sku"]]]
        return odds.Pool(
            "replacement",
            tuple(odds.PoolItem(o["sku"], o["weight"], floor=o.get("floor", False)) for o in there),
            PITY,
        )

    @property
    def room(self):
        return sum(self.left.values()) if self.left["owl"] else 0

    def draw(self, box, nonce):
        """Draw as it is published: by seed and message alone."""
        number = self.draws + 1
        order = evidence.order_hash(nonce, box.order)
        told = evidence.message(self.store, self.series, self.versions, number, order, box.ordinal)
        before = self.misses.get(box.owner, 0)
        item = odds.draw(self.pool, self.left, before, self.seed, told)
        self.misses[box.owner] = self.pool.misses(before, item)
        self.draws, box.state, box.item = number, "opened", item.item
        self.left[item.item] -= 1
        if not self.left[item.item]:
            self.versions += 1


class Machine(RuleBasedStateMachine):
    """A store and its model; the test says how a store is opened."""

    open_shop = None

    @initialize()
    def begin(self):
        self.shop, self.count = self.open_shop(), 0
        series = self.shop.series(items=ITEMS, pity=PITY, daily_boxes=LIMIT)
        for name in ("ann", "bob"):
            self.shop.declare(name)
        self.series = series
        ((sealed, number),) = self.shop.rows("SELECT sealed, id FROM blindbox.series")
        seed = self.shop.act("blindbox", lambda ctx: ctx.unseal(sealed, place="seed"))
        self.model = Model(bytes.fromhex(seed), number, self.shop.tenant.id)

    def next(self):
        self.count += 1
        return self.count

    def nonce(self, number):
        return f"{number:032x}"

    def fits(self, name, boxes):
        return self.model.opened_today(name) + boxes <= LIMIT

    @rule(name=NAMES, boxes=st.integers(1, 3))
    def hold(self, name, boxes):
        number = self.next()
        quote = self.shop.quote(name, boxes, nonce=self.nonce(number))
        answer = self.shop.reserve(quote)
        there = self.fits(name, boxes) and self.model.held + boxes <= self.model.room
        assert answer.status_code == (200 if there else 409), answer.text
        if there:
            seen = self.shop.version()
            self.model.holds[quote["id"]] = (name, boxes, (seen, self.nonce(number)), self.model.day)
            self.quotes = {**getattr(self, "quotes", {}), quote["id"]: quote}

    def any_hold(self, data):
        return data.draw(st.sampled_from(sorted(self.model.holds)))

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data())
    def let_go(self, data):
        hold = self.any_hold(data)
        self.shop.release(self.quotes[hold])
        del self.model.holds[hold]

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data())
    def pay(self, data):
        hold = self.any_hold(data)
        name, boxes, (seen, nonce), day = self.model.holds.pop(hold)
        order = f"order-{self.next()}"
        self.shop.paid(order, name, boxes, quote=self.quotes[hold])
        made = [ModelBox(name, order, n + 1, seen, day) for n in range(boxes)]
        self.model.boxes += made
        current = self.known_version(seen)
        for one in made:
            if current and self.model.versions == current and self.model.room:
                self.model.draw(one, nonce)

    def known_version(self, seen):
        """The number of a version by its hash."""
        rows = self.shop.rows("SELECT number FROM blindbox.version WHERE hash = :hash", hash=seen)
        return rows[0][0] if rows else None

    @rule(name=NAMES, boxes=st.integers(1, 3))
    def pay_without_a_quote(self, name, boxes):
        order = f"order-{self.next()}"
        there = self.fits(name, boxes) and self.model.held + boxes <= self.model.room
        asked = len(self.shop.events("refund.requested"))
        self.shop.paid(order, name, boxes)
        assert len(self.shop.events("refund.requested")) == asked + (not there)
        if there:
            self.model.boxes += [ModelBox(name, order, n + 1, None, self.model.day) for n in range(boxes)]

    def waiting(self, data):
        return data.draw(st.sampled_from([one for one in self.model.boxes if one.state == "waiting"]))

    def row(self, box):
        ((number, nonce),) = self.shop.rows(
            "SELECT id, nonce FROM blindbox.box WHERE order_id = :order AND ordinal = :ordinal",
            order=box.order,
            ordinal=box.ordinal,
        )
        return str(number), nonce

    @precondition(lambda self: any(one.state == "waiting" for one in self.model.boxes))
    @rule(data=st.data())
    def open_one(self, data):
        box = self.waiting(data)
        number, nonce = self.row(box)
        given = self.nonce(self.next())
        others = self.shop.rows(
            "SELECT nonce FROM blindbox.box WHERE order_id = :order AND nonce IS NOT NULL ORDER BY ordinal",
            order=box.order,
        )
        answer = self.shop.open(number, box.owner, nonce=given)
        assert answer.status_code == (200 if self.model.room else 409), answer.text
        if self.model.room:
            self.model.draw(box, nonce or (others[0][0] if others else given))

    @precondition(lambda self: any(one.state == "waiting" for one in self.model.boxes))
    @rule(data=st.data())
    def give_up(self, data):
        box = self.waiting(data)
        number, _nonce = self.row(box)
        assert self.shop.ask("POST", "boxes/decline", box.owner, box=number).status_code == 200
        box.state = "void"

    @precondition(lambda self: self.model.boxes)
    @rule(data=st.data())
    def come_back(self, data):
        order = data.draw(st.sampled_from(sorted({one.order for one in self.model.boxes})))
        mine = [one for one in self.model.boxes if one.order == order]
        self.shop.refunded(order, mine[0].owner, amount=PRICE * len(mine), refund=f"whole-{order}")
        for one in mine:
            one.state = "void" if one.state == "waiting" else one.state

    @rule()
    def wait(self):
        self.model.day += 1
        self.shop.day(self.model.day)
        self.model.holds = {}
        self.shop.worker.drain()
        for one in self.model.boxes:
            if one.state == "waiting" and self.model.day - one.day >= 7:
                one.state = "void"

    @invariant()
    def the_store_is_what_the_model_says(self):
        if not hasattr(self, "model"):
            return
        rows = self.shop.rows(
            "SELECT b.order_id, b.ordinal, b.state, d.item FROM blindbox.box b"
            " LEFT JOIN blindbox.draw d ON d.series_id = b.series_id AND d.draw_no = b.draw_no"
        )
        assert {(order, ordinal): (state, item) for order, ordinal, state, item in rows} == {
            (one.order, one.ordinal): (one.state, one.item) for one in self.model.boxes
        }
        ((held, room, draws, version),) = self.shop.rows("SELECT held, room, draws, version FROM blindbox.series")
        assert (held, room) == (self.model.held, self.model.room)
        assert (draws, version) == (self.model.draws, self.model.versions)

    def teardown(self):
        if not hasattr(self, "model"):
            return
        assert self.shop.violations() == []
        for hold in self.model.holds:
            self.shop.release(self.quotes[hold])
        for one in self.model.boxes:
            if one.state == "waiting":
                self.shop.ask("POST", "boxes/decline", one.owner, box=self.row(one)[0])
        self.shop.step(self.series, "close")
        found = self.shop.evidence(self.series)
        assert found["draws"] == self.model.draws
        verify(found)


def test_any_history_comes_to_what_a_simple_model_says(open_shop):
    class OfThisPlatform(Machine):
        pass

    OfThisPlatform.open_shop = staticmethod(open_shop)
    run_state_machine_as_test(
        OfThisPlatform,
        settings=settings(
            max_examples=int(os.environ.get("SEQUENCES", "4")),
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


class Sole:
    """Draws the first of what there is."""

    @staticmethod
    def draw(strategy):
        return strategy.elements[0]


def paid_and_returned(machine):
    machine.pay_without_a_quote("ann", 2)
    machine.come_back(Sole)


def held_and_let_go(machine):
    machine.hold("ann", 3)
    machine.let_go(Sole)


def counted_for_the_day(machine):
    machine.hold("ann", 3)
    machine.pay(Sole)
    machine.hold("ann", 3)
    machine.hold("ann", 3)


def given_up(machine):
    machine.pay_without_a_quote("ann", 2)
    machine.give_up(Sole)


PLANTED = {
    paid_and_returned: ("boxes_back", "CASE WHEN m.state = 'waiting' THEN 'void' ELSE m.state END", "m.state"),
    held_and_let_go: ("places_free", "held = s.held - (", "held = s.held - 0 * ("),
    counted_for_the_day: ("spend", "p.boxes + excluded.boxes <= s.daily_boxes", "excluded.boxes <= s.daily_boxes"),
    given_up: ("boxes_void", "SET state = 'void'", "SET state = 'waiting'"),
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
    found = str(platform.statements["blindbox"][statement])
    assert right in found
    changed = found.replace(right, wrong).replace("::", "\\:\\:")
    monkeypatch.setitem(platform.statements["blindbox"], statement, text(changed))
    with pytest.raises(AssertionError):
        take()
