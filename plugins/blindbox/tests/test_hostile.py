"""Whatever is sent: an answer or a problem that names the field, never a fault; and what the store sees."""

import secrets

import pytest

from threepeat.events.metrics import period, report
from threepeat.tenancy import keys
from threepeat.testing.hostile import ADDRESSES, IMPOSSIBLE, ODD

JSON = {"Content-Type": "application/json"}
POSTS = {
    "age": {"kind": "adult", "text_version": "x"},
    "nonces": {"order_id": "o1", "nonce": "0" * 32},
    "boxes/open": {"box": "1", "version": "0" * 64},
    "boxes/decline": {"box": "1"},
    "chances/use": {"series": "1", "version": "0" * 64},
}


@pytest.fixture(scope="module")
def lived(kept):
    kept.series()
    kept.paid("o1")
    return kept


def send(shop, path, content):
    from datetime import timedelta

    signed = keys.sign_token(shop.platform.keyring, shop.tenant.id, shop.member(), "ann", timedelta(hours=1))
    headers = JSON | {"Authorization": f"Bearer {signed[0]}", "Idempotency-Key": secrets.token_hex(8)}
    return shop.client.post(f"/v1/me/blindbox/{path}", headers=headers, content=content)


@pytest.mark.parametrize("value", [*IMPOSSIBLE.values(), *ODD.values()], ids=[*IMPOSSIBLE, *ODD])
def test_a_body_that_is_none(lived, value):
    for path, fields in POSTS.items():
        field = list(fields)[-1]
        answer = send(lived, path, b'{"' + field.encode() + b'":' + value + b"}")
        assert answer.status_code in {400, 409, 413, 422}, answer.text[:300]
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.content) < 20_000


@pytest.mark.parametrize("path", POSTS)
def test_a_body_names_the_field_that_is_wrong(lived, path):
    for field in POSTS[path]:
        for wrong in ("", "x" * 200, 7) if field in {"order_id", "text_version"} else ("G" * 64, "1\n", 7):
            answer = lived.ask("POST", path, **(POSTS[path] | {field: wrong}))
            assert answer.status_code == 422, (path, field, wrong, answer.text)
            assert field in answer.text


@pytest.mark.parametrize("value", ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_that_is_none(lived, value):
    for path in (f"boxes?before={value}", f"evidence/1?after={value}"):
        assert lived.ask("GET", path).status_code in {400, 414, 422, 431}
    assert lived.ask("GET", f"evidence/{value}").status_code in {400, 404, 409, 414, 422, 431}


@pytest.mark.parametrize(
    "choice",
    [7, "x", [], ["x"], {"version": 7}, {"version": None, "nonce": {}}, {"1": 7},
     {"version": "0" * 64, "nonce": "x"}, {"version": "0" * 10_000}, {"nonce": "\u0000"}],
)  # fmt: skip
def test_a_choice_that_is_none_is_declined(lived, choice):
    lines = [{"id": "1", "sku": "box", "quantity": 10**6, "unit_price": 5_900}]
    answer = lived.call("POST", "quotes", lines=lines, member="ann", choices={"blindbox": choice})
    assert answer.status_code in {201, 422}, answer.text
    if answer.status_code == 201:
        assert answer.json()["left_out"][0]["why"] == "declined"
        assert lived.reserve(answer.json()).status_code == 409


def test_an_order_of_more_boxes_than_can_be_meant_is_paid_back(shop):
    shop.series(daily_boxes=None)
    for number, boxes in enumerate((10_001, 10**9)):
        shop.paid(f"o{number}", boxes=boxes, amount=10**15)
    assert len(shop.events("refund.requested")) == 2
    shop.paid("free", boxes=2, amount=0)
    assert [one["state"] for one in shop.boxes()] == ["waiting"] * 2
    shop.declare()
    shop.ask("POST", "boxes/decline", box=shop.boxes()[0]["id"])
    assert len(shop.events("refund.requested")) == 2, "nothing was paid for it"


def test_events_that_come_late_twice_and_in_any_order(shop):
    shop.series(daily_boxes=5)
    shop.declare()
    quote = shop.held(boxes=2)
    shop.refunded("o2", boxes=1, amount=5_900)
    for _ in range(2):
        shop.paid("o2", boxes=2, wait=False)
        shop.paid("o1", boxes=2, quote=quote, wait=False)
    shop.refunded("o1", boxes=1, amount=5_900, refund="r1")
    shop.worker.drain()
    assert [one["state"] for one in shop.boxes()] == ["waiting", "opened", "opened"]
    assert [one["returned"] for one in shop.boxes()] == [False, False, True]
    assert shop.rows("SELECT count(*) FROM core.dead_letter") == [(0,)]


def ask(shop, days=7):
    def work(opened):
        plugin = shop.platform.registry["blindbox"]
        return report(opened, plugin, period(opened.tenant.store, opened.scope.now, days))

    reported = shop.managed(work)
    assert [one.error for one in reported] == [None] * 4
    return {one.metric.name: one.answer for one in reported}


def test_the_store_sees_what_came_against_the_odds(shop):
    empty = ask(shop)
    assert (empty["again"].value, empty["owed"].value, list(empty["items"].rows)) == (None, 0, [])
    items = [{"sku": "cup", "name": "Cup", "weight": 3, "stock": 30}, {"sku": "owl", "name": "Owl", "weight": 1}]
    shop.series(items=items, daily_boxes=20)
    shop.buy(boxes=8)
    shop.buy("bob")
    shop.declare("eve")
    shop.paid("waits", "eve")
    shop.day(1)
    shop.buy("eve")
    assert shop.open(shop.boxes("eve")[0]["id"], "eve").status_code == 200
    shop.buy(boxes=7)
    shop.paid("many", boxes=99)
    shop.event("refund.failed", order_id="many")
    shop.worker.drain()
    found = ask(shop)
    drawn = [item for name in ("ann", "bob", "eve") for item in shop.items(name)]
    assert [tuple(row) for row in found["items"].rows] == [
        ("Kitchen", "cup", 14, drawn.count("cup")),
        ("Kitchen", "owl", 4, drawn.count("owl")),
    ]
    assert next(iter(found["daily"].lines.values()))[-2:] == (9, 9)
    assert found["again"].value == 3_333, "one of three: what was paid for on two days was opened on one"
    assert found["owed"].value == 584_100
    assert found["owed"].warning.startswith("Your shop could not")
