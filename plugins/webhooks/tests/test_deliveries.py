"""From an event of the log to a receiver: once for each endpoint, until it has arrived, and what becomes of it."""

from contextlib import contextmanager
from datetime import timedelta

import sqlalchemy
from hooks_kit import DAY, START, Made, Receiver

from threepeat.worker.loop import Worker, WorkerConfig
from threepeat_webhooks.delivering import PAUSES

CUP = {"what": "cup", "friends": [], "best": None}
MEANWHILE = timedelta(seconds=20)
"""The store's clock runs while a test does."""


def test_an_event_arrives_as_documented_under_an_id_of_its_own(shop, receiver):
    _, secret = shop.endpoint(receiver.url)
    receiver.secrets = (secret,)
    event = shop.send(
        "order.paid",
        order_id="o1",
        total=1200,
        currency="CNY",
        lines=[{"sku": "t", "quantity": 1, "amount": 1200}],
    )
    ((webhook_id, body, headers),) = receiver.got
    assert body == {
        "type": "order.paid",
        "timestamp": START.isoformat().replace("+00:00", "Z"),
        "source": "test",
        "id": event,
        "member": "ann",
        "data": {
            "order_id": "o1",
            "total": 1200,
            "currency": "CNY",
            "lines": [{"sku": "t", "quantity": 1, "amount": 1200, "name": "", "category": ""}],
            "reservation_id": None,
        },
    }
    assert webhook_id.startswith("evt_")
    assert "." not in webhook_id
    assert headers["content-type"] == "application/json"
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    (one,) = shop.items()
    assert (one.state, one.title, one.figures["Attempts"], one.figures["Last answer"]) == (
        "delivered",
        "order.paid",
        1,
        "Status 204",
    )
    assert shop.item(one.id, "deliveries").values.webhook_id == webhook_id


def test_each_endpoint_gets_what_it_asked_for_other_plugins_events_too(shop, receiver):
    shop.endpoint(receiver.url, "visit.made", "maker.made")
    everything = Receiver()
    shop.endpoint(everything.url)
    shop.send("page.viewed", page="home")
    shop.send("visit.made", place="door")
    shop.emit(Made(what="cup"))
    shop.work()
    assert [body["type"] for _, body, _ in receiver.got] == ["visit.made", "maker.made"]
    assert [body["type"] for _, body, _ in everything.got] == ["page.viewed", "visit.made", "maker.made"]
    assert set(receiver.ids) < set(everything.ids), "the same event has the same id everywhere"
    made = receiver.got[1][1]
    assert (made["member"], made["data"], made["source"]) == (None, {**CUP, "words": []}, "plugin:maker")
    everything.close()


def test_what_is_too_large_is_left_out_and_named(shop, receiver):
    shop.endpoint(receiver.url, "maker.made")
    shop.emit(Made(what="cup", words=["many words"] * 2_000))
    shop.emit(Made(what="x" * 19_000, words=["few"]))
    shop.work()
    large, fits = sorted((body for _, body, _ in receiver.got), key=lambda body: len(body["data"]["what"]))
    assert (large["data"], large["omitted"]) == (CUP, ["words"])
    assert (fits["data"]["words"], "omitted" in fits) == (["few"], False)


def test_without_an_endpoint_nothing_is_written_and_nothing_is_read(shop):
    shop.send("visit.made", place="door")
    assert shop.rows("SELECT 1 FROM webhooks.delivery") == []
    ((position, head),) = shop.rows(
        "SELECT c.position, s.head FROM core.cursor c, core.stream s WHERE c.plugin = 'webhooks'"
    )
    assert position == head


def test_an_endpoint_is_told_of_what_comes_after_it_was_made(shop, receiver):
    shop.send("visit.made")
    shop.endpoint(receiver.url)
    shop.send("visit.made", place="second")
    assert [body["data"]["place"] for _, body, _ in receiver.got] == ["second"]


