"""Buckets, gates and budgets by themselves: how often, how many at once, how much."""

import asyncio
import random
from collections import Counter

import pytest
from pydantic import ValidationError

from threepeat.http.config import HttpConfig
from threepeat.http.limits import Bucket, Budget, FullError, Gate, Lane, Lobby, Recent

# Buckets


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    bucket = Bucket(10, now=0)
    passed = []
    for tick in range(10_000):
        if not bucket.wait(tick / 1000):
            bucket.take(1)
            passed.append(tick / 1000)
    assert sum(moment == 0 for moment in passed) <= 1, "one a look"
    assert sum(moment < 0.02 for moment in passed) == 20, "two seconds' worth at once"
    assert len(passed) == pytest.approx(20 + 100, abs=1)


def test_what_a_bucket_says_to_wait_is_enough_and_not_too_much() -> None:
    bucket = Bucket(10, now=0)
    bucket.wait(0)
    bucket.take(20)
    seconds = bucket.wait(0)
    assert seconds == pytest.approx(0.1)
    assert bucket.wait(seconds * 0.9) > 0
    assert bucket.wait(seconds * 1.001) == 0


def test_no_cost_is_too_large_to_pass_and_none_is_forgiven() -> None:
    bucket = Bucket(100, now=0)
    spent = passed_at = 0.0
    for tick in range(100_000):
        if not bucket.wait(tick / 1000):
            bucket.take(1000)
            spent, passed_at = spent + 1000, tick / 1000
    assert spent <= 200 + passed_at * 100 + 1000
    assert spent >= 9000


def test_only_so_many_are_remembered_and_the_one_unused_longest_goes() -> None:
    recent: Recent[int, str] = Recent(1000)
    recent.put(-1, "kept")
    for number in range(100_000):
        recent.put(number, "x")
        assert recent.get(-1) == "kept"
    assert len(recent) == 1000
    assert recent.get(98_999) is None


# Gates


def test_no_gate_is_ever_over_its_cap_and_all_are_empty_at_the_end() -> None:
    rng = random.Random(1)

    async def storm() -> Counter[str]:
        lane = Lane("calls", 5, tenant_cap=3, room=4, seconds=0.01)
        plugins = [Gate(f"plugin-{number}", 2, 4) for number in range(3)]
        ended: Counter[str] = Counter()

        async def one() -> None:
            tenant, plugin, length = rng.randrange(4), rng.choice(plugins), rng.random() * 0.02
            try:
                place = await lane.enter(tenant, plugin)
            except FullError as error:
                ended[error.gate.name.partition("-")[0]] += 1
                return
            try:
                assert lane.gate.running <= 5
                assert all(gate.running <= gate.cap for gate in place.gates)
                await asyncio.sleep(length)
                ended["ran"] += 1
            finally:
                place.leave()
                place.leave()

        tasks = []
        for _ in range(3000):
            tasks.append(asyncio.create_task(one()))
            if rng.random() < 0.1:
                rng.choice(tasks).cancel()
            if rng.random() < 0.5:
                await asyncio.sleep(rng.random() * 0.002)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        unexpected = [found for found in outcomes if found and not isinstance(found, asyncio.CancelledError)]
        assert unexpected == []
        gates = (lane.gate, *plugins)
        assert [(gate.running, gate.waiting) for gate in gates] == [(0, 0)] * 4
        assert lane._tenants == {}
        return ended

    ended = asyncio.run(storm())
    assert ended["ran"] > 100
    assert ended["tenant"] > 0
    assert ended["plugin"] > 0


def test_a_gate_that_forgets_to_be_left_is_seen() -> None:
    async def leak() -> int:
        lane = Lane("calls", 1, tenant_cap=1, room=1, seconds=0.01)
        await lane.enter(1)
        with pytest.raises(FullError) as error:
            await lane.enter(2)
        assert error.value.gate is lane.gate
        return lane.gate.running

    assert asyncio.run(leak()) == 1


def test_first_come_first_served_and_nobody_waits_for_a_gate_that_is_not_its() -> None:
    async def scene() -> list[str]:
        lobby, shut, other, order = Lobby(5), Gate("shut", 1, 9), Gate("other", 1, 9), list[str]()

        async def one(name: str, gate: Gate) -> None:
            await lobby.enter([gate])
            order.append(name)
            lobby.leave([gate])

        await lobby.enter([shut])
        waiting = [asyncio.create_task(one(name, shut)) for name in ("first", "second", "third")]
        await asyncio.sleep(0)
        await one("elsewhere", other)
        lobby.leave([shut])
        await asyncio.gather(*waiting)
        return order

    assert asyncio.run(scene()) == ["elsewhere", "first", "second", "third"]


def test_one_tenants_crowd_waits_apart_from_the_others() -> None:
    async def scene() -> list[str]:
        lane = Lane("calls", 4, tenant_cap=2, room=3, seconds=0.05)
        for _ in range(2):
            await lane.enter(1)
        crowd = [asyncio.create_task(lane.enter(1)) for _ in range(10)]
        await asyncio.sleep(0)
        assert sum(task.done() for task in crowd) == 7, "three wait, the others are refused at once"
        await lane.enter(2)
        outcomes = await asyncio.gather(*crowd, return_exceptions=True)
        return [str(found) for found in outcomes]

    assert asyncio.run(scene()) == ["tenant-calls"] * 10


def test_bytes_are_counted_for_each_tenant_and_for_all() -> None:
    budget = Budget(400)
    assert budget.take(1, 100)
    assert not budget.take(1, 1), "its quarter"
    assert all(budget.take(tenant, 100) for tenant in (2, 3, 4))
    assert not budget.take(5, 1), "all of it"
    budget.free(2, 60)
    assert budget.take(5, 60)
    for tenant, size in ((1, 100), (2, 40), (3, 100), (4, 100), (5, 60)):
        budget.free(tenant, size)
    assert (budget.held, budget._by) == (0, {})


def test_a_budget_that_could_never_hold_the_largest_body_is_refused() -> None:
    with pytest.raises(ValidationError, match="four times the largest body"):
        HttpConfig(max_body=1 << 20, max_bodies=1 << 20)
