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
        known["shop"] = open_shop(http=True)
        known["campaign"] = known["shop"].campaign()
        known["group"] = known["shop"].open("ann", known["campaign"])
    return known["shop"]


@pytest.mark.parametrize("value", ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_that_is_none(shop, value):
    for method, path in (
        ("GET", f"campaigns?before={value}"),
        ("GET", f"campaigns?sku={value}"),
        ("GET", f"groups?campaign={value}"),
        ("GET", f"groups/{value}"),
        ("POST", f"groups/{value}/leave"),
    ):
        answer = shop.call(method, path)
        assert answer.status_code in {200, 307, 400, 404, 405, 409, 414, 422, 431}, (path, answer.text[:300])
        if answer.status_code == 200:
            assert not any(answer.json().get(name) for name in ("campaigns", "groups"))


@pytest.mark.parametrize("value", list(IMPOSSIBLE.values())[:6], ids=list(IMPOSSIBLE)[:6])
def test_a_body_that_nobody_asked_for(shop, value):
    answer = shop.call("POST", "groups/999/leave", content=value, headers=JSON)
    assert answer.status_code in {400, 409, 413, 422}, answer.text[:300]


@pytest.mark.parametrize("value", [*IMPOSSIBLE.values(), *ODD.values()], ids=[*IMPOSSIBLE, *ODD])
def test_a_choice_that_nobody_understands(shop, known, value):
    line = b'{"id":"1","sku":"tea","quantity":1,"unit_price":10000}'
    campaign = str(known["campaign"]).encode()
    inside = b'{"campaign":"' + campaign + b'","group":' + value + b',"pickup":' + value + b"}"
    for choice in (value, inside):
        body = b'{"lines":[' + line + b'],"choices":{"groupbuy":' + choice + b"}}"
        answer = shop.call("POST", "../../quotes", "bob", content=body, headers=JSON)
        assert answer.status_code in {201, 400, 413, 422}, answer.text[:300]
        assert len(answer.content) < 20_000


def test_without_a_token_nothing_happens(shop):
    assert shop.client.get("/v1/me/groupbuy/mine").status_code == 401
