"""Webhooks in the console: an endpoint with the types it is told of, and a secret that is shown once."""

import re

ENDPOINTS = "/tactics/webhooks/collections/endpoints"
RESENDS = "/tactics/webhooks/collections/resends"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")


def made(shop, **values):
    sent = shop.fields(f"{ENDPOINTS}/new", "values") | {
        "values.name": "Order system",
        "values.url": "https://shop.example.com/hook",
    }
    return shop.follow(f"{ENDPOINTS}/new", sent | {name.replace("__", "."): one for name, one in values.items()})


def test_an_endpoint_is_made_and_its_secret_is_shown_once(make_shop):
    shop = make_shop()
    page = made(shop)
    assert "Order system is made." in page
    assert "Signing secret" in page
    (secret,) = set(SECRET.findall(page))
    item = re.search(rf"{shop.root}({ENDPOINTS}/items/\d+)", page)[1]
    assert not SECRET.search(shop.get(item)), "the second time it is not there"
    after = shop.follow(f"{item}/rotate", {"revision": "1"})
    (other,) = set(SECRET.findall(after))
    assert other != secret
    assert "The secret before signs too until" in after
    assert not SECRET.search(shop.get(item))
    assert secret not in str(shop.trail())


def test_the_secret_is_for_the_page_of_its_item_and_for_whoever_made_it(make_shop):
    shop = make_shop()
    sent = shop.fields(f"{ENDPOINTS}/new", "values") | {"values.name": "A", "values.url": "https://a.com/"}
    answer = shop.owner.post(f"{shop.root}{ENDPOINTS}/new", sent)
    assert "whsec_" not in str(answer.headers)
    where = answer.headers["location"].removeprefix(shop.root)
    other = shop.consoles.staff(shop.tenant, role="owner")
    assert not SECRET.search(shop.get(where, who=other))
    assert not SECRET.search(shop.get(ENDPOINTS))
    assert SECRET.search(shop.get(where))


def test_types_are_ticked_and_come_back(make_shop):
    shop = make_shop()
    form = shop.get(f"{ENDPOINTS}/new")
    for kind, name in (
        ("order.paid", "Order paid"),
        ("refund.requested", ""),
        ("webhooks.tested", "Webhooks: test"),
    ):
        assert f'value="{kind}"' in form
        assert name in form
    page = made(shop, values__which="chosen", values__types=["order.paid", "visit.made"])
    ticked = re.findall(r'<input[^>]*name="values\.types"[^>]*checked[^>]*>', page)
    assert {re.search(r'value="([^"]*)"', one)[1] for one in ticked} == {"order.paid", "visit.made"}
    sent = shop.fields(f"{ENDPOINTS}/new", "values") | {"values.name": "B", "values.url": "https://b.com/"}
    assert "tick at least one" in shop.post(f"{ENDPOINTS}/new", sent | {"values.which": "chosen"}, 422)
    assert "Name a computer on the public internet" in shop.post(
        f"{ENDPOINTS}/new", sent | {"values.url": "https://10.0.0.1/"}, 422
    )


def test_it_is_told_in_chinese(make_shop):
    shop = make_shop()
    shop.post("/language", {"locale": "zh-CN", "next": ""})
    assert "推送地址" in shop.get(f"{ENDPOINTS}/new")
    sent = shop.fields(f"{ENDPOINTS}/new", "values") | {"values.name": "B", "values.url": "http://b.com/"}
    assert "请以 https:// 开头" in shop.post(f"{ENDPOINTS}/new", sent, 422)
    page = shop.follow(f"{ENDPOINTS}/new", sent | {"values.url": "https://b.com/"})
    assert "仅显示这一次" in page
    assert "签名密钥" in page


def test_what_is_sent_again_names_its_endpoint(make_shop):
    shop = make_shop()
    made(shop)
    page = shop.get(f"{RESENDS}/new")
    number = re.search(r'<option value="(\d+)"[^>]*>Order system</option>', page)[1]
    sent = shop.fields(f"{RESENDS}/new", "values") | {"values.endpoint": number}
    wrong = shop.post(f"{RESENDS}/new", sent | {"values.since": "2001-01-01T00:00"}, 422)
    assert "Choose an instant between" in wrong
    assert "Nothing here yet" in shop.get(RESENDS)
    assert shop.get("/tactics/webhooks/collections/deliveries")
