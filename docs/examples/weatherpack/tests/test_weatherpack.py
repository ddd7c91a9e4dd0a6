import json
import threading
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar
from zoneinfo import ZoneInfo

import pytest

ZONE = ZoneInfo("Asia/Shanghai")
TODAY = datetime.now(ZONE).replace(hour=6, minute=0, second=0, microsecond=0)
MONDAY = TODAY - timedelta(days=TODAY.weekday() + 7)
SATURDAYS = [MONDAY + timedelta(days=-2 - 7 * weeks, hours=6) for weeks in (3, 2, 1, 0)]
STORM = {
    "id": "storm-1",
    "kind": "storm",
    "begins_at": (MONDAY + timedelta(days=1)).isoformat(),
    "ends_at": (MONDAY + timedelta(days=2, hours=18)).isoformat(),
}


@pytest.fixture
def source(monkeypatch):
    """A source of warnings that answers what the test puts into it, over HTTP."""

    class Answering(BaseHTTPRequestHandler):
        answer: ClassVar = {"warnings": [STORM]}
        asked: ClassVar = []

        def do_GET(self):
            self.asked.append(self.path)
            body = json.dumps(self.answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("WEATHERPACK_SOURCE", f"http://127.0.0.1:{server.server_port}/{{city}}")
    yield Answering
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def store(make_tenant, clock, worker):
    made = make_tenant("corner-shop", enable=("points", "weatherpack"))
    clock.set(made, SATURDAYS[0])
    worker.drain()  # the schedules stand from now on
    return made


@pytest.fixture
def buy(store, send):
    def buy(name, moment, sku="rice", category="groceries"):
        order = f"{name}-{moment:%m%d%H}-{sku}"
        line = {"sku": sku, "quantity": 1, "amount": 3000, "category": category}
        send(store, "order.paid", name, time=moment, order_id=order, total=3000, currency="CNY", lines=[line])
        return order

    return buy


@pytest.fixture
def let_time_pass(store, clock, worker):
    def to(moment):
        clock.set(store, moment)
        worker.settle()

    return to


def until(ann):
    return ann.get("/weatherpack/offer").json()["until"]


def test_a_storm_brings_an_offer_to_those_who_bought_on_two_of_four_weekends(
    store, source, buy, member, let_time_pass
):
    for moment in (SATURDAYS[1], SATURDAYS[3] + timedelta(days=1)):
        buy("ann", moment)
    buy("once", SATURDAYS[3])
    for moment in (SATURDAYS[3], SATURDAYS[3] + timedelta(hours=1)):
        buy("twice-on-one", moment)
    for moment in SATURDAYS:
        buy("other-goods", moment, category="toys")
        buy("weekdays", moment + timedelta(days=3))
    assert source.asked == []
    let_time_pass(MONDAY.replace(hour=7))
    assert source.asked == ["/Shanghai"]
    names = ("ann", "once", "twice-on-one", "other-goods", "weekdays")
    assert [name for name in names if until(member(store, name))] == ["ann"]
    let_time_pass(MONDAY.replace(hour=17))
    assert len(source.asked) == 2
    let_time_pass(MONDAY + timedelta(days=3))
    assert until(member(store, "ann")) is None


@pytest.mark.usefixtures("source")
def test_whoever_buys_the_pack_in_time_is_rewarded_once_and_a_refund_takes_it_back(
    store, buy, member, send, let_time_pass
):
    for moment in SATURDAYS[2:]:
        for name in ("ann", "late"):
            buy(name, moment)
    let_time_pass(MONDAY.replace(hour=7))
    ann, late = member(store, "ann"), member(store, "late")
    before = {one.name: one.get("/points/balance").json()["available"] for one in (ann, late)}

    def brought(one, order_points=30):
        return one.get("/points/balance").json()["available"] - before[one.name] - order_points

    order = buy("ann", MONDAY.replace(hour=9), sku="stay-home-pack", category="packs")
    let_time_pass(MONDAY.replace(hour=10))
    assert brought(ann) == 50
    let_time_pass(MONDAY + timedelta(days=3))
    buy("late", MONDAY + timedelta(days=3), sku="stay-home-pack", category="packs")
    let_time_pass(MONDAY + timedelta(days=3, hours=1))
    assert brought(late) == 0
    refund = {"refund_id": "r1", "order_id": order, "amount": 3000, "currency": "CNY"}
    send(store, "order.refunded", "ann", time=MONDAY + timedelta(days=3), **refund)
    let_time_pass(MONDAY + timedelta(days=3, hours=2))
    assert brought(ann, order_points=0) == 0


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {"warnings": [{**STORM, "id": "a\0b"}]},
        {"warnings": [{**STORM, "ends_at": "tomorrow"}]},
        {"warnings": "x"},
    ],
)
def test_an_answer_that_cannot_be_read_offers_nothing_and_harms_nothing(
    store, source, buy, member, let_time_pass, answer
):
    source.answer = answer
    for moment in SATURDAYS[2:]:
        buy("ann", moment)
    let_time_pass(MONDAY.replace(hour=7))
    assert until(member(store, "ann")) is None
    source.answer = {"warnings": [STORM]}
    let_time_pass(MONDAY.replace(hour=17))
    assert until(member(store, "ann")) is not None


def test_another_kind_of_warning_and_another_store_are_not_concerned(
    store, make_tenant, source, buy, member, let_time_pass
):
    source.answer = {"warnings": [{**STORM, "kind": "heat"}]}
    other = make_tenant("other", enable=("weatherpack",))
    for moment in SATURDAYS[2:]:
        buy("ann", moment)
    let_time_pass(MONDAY.replace(hour=7))
    assert until(member(store, "ann")) is None
    assert until(member(other, "ann")) is None
