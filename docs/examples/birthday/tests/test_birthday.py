from datetime import datetime, timedelta

import pytest

BORN = {"month": 2, "day": 29}


@pytest.fixture
def store(make_tenant, clock):
    made = make_tenant("tea", enable=("points", "birthday"))
    clock.set(made, datetime(2027, 1, 10, 12))  # noqa: DTZ001 - by the store's own clock
    return made


def balance(ann):
    return ann.get("/points/balance").json()["available"]


def test_a_present_comes_once_on_the_morning_of_the_day(store, member, clock, worker):
    ann = member(store, "ann")
    assert ann.post("/birthday/date", BORN).status_code == 200
    worker.drain()
    clock.set(store, datetime(2027, 2, 28, 8, 59))  # noqa: DTZ001
    worker.drain()
    assert balance(ann) == 0
    clock.set(store, datetime(2027, 2, 28, 9))  # noqa: DTZ001 - 2027 has no 29 February
    worker.drain()
    worker.drain()
    assert balance(ann) == 100
    clock.set(store, datetime(2027, 3, 1, 9))  # noqa: DTZ001
    worker.drain()
    assert balance(ann) == 100


def test_a_birthday_that_is_told_on_the_day_itself_counts_next_year(store, member, clock, worker):
    worker.drain()
    clock.set(store, datetime(2027, 5, 3, 7))  # noqa: DTZ001
    ann = member(store, "ann")
    ann.post("/birthday/date", {"month": 5, "day": 3})
    clock.set(store, datetime(2027, 5, 3, 10))  # noqa: DTZ001
    worker.drain()
    assert balance(ann) == 0
    clock.set(store, datetime(2028, 5, 3, 10))  # noqa: DTZ001
    worker.drain()
    assert balance(ann) == 100


def test_a_birthday_moves_once_a_year(store, member, clock):
    ann = member(store, "ann")
    assert ann.get("/birthday/date").json() == {"birthday": None}
    ann.post("/birthday/date", BORN)
    assert ann.post("/birthday/date", BORN).status_code == 200
    refused = ann.post("/birthday/date", {"month": 3, "day": 1})
    assert (refused.status_code, refused.json()["detail"]) == (409, "A birthday can be changed once a year.")
    assert ann.get("/birthday/date").json() == {"birthday": BORN}
    clock.forward(store, timedelta(days=366))
    assert ann.post("/birthday/date", {"month": 3, "day": 1}).status_code == 200


@pytest.mark.parametrize(
    "born", [{"month": 2, "day": 30}, {"month": 13, "day": 1}, {"month": 1}, {"month": "x", "day": 1}]
)
def test_a_day_that_does_not_exist_is_refused(store, member, born):
    assert member(store, "ann").post("/birthday/date", born).status_code == 422


def test_another_store_has_its_own_birthdays(store, make_tenant, member):
    other = make_tenant("other", enable=("birthday",))
    member(store, "ann").post("/birthday/date", BORN)
    assert member(other, "ann").get("/birthday/date").json() == {"birthday": None}
