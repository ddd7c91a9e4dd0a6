"""Whatever is sent to the routes: an answer or a problem that names the field, never a fault."""

import pytest

from threepeat.testing.hostile import ADDRESSES, IMPOSSIBLE, ODD


@pytest.fixture(scope="module")
def known():
    return {}


@pytest.fixture
def shop(open_shop, known):
    if "shop" not in known:
        known["shop"] = open_shop(make_ups_per_month=31, make_up_price=None)
        known["shop"].taps(0, 2)
    return known["shop"]


def refused(answer, *codes):
    assert answer.status_code in codes, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 10_000
    return answer.json()


def unharmed(shop):
    assert len(shop.calendar()["days"]) == 2
    assert shop.points() == 10


@pytest.mark.parametrize("value", [*IMPOSSIBLE.values(), *ODD.values()], ids=[*IMPOSSIBLE, *ODD])
def test_a_day_that_is_none(shop, value):
    for body in (b'{"day":' + value + b"}", value, b'{"day":"2026-03-03","extra":' + value + b"}"):
        refused(
            shop.ask("POST", "make-up", content=body, headers={"Content-Type": "application/json"}),
            400,
            409,
            413,
            422,
        )
    unharmed(shop)


@pytest.mark.parametrize(
    "day",
    [
        "2026-02-30",
        "2026-3-3",
        "20260303",
        "2026-03-03T00:00:00+14:00",
        "0000-01-01",
        "99999-01-01",
        "today",
        "",
        "２０２６-03-03",
    ],
)
def test_a_day_that_nearly_is_one_names_the_field(shop, day):
    found = refused(shop.ask("POST", "make-up", json={"day": day}), 422)
    assert "day" in str(found)
    unharmed(shop)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"day":null}', b'{"days":"2026-03-03"}', b"day=2026-03-03"])
def test_a_body_without_a_day_names_the_field(shop, body):
    found = refused(
        shop.ask("POST", "make-up", content=body, headers={"Content-Type": "application/json"}), 400, 422
    )
    assert found["status"] in {400, 422}
    unharmed(shop)


@pytest.mark.parametrize("month", ADDRESSES.values(), ids=ADDRESSES)
def test_a_month_that_is_none(shop, month):
    refused(shop.ask("GET", f"calendar?month={month}"), 400, 414, 422, 431)


@pytest.mark.parametrize(
    "month", ["2026-13", "2026-00", "2026-1", "0000-01", "1999-12", "3000-01", "2026-01-01", "２０２６-01"]
)
def test_a_month_that_nearly_is_one_names_the_field(shop, month):
    assert "month" in str(refused(shop.ask("GET", "calendar", params={"month": month}), 422))


@pytest.mark.parametrize("month", ["2000-01", "2026-02", "2026-12", "2999-12"])
def test_any_month_of_the_calendar_can_be_asked_for(shop, month):
    assert shop.calendar(month=month)["month"] == month


@pytest.mark.parametrize("value", ADDRESSES.values(), ids=ADDRESSES)
def test_what_the_check_in_is_told_besides_counts_for_nothing(shop, value):
    body = {"content": b'{"day":"2030-01-01"}', "headers": {"Content-Type": "application/json"}}
    answer = shop.ask("POST", f"check-in?day={value}", **body)
    assert answer.status_code in {200, 400, 414, 431}
    unharmed(shop)


def test_without_a_key_or_a_token_nothing_happens(shop):
    assert shop.client.post("/v1/me/checkin/check-in", headers={"Idempotency-Key": "k"}).status_code == 401
    assert refused(shop.ask("POST", "check-in", headers={"Idempotency-Key": ""}), 422)
    unharmed(shop)
