"""Two workers at once, with merges and grants in between: nobody is counted or rewarded twice."""

from datetime import date, timedelta
from threading import Thread

from threepeat.worker.loop import Worker

FIVE = {"kind": "points", "amount": 5}


def test_two_workers_and_a_merchant(shop):
    shop.tier(2, name="Silver", qualify=1_000, retain=800, entry_rewards=[FIVE])
    names = [f"m{number}" for number in range(40)]
    events = [shop.order(name, f"{name}-{part}", 250) for part in range(4) for name in names]
    shop.kit.send.batch(shop.store, events)
    faults = []

    def work():
        try:
            Worker(shop.platform).drain()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test must hear of it
            faults.append(error)

    def manage():
        try:
            for name in names[:6]:
                form = {"customer": name, "level": 3, "last_day": str(date(2025, 1, 10) + timedelta(days=9))}
                shop.inside(lambda opened, form=form: _grant(opened, form))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test must hear of it
            faults.append(error)

    threads = [Thread(target=work), Thread(target=work), Thread(target=manage)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    shop.kit.worker.drain()
    levels = shop.levels()
    assert [levels[name] for name in names] == [3] * 6 + [2] * 34
    assert {shop.points(name) for name in names} == {5}


def _grant(opened, form):
    from threepeat.events import collections

    return collections.create(opened, "tiers", "grants", {**form, "reason": "x"}, by="test")
