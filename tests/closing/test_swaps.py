"""Switching while the store is at work: what is in flight, two at once, and closing that ends by itself."""

import threading
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import text

from threepeat.tenancy import switches
from threepeat.tenancy.switches import SwitchState

DAY = timedelta(days=1)


class Paused:
    """A thread that a test stops inside a handler, and lets go on."""

    def __init__(self, work):
        self.arrived, self.go_on = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=work, daemon=True)

    def hold(self):
        self.arrived.set()
        assert self.go_on.wait(30)

    def finish(self):
        self.go_on.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def start(self):
        self._thread.start()


@contextmanager
def stopped_in_a_turn(world, shop, what):
    """A worker that stands inside a handler of the sampler, its turn not committed."""
    paused = Paused(shop.drain)
    world.spies.holds[shop.tenant.id, "sampler", what] = paused.hold
    paused.start()
    try:
        assert paused.arrived.wait(30)
        yield paused
    finally:
        world.spies.holds.clear()
        paused.finish()


def held(shop, member="ann"):
    query = "SELECT held FROM sampler.purse WHERE tenant_id = :tenant AND member_id = :member"
    return sum(row[0] for row in shop.rows(query, member=shop.member(member)))


def in_threads(*works):
    """Do several things at the same moment; returns their answers."""
    start, answers = threading.Barrier(len(works)), [None] * len(works)

    def run(number):
        start.wait()
        answers[number] = works[number]()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def slots(shop):
    return shop.rows("SELECT plugin, slot FROM core.activation WHERE slot IS NOT NULL ORDER BY slot")


# --- In flight -----------------------------------------------------------------------------------------------


def swap_during_a_turn(world, shop):
    """Swap the sampler out while a worker hands a visit to it; returns its state after both are done."""
    shop.send("visit.made")
    swapped = []
    swap = threading.Thread(target=lambda: swapped.append(shop.switch("rival", "enable", replace="sampler")))
    with stopped_in_a_turn(world, shop, "reaction 0") as paused:
        swap.start()
        swap.join(0.5)
        waited = swap.is_alive()
        paused.finish()
        swap.join(30)
    assert [answer.status_code for answer in swapped] == [200]
    return waited, shop.state("sampler"), held(shop)


def test_what_a_turn_is_just_giving_is_an_obligation_of_the_swap(world, shop):
    waited, state, given = swap_during_a_turn(world, shop("sampler"))
    assert (waited, state, given) == (True, SwitchState.CLOSING, 1)


def test_without_the_cursors_locks_a_tactic_would_be_off_and_owe_something(world, shop, monkeypatch):
    monkeypatch.setattr(switches, "LOCK_CURSORS", text("SELECT WHERE CAST(:tenant AS bigint) > 0"))
    waited, state, given = swap_during_a_turn(world, shop("sampler"))
    assert (waited, state, given) == (False, SwitchState.OFF, 1)


def test_a_swap_under_load_ends_offers_and_not_obligations(world, shop):
    mine = shop("sampler")
    who = [f"m{number}" for number in range(20)]
    mine.batch([("visit.made", name, {}) for name in who])
    worker = threading.Thread(target=mine.drain)
    sending = threading.Thread(
        target=lambda: mine.batch([("appointment.attended", name, {"appointment_id": name}) for name in who])
    )
    for thread in (worker, sending):
        thread.start()
    assert mine.switch("rival", "enable", replace="sampler").status_code == 200
    state = mine.state("sampler")
    before = world.spies.count(mine.tenant.id, "sampler")
    mine.batch([("visit.made", name, {}) for name in who])
    mine.batch([("appointment.attended", name, {"appointment_id": f"{name}-later"}) for name in who])
    for thread in (worker, sending):
        thread.join(30)
    mine.drain()
    after = world.spies.count(mine.tenant.id, "sampler")
    assert after["reaction 0"] == before["reaction 0"]  # no new offer after the swap was answered
    given = sum(held(mine, name) for name in who)
    assert given in {0, len(who)}
    assert state is (SwitchState.CLOSING if given else SwitchState.OFF)
    if given:
        assert after["reaction 1"] > before["reaction 1"]
    assert mine.rows("SELECT position FROM core.dead_letter") == []


@pytest.mark.parametrize("first", ["rival", "third"])
def test_of_two_swaps_for_the_same_slot_one_wins(world, shop, first):
    mine = shop("sampler", "points", "other")
    mine.send("visit.made")
    mine.drain()
    second = "third" if first == "rival" else "rival"
    answers = in_threads(
        lambda: mine.switch(first, "enable", replace="sampler"),
        lambda: mine.switch(second, "enable", replace="sampler"),
        mine.drain,
    )[:2]
    assert sorted(answer.status_code for answer in answers) == [200, 422]
    (won,) = [answer.json()["id"] for answer in answers if answer.status_code == 200]
    assert slots(mine) == [(won, 1), ("points", 2), ("other", 3)]
    assert mine.state("sampler") is SwitchState.CLOSING
    assert world.spies.count(mine.tenant.id, "sampler")["on_closing"] == 1


