"""Whatever is sent to the routes: an answer or a problem, never a fault."""

import pytest

from threepeat.testing.hostile import ADDRESSES, IMPOSSIBLE, ODD

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def known():
    return {}


@pytest.fixture
def shop(open_shop, known):
    if "shop" not in known:
        known["shop"] = open_shop()
        known["shop"].save(wrong_codes_per_hour=1000)
        known["shop"].give(known["shop"].template(claimable=True))
    return known["shop"]


@pytest.mark.parametrize("value", [*IMPOSSIBLE.values(), *ODD.values()], ids=[*IMPOSSIBLE, *ODD])
def test_a_body_that_is_none(shop, value):
    for path, field in (("claim", b"template"), ("codes", b"code")):
        for body in (b'{"' + field + b'":' + value + b"}", value):
            answer = shop.ask("POST", path, content=body, headers=JSON)
            assert answer.status_code in {200, 400, 409, 413, 422}, answer.text[:300]
            if answer.status_code == 200:
                assert answer.json()["voucher"] is None
            else:
                assert answer.headers["content-type"] == "application/problem+json"
            assert len(answer.content) < 20_000
    assert shop.usable() == 1


@pytest.mark.parametrize("value", ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_that_is_none(shop, value):
    for path in (f"wallet?shelf={value}", f"wallet?before={value}", f"offers?before={value}"):
        answer = shop.ask("GET", path)
        assert answer.status_code in {400, 414, 422, 431}, answer.text[:300]


@pytest.mark.parametrize("field", ["template", "code"])
def test_a_body_without_its_field_names_it(shop, field):
    path = "claim" if field == "template" else "codes"
    for body in ({}, {field: ""}, {field: "x" * 81}, {field: 7}):
        answer = shop.ask("POST", path, json=body)
        assert answer.status_code == 422
        assert field in answer.text


def test_without_a_token_or_a_key_nothing_happens(shop):
    assert shop.client.post("/v1/me/vouchers/claim", json={"template": "1"}).status_code == 401
    assert shop.ask("POST", "claim", json={"template": "1"}, headers={"Idempotency-Key": ""}).status_code == 422
