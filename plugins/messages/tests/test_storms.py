"""Many at once: no cap is passed, no permission used twice, nothing sent twice, nobody waits in a circle."""

import secrets
from threading import Thread

import pytest

from threepeat.events.context import Cause
from threepeat.sdk import Due, Notice
from threepeat.testing.together import together
from threepeat.worker.loop import Worker
from threepeat_messages import sending
from threepeat_messages.taking import DELIVER

THREADS = 32


@pytest.fixture(scope="module", autouse=True)
def _connections(platform):
    """So many connections are not kept for the files that come after this one."""
    yield
    platform.database.app.dispose()


def at_once(shop, work, count=THREADS):
    """Do something in so many transactions at once."""
    current = shop.current()

    def one(number):
        with shop.platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            opened = shop.platform.inside(scope, current)
            plugin, act = work(number)
            context = opened.context(shop.platform.registry[plugin], cause=Cause(secrets.token_hex(8)))
            act(context)
            context.finish()

    together(count, one)


def look(member, now):
    """Look at what waits for a member, as a worker does that has lost its lease and not noticed."""
    return "messages", lambda ctx: sending.deliver(ctx, [Due(DELIVER, f"marketing:{member}", now, member, {})])


def queue(shop, kind, number):
    for each in range(number):
        shop.say(kind, title=str(each), drain=False)


def test_a_cap_holds_against_many(shop):
    shop.agree()
    shop.save(per_day=7, per_week=9)
    queue(shop, "offer", 40)
    ann = shop.member()
    at_once(shop, lambda _: look(ann, shop.now))
    assert sorted(shop.states()) == ["held: cap"] * 33 + ["sent"] * 7
    assert shop.rows("SELECT day_sent, week_sent FROM messages.allowance") == [(7, 7)]


def test_a_permission_holds_against_many(shop, by_courier):
    shop.allow(count=5)
    queue(shop, "told", 40)
    ann = shop.member()
    at_once(shop, lambda _: look(ann, shop.now))
    assert sorted(shop.states()) == ["held: no_permission"] * 35 + ["sent"] * 5
    assert shop.rows("SELECT granted, used FROM messages.permission") == [(5, 5)]
    assert len(by_courier.brought) == len(set(by_courier.brought)) == 5


def test_the_write_itself_is_the_guard(shop, monkeypatch):
    """Without the locks the conditional writes alone keep the cap: who is late fails, and nothing of it stays."""
    shop.agree()
    shop.save(per_day=2, per_week=2)
    queue(shop, "offer", 3)
    monkeypatch.setattr(sending, "_room", lambda *_: sending.Room(marketing={shop.member(): 3}))
    shop.rows(
        "INSERT INTO messages.allowance VALUES (:tenant, :member, '2026-01-14', 0, '2026-01-12', 0) RETURNING 1",
        member=shop.member(),
    )
    with pytest.raises(RuntimeError, match="1 rows were locked and 0 could be written"):
        at_once(shop, lambda _: look(shop.member(), shop.now), count=1)
    assert shop.states() == ["queued"] * 3
    monkeypatch.undo()
    shop.worker.drain()


def test_the_same_thing_said_by_many_is_said_once(shop):
    shop.agree()
    ann, bob = shop.member(), shop.member("bob")
    same = [Notice(one, "same", {"title": "tea"}) for one in (bob, ann)]

    def say(ctx):
        ctx.message("offer", same)
        ctx.message("plain", [Notice(one.member, "same") for one in same])

    at_once(shop, lambda _: ("herald", say))
    shop.worker.drain()
    assert sorted(shop.states()) == ["sent", "sent"]
    assert sorted(shop.states("bob")) == ["held: no_consent", "sent"]


def test_two_workers_and_members_who_change_their_minds(shop):
    names = [f"m{number}" for number in range(40)]
    shop.agree(*names, drain=False)
    ids = [shop.member(name) for name in names]
    shop.worker.drain()
    for cause in range(4):
        notices = [Notice(one, f"c-{cause}", {"title": "tea"}) for one in ids]
        shop.inside(lambda ctx, notices=notices: ctx.message("offer", notices))
    faults = []

    def work():
        try:
            Worker(shop.platform).drain()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test must hear of it
            faults.append(error)

    def refuse():
        try:
            for name in names[::4]:
                shop.batch(shop.event("consent.changed", name, purpose="marketing", granted=False), drain=False)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test must hear of it
            faults.append(error)

    threads = [Thread(target=one) for one in (work, work, refuse)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    shop.worker.drain()
    states = {name: shop.states(name) for name in names}
    assert all(one.count("sent") <= 1 and len(one) == 4 and "queued" not in one for one in states.values())
    kept = [name for number, name in enumerate(names) if number % 4]
    assert [states[name].count("sent") for name in kept] == [1] * len(kept)