def test_replays_and_duplicates_make_no_second_delivery(shop, receiver):
    """Elsewhere a retry of the batch sent a second webhook under a new id."""
    shop.endpoint(receiver.url)
    shop.send("visit.made", place="door")
    with shop.platform.database.ops.begin() as ops:
        ops.exec_driver_sql(
            f"UPDATE core.cursor SET position = 0 WHERE tenant_id = {shop.tenant.id} AND plugin = 'webhooks'"
        )
        ops.exec_driver_sql(f"INSERT INTO core.backlog (tenant_id) VALUES ({shop.tenant.id})")
    event = shop.sender.event("visit.made", "ann", id="e1", time=START, place="door")
    assert [item.verdict for item in shop.sender.batch(shop.tenant, [event, event])] == ["duplicate"] * 2
    shop.work()
    assert len(receiver.got) == 1
    assert shop.states() == ["delivered"]


def test_a_batch_is_one_statement_however_many_events_it_has(shop, receiver):
    for _ in range(3):
        shop.endpoint(receiver.url, "visit.made")
    worker = Worker(shop.platform, WorkerConfig(calls=0))
    counts = []
    for size in (1, 1, 15):
        for place in range(size):
            shop.send("visit.made", f"m{place}", work=False, place=str(place))
        with counted(shop.platform) as statements:
            worker.drain()
        counts.append(len([one for one in statements if "webhooks." in one or "INTO core.timer" in one]))
    assert counts[1] == counts[2], "the first turn plans the schedules, too"
    shop.wait(seconds=30)
    assert (len(receiver.got), len(set(receiver.ids))) == (51, 17)


@contextmanager
def counted(platform):
    """The statements that the app role runs meanwhile."""
    found = []

    def note(_connection, _cursor, statement, *_):
        found.append(statement)

    sqlalchemy.event.listen(platform.database.app, "before_cursor_execute", note)
    yield found
    sqlalchemy.event.remove(platform.database.app, "before_cursor_execute", note)


def test_what_fails_is_tried_again_on_the_specifications_schedule(shop, receiver):
    shop.endpoint(receiver.url)
    receiver.answer = 500
    shop.send("visit.made")
    assert [round(sum((pause.total_seconds() for pause in PAUSES[:n]), 0.0)) for n in range(10)] == [
        *(0, 5, 305, 2105, 9305, 27_305, 63_305, 113_705, 185_705, 272_105)
    ], "75 hours and 35 minutes"
    for number, pause in enumerate(PAUSES, 1):
        assert len(receiver.tried) == number
        ((due,),) = shop.rows("SELECT due_at FROM webhooks.delivery")
        assert pause * 0.9 <= due - shop.now <= pause * 1.1 + MEANWHILE
        if pause > MEANWHILE * 2:
            shop.at(due - MEANWHILE)
            shop.work()
            assert len(receiver.tried) == number, "not before it is time"
        shop.at(due)
        shop.work()
    assert len(receiver.tried) == 10
    assert len({webhook_id for webhook_id, _ in receiver.tried}) == 1
    assert shop.states() == ["failed"]
    shop.wait(days=30)
    assert len(receiver.tried) == 10
    assert [one.figures["Last answer"] for one in shop.items()] == ["Status 500"]


def test_any_2xx_is_success_anything_else_is_failure_and_redirects_are_not_followed(shop, receiver):
    shop.endpoint(receiver.url)
    receiver.headers = {"Location": receiver.url}
    for status, state in (
        *((200, "delivered"), (201, "delivered"), (204, "delivered"), (299, "delivered")),
        *((status, "queued") for status in (300, 301, 302, 307, 308, 400, 404, 500, 502, 504)),
    ):
        receiver.answer = status
        shop.send("visit.made")
        (newest,) = shop.items(limit=1)
        webhook_id = shop.item(newest.id, "deliveries").values.webhook_id
        assert (newest.state, receiver.tried.count((webhook_id, status))) == (state, 1), status
        assert newest.figures["Last answer"] == f"Status {status}"


def waits(shop):
    """How long it is until the next attempt."""
    ((due,),) = shop.rows("SELECT due_at FROM webhooks.delivery")
    return due - shop.now