def test_swaps_in_a_ring_while_a_worker_turns_never_deadlock(shop):
    mine = shop("sampler", "points", "rival")
    ring = (("other", "points"), ("points", "sampler"), ("sampler", "rival"), ("rival", "other"))
    won = 0
    for _ in range(8):
        mine.send("visit.made")
        mine.send("order.paid", order_id=f"o{won}", total=1000, currency="CNY")
        swaps = [partial(mine.switch, new, "enable", replace=old) for new, old in ring]
        *answers, _ = in_threads(*swaps, mine.drain)
        assert {answer.status_code for answer in answers} <= {200, 409, 422}, [one.text for one in answers]
        won += sum(answer.status_code == 200 for answer in answers)
        assert len(slots(mine)) <= 3
    assert won > 8


# --- The end of closing --------------------------------------------------------------------------------------


def closing_points(shop):
    """A store whose points are closing, because ann holds some."""
    mine = shop("points")
    mine.send("order.paid", order_id="1", total=1000, currency="CNY")
    mine.drain()
    assert mine.switch("points", "disable").json()["state"] == "closing"
    mine.pass_time(DAY)
    mine.drain()
    assert mine.state("points") is SwitchState.CLOSING
    return mine


def told(world, mine, plugin="points"):
    name = (mine.tenant.id, plugin)
    hooks = ("on_enabled", "on_closing", "on_disabled")
    return [what for where, who, what in world.spies.seen if (where, who) == name and what in hooks]


def test_closing_ends_by_itself_once_the_points_are_spent(world, shop):
    mine, other = closing_points(shop), closing_points(shop)
    for number in range(10):
        body = {"what": "points", "key": str(number)}
        assert mine.call("POST", "/v1/me/patron/spend", body, token=mine.token()).status_code == 200
    mine.pass_time(2 * DAY)
    other.pass_time(2 * DAY)
    mine.drain()
    assert mine.state("points") is SwitchState.OFF
    assert told(world, mine) == ["on_enabled", "on_closing", "on_disabled"]
    assert mine.rows("SELECT key FROM core.timer WHERE plugin = 'core' AND name = 'closing'") == []
    assert other.state("points") is SwitchState.CLOSING
    assert told(world, other) == ["on_enabled", "on_closing"]


def test_closing_ends_by_itself_once_the_points_have_expired(world, shop):
    mine = closing_points(shop)
    mine.pass_time(729 * DAY)
    mine.drain()
    assert mine.state("points") is SwitchState.CLOSING
    mine.pass_time(732 * DAY)
    mine.drain()
    assert mine.state("points") is SwitchState.OFF
    assert told(world, mine) == ["on_enabled", "on_closing", "on_disabled"]


def test_switching_off_twice_is_switching_off_once(world, shop):
    mine = closing_points(shop)
    assert mine.switch("points", "disable").json()["state"] == "closing"
    timers = "SELECT key FROM core.timer WHERE plugin = 'core' AND name = 'closing'"
    assert (told(world, mine), mine.rows(timers)) == (["on_enabled", "on_closing"], [("points",)])
    world.spies.owing[mine.tenant.id, "points"] = []
    for _ in range(2):
        assert mine.switch("points", "disable").json()["state"] == "off"
    assert told(world, mine) == ["on_enabled", "on_closing", "on_disabled"]
    mine.pass_time(3 * DAY)
    mine.drain()
    assert (told(world, mine)[-1], mine.rows(timers)) == ("on_disabled", [])


def test_whoever_is_switched_on_again_while_closing_goes_on_where_it_stands(shop):
    mine = closing_points(shop)
    mine.send("order.refunded", refund_id="r", order_id="1", amount=300, currency="CNY")
    before = mine.rows("SELECT position FROM core.cursor WHERE plugin = 'points'")
    assert mine.switch("points", "enable").json()["state"] == "enabled"
    assert mine.rows("SELECT position FROM core.cursor WHERE plugin = 'points'") == before
    mine.drain()
    assert mine.call("GET", "/v1/me/points/balance", token=mine.token()).json()["available"] == 7
    mine.pass_time(3 * DAY)
    mine.drain()
    assert mine.state("points") is SwitchState.ENABLED


def test_whoever_is_switched_on_again_while_off_starts_at_the_head(shop):
    mine = shop("points")
    assert mine.switch("points", "disable").json()["state"] == "off"
    mine.send("order.paid", order_id="1", total=1000, currency="CNY")
    mine.switch("points", "enable")
    mine.send("order.paid", order_id="2", total=500, currency="CNY")
    mine.drain()
    assert mine.call("GET", "/v1/me/points/balance", token=mine.token()).json()["available"] == 5


def test_what_closes_in_one_store_is_on_in_another(world, shop):
    mine, other = shop("sampler"), shop("sampler")
    for one in (mine, other):
        one.send("visit.made")
        one.drain()
    assert mine.switch("sampler", "disable").json()["state"] == "closing"
    for one in (mine, other):
        one.send("visit.made")
        one.drain()
    assert (held(mine), held(other)) == (1, 2)
    assert mine.call("POST", "/v1/me/sampler/join", token=mine.token()).status_code == 409
    assert other.call("POST", "/v1/me/sampler/join", token=other.token()).json() == 2
    assert (told(world, mine, "sampler"), told(world, other, "sampler")) == (
        ["on_enabled", "on_closing"],
        ["on_enabled"],
    )