def test_who_asks_to_wait_is_not_called_before(shop, receiver):
    shop.endpoint(receiver.url)
    receiver.answer, receiver.headers = 429, {"Retry-After": "600"}
    shop.send("visit.made")
    assert timedelta(seconds=600) <= waits(shop) <= timedelta(seconds=600) + MEANWHILE
    receiver.headers = {"Retry-After": "1"}
    shop.wait(seconds=630)
    # The schedule is the least: who always says "in a second" would use up all attempts in ten.
    assert waits(shop) >= PAUSES[1] * 0.9
    receiver.answer, receiver.headers = 503, {"Retry-After": str(10**9)}
    shop.wait(seconds=400)
    assert DAY <= waits(shop) <= DAY + MEANWHILE


def test_gone_disables_the_endpoint_and_says_so(shop, receiver):
    endpoint, _ = shop.endpoint(receiver.url)
    other = Receiver()
    shop.endpoint(other.url)
    receiver.answer = lambda _: 500
    shop.send("visit.made", place="waits")
    receiver.answer = 410
    shop.send("visit.made", place="gone")
    found = shop.item(endpoint)
    assert (found.state, found.figures["Why it is disabled"]) == (
        "disabled",
        "It answered that it wants nothing more.",
    )
    states = shop.rows("SELECT state FROM webhooks.delivery WHERE endpoint_id = :id ORDER BY id", id=int(endpoint))
    assert states == [("stopped",), ("failed",)]
    told = [body["data"] for _, body, _ in other.got if body["type"] == "webhooks.endpoint_disabled"]
    assert told == [{"endpoint": endpoint, "reason": "gone"}]
    tried = len(receiver.tried)
    shop.send("visit.made", place="later")
    shop.wait(days=2)
    assert len(receiver.tried) == tried
    other.close()


def test_an_endpoint_that_fails_for_five_days_is_disabled(shop, receiver):
    endpoint, _ = shop.endpoint(receiver.url)
    receiver.close()
    for _ in range(5):
        shop.send("visit.made")
        assert shop.item(endpoint).state == "active"
        shop.wait(days=1)
    shop.send("visit.made")
    found = shop.item(endpoint)
    assert (found.state, found.figures["Why it is disabled"]) == (
        "disabled",
        "Nothing has arrived there for five days.",
    )
    assert "queued" not in shop.states()


def test_days_without_an_attempt_are_no_days_of_failure(shop, receiver, monkeypatch):
    """Elsewhere a single failure, a week after an outage, disabled an endpoint at once."""
    endpoint, _ = shop.endpoint(receiver.url)
    receiver.answer = 500
    monkeypatch.setattr("threepeat_webhooks.delivering.PAUSES", (timedelta(days=1),))
    shop.send("visit.made", place="outage")
    shop.wait(hours=27)
    assert shop.states() == ["failed"]
    shop.wait(days=7)
    shop.send("visit.made", place="a week later")
    assert shop.item(endpoint).state == "active"
    receiver.answer = 204
    shop.wait(hours=27)
    assert [body["data"]["place"] for _, body, _ in receiver.got] == ["a week later"]


def test_a_single_success_begins_the_five_days_anew(shop, receiver):
    endpoint, _ = shop.endpoint(receiver.url)
    for _ in range(4):
        receiver.answer = 500
        shop.send("visit.made")
        shop.wait(days=1)
        receiver.answer = 204
        shop.wait(hours=12)
    assert shop.item(endpoint).state == "active"
    assert "Failing since" not in shop.item(endpoint).figures


def test_a_test_event_goes_to_its_endpoint_alone(shop, receiver):
    endpoint, secret = shop.endpoint(receiver.url, "order.paid")
    other = Receiver()
    shop.endpoint(other.url)
    receiver.secrets = (secret,)
    shop.step(endpoint, "test")
    shop.work()
    ((_, body, _),) = receiver.got
    assert (body["type"], body["member"], body["data"]) == ("webhooks.tested", None, {"endpoint": endpoint})
    assert other.got == []
    other.close()
