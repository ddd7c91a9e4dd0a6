"""Boxes over the road of a shop: seen, held, paid, drawn, opened late, given up, returned."""

import json

import pytest

from threepeat_blindbox import evidence
from threepeat_blindbox.form import SeriesForm

NONCE = "0123456789abcdef0123456789abcdef"
ITEMS = [
    {"sku": "cup", "name": "Cup", "weight": 1, "stock": 2},
    {"sku": "pan", "name": "Pan", "weight": 1},
]


def test_a_paid_box_is_drawn_from_the_odds_that_its_buyer_saw(shop):
    series = shop.series()
    shop.declare()
    seen = shop.shelf()["box"]
    assert [(one["item"], one["base"]["percent"]) for one in seen["odds"]] == [
        ("cup", "60%"), ("pan", "30%"), ("owl", "10%"),
    ]  # fmt: skip
    order = shop.buy(boxes=3, nonce=NONCE)
    boxes = shop.boxes()
    assert [one["state"] for one in boxes] == ["opened"] * 3
    assert [one["draw_no"] for one in boxes] == [1, 2, 3]
    for place, one in enumerate(boxes, 1):
        said = json.loads(one["receipt"]["body"])
        assert said["pool"] == seen["version"]
        assert said["order"] == evidence.order_hash(NONCE, order)
        assert (said["ordinal"], said["item"], said["derived"]) == (place, one["item"], False)
        assert one["receipt"]["nonce"] == NONCE
    told = shop.events("box.opened")
    assert [(one["item"], one["order_id"], one["series"]) for one in told] == [
        (one["item"], order, series) for one in boxes
    ]


def test_a_message_says_what_a_box_held(platform):
    kinds = platform.registry["blindbox"].message_kinds
    assert set(kinds) == {"opened", "opened_several", "paid_back"}


def test_an_order_is_drawn_for_once_however_often_it_is_told(shop):
    shop.series()
    shop.buy(boxes=2, order="o1")
    before = shop.boxes()
    shop.paid("o1", boxes=2)
    shop.paid("o1", boxes=3, sku="box")
    assert shop.boxes() == before
    assert shop.open(before[0]["id"]).json() == before[0], "what is open stays what it is"


def test_nobody_holds_a_box_without_a_word_about_age_or_without_the_odds(shop):
    shop.series()
    answer = shop.reserve(shop.quote())
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:threepeat:problem:age")
    shop.declare(kind="guardian")
    for version in ("0" * 64, "", "x"):
        quote = shop.quote(version=version)
        assert quote["left_out"][0]["why"] == "declined"
        answer = shop.reserve(quote)
        assert answer.json()["type"] == "urn:threepeat:problem:version-changed"
        assert shop.version() in answer.json()["detail"], "it says what to read"
    answer = shop.reserve(shop.quote(price=6_000))
    assert answer.json()["type"] == "urn:threepeat:problem:price"
    assert shop.reserve(shop.quote()).status_code == 200
    shop.save(age_text="Another text")
    answer = shop.reserve(shop.quote())
    assert answer.json()["type"] == "urn:threepeat:problem:age"
    assert shop.ask("POST", "age", kind="adult", text_version="old").status_code == 409
    assert shop.rows("SELECT count(*) FROM blindbox.declaration") == [(1,)]


def test_a_refusal_names_the_limit_that_is_reached(shop):
    series = shop.series(daily_boxes=2, daily_money=10 * 5_900)
    shop.buy()
    assert "you may open 2 boxes of this series in a day" in shop.reserve(shop.quote(boxes=2)).json()["detail"]
    shop.grant(series, amount=2)
    assert shop.use(series).status_code == 200
    assert "you may open 2 boxes of this series in a day" in shop.use(series).json()["detail"]


def test_a_refusal_names_the_money_that_is_reached(shop):
    shop.series(daily_boxes=9, daily_money=5_900)
    shop.buy()
    assert "CN¥59.00" in shop.reserve(shop.quote()).json()["detail"]


def test_a_basket_of_many_series_is_held_as_far_as_a_quote_can_say(shop):
    skus = [f"box-{number:02}" for number in range(12)]
    for sku in skus:
        shop.series(sku=sku)
    shop.declare()
    lines = [{"id": sku, "sku": sku, "quantity": 1, "unit_price": 5_900} for sku in skus]
    answer = shop.call("POST", "quotes", lines=lines, member="ann").json()
    held = {one["key"] for one in answer["applied"]}
    assert held == {one["key"].removesuffix("-why") for one in answer["left_out"]}
    assert {one["why"] for one in answer["left_out"]} == {"declined"}
    assert len(held) == 10


def test_what_is_held_is_free_again_when_it_is_let_go(shop):
    shop.series(mode="urn", items=[ITEMS[0], ITEMS[1] | {"stock": 1}], daily_boxes=3)
    shop.declare()
    quote = shop.held(boxes=3)
    shop.declare("bob")
    answer = shop.reserve(shop.quote("bob"))
    assert answer.json()["type"] == "urn:threepeat:problem:sold-out"
    shop.release(quote)
    held = shop.held("bob", 3)
    shop.paid("o1", "bob", 3, quote=held)
    assert sorted(shop.items("bob")) == ["cup", "cup", "pan"]
    answer = shop.reserve(shop.quote("bob"))
    assert answer.json()["type"] == "urn:threepeat:problem:limit"


def test_a_box_whose_odds_changed_meanwhile_waits_for_its_buyer(shop):
    series = shop.series(items=[ITEMS[0] | {"stock": 1, "weight": 1_000_000}, ITEMS[1]])
    first = shop.version()
    shop.buy(boxes=3)
    boxes = shop.boxes()
    if boxes[0]["item"] == "pan":
        pytest.skip("one in a million")
    assert [one["state"] for one in boxes] == ["opened", "waiting", "waiting"], "the cup is sold out"
    assert shop.version() != first
    assert [one["item"] for one in shop.shelf()["box"]["odds"]] == ["pan"]
    assert shop.open(boxes[1]["id"], version=first).json()["type"] == "urn:threepeat:problem:version-changed"
    opened = shop.open(boxes[1]["id"]).json()
    assert (opened["state"], opened["item"]) == ("opened", "pan")
    assert json.loads(opened["receipt"]["body"])["version"] == 2
    gone = shop.ask("POST", "boxes/decline", box=boxes[2]["id"]).json()
    assert gone["state"] == "void"
    assert [(one["amount"], one["reason"]) for one in shop.events("refund.requested")] == [
        (5_900, "blindbox-declined")
    ]
    assert shop.open(boxes[2]["id"]).json()["type"] == "urn:threepeat:problem:given-up"
    assert shop.ask("POST", "boxes/decline", box=boxes[1]["id"]).status_code == 409
    assert shop.item(series).figures["Version of the odds"] == 2


def test_an_order_without_a_quote_waits_for_its_buyer_to_see_the_odds(shop):
    shop.series(daily_boxes=2)
    shop.paid("o1", boxes=2)
    waits = shop.boxes()
    assert [one["state"] for one in waits] == ["waiting"] * 2
    assert shop.open(waits[0]["id"]).json()["type"] == "urn:threepeat:problem:age"
    shop.declare()
    assert shop.ask("POST", "nonces", order_id="o1", nonce=NONCE).json()["nonce"] == NONCE
    assert shop.open(waits[0]["id"], nonce="f" * 32).json()["receipt"]["nonce"] == "f" * 32
    opened = shop.open(waits[1]["id"], nonce="e" * 32).json()
    assert opened["receipt"]["nonce"] == "f" * 32, "of an order the first counts"


def test_a_nonce_that_was_given_before_the_payment_is_the_orders(shop):
    shop.series()
    for nonce in (NONCE, "f" * 32):
        assert shop.ask("POST", "nonces", order_id="o9", nonce=nonce).json()["nonce"] == NONCE
    shop.buy(order="o9")
    assert shop.boxes()[0]["receipt"]["nonce"] == NONCE
    shop.buy(order="o10")
    own = shop.boxes()[1]["receipt"]
    assert json.loads(own["body"])["derived"]
    assert json.loads(own["body"])["order"] == evidence.order_hash(own["nonce"], "o10")


def test_what_is_over_a_limit_or_sold_out_is_paid_back_not_drawn(shop):
    shop.series(items=[ITEMS[0], ITEMS[1] | {"stock": 2}], daily_boxes=3)
    shop.paid("o1", boxes=4)
    shop.paid("o2", boxes=2)
    shop.paid("o3", "bob", boxes=3)
    shop.paid("o4", "bob", boxes=1, sku="other")
    asked = {one["order_id"]: (one["amount"], one["reason"]) for one in shop.events("refund.requested")}
    assert asked == {"o1": (23_600, "blindbox-caps"), "o3": (17_700, "blindbox-sold-out")}
    shop.refunded("o1", amount=23_600)
    shop.event("refund.failed", "bob", order_id="o3", reason="account closed")
    shop.worker.drain()
    assert shop.rows("SELECT order_id, state FROM blindbox.claim ORDER BY 1") == [("o1", "done"), ("o3", "failed")]
    shop.refunded("o3", "bob", amount=17_700)
    assert shop.rows("SELECT DISTINCT state FROM blindbox.claim") == [("done",)]


def test_money_is_asked_for_each_day_until_the_shop_answers(shop):
    shop.series(daily_boxes=1)
    shop.paid("o1", boxes=2)
    for day in (1, 2):
        shop.day(day)
        shop.worker.drain()
    asked = len(shop.events("refund.requested"))
    assert asked >= 3
    shop.refunded("o1", boxes=2, amount=11_800)
    shop.day(4)
    shop.worker.drain()
    assert len(shop.events("refund.requested")) == asked


def test_a_box_that_nobody_opens_is_paid_back_in_time(shop):
    shop.series()
    shop.paid("o1", boxes=2)
    shop.declare()
    assert shop.open(shop.boxes()[0]["id"]).status_code == 200
    shop.day(8)
    shop.worker.drain()
    assert [one["state"] for one in shop.boxes()] == ["opened", "void"]
    assert [one["reason"] for one in shop.events("refund.requested")] == ["blindbox-expired"]


@pytest.mark.parametrize(("boxes", "amount"), [(1, 5_900), (0, 17_700), (3, 17_700)])
def test_a_draw_stands_when_its_order_comes_back(shop, boxes, amount):
    """Elsewhere a refund after the draw undid it, and the same order could be drawn for anew until it pleased."""
    shop.series(items=[dict(one, stock=50) for one in ITEMS], daily_boxes=3)
    shop.buy(boxes=3, order="o1")
    before = shop.boxes()
    shop.refunded("o1", boxes=boxes, amount=amount)
    after = shop.boxes()
    assert [one | {"returned": False} for one in after] == before
    assert [one["returned"] for one in after].count(True) == (boxes or 3)
    shop.paid("o1", boxes=3)
    assert shop.boxes() == after
    assert shop.reserve(shop.quote()).json()["type"] == "urn:threepeat:problem:limit", "it still counts for today"


def test_boxes_that_wait_and_come_back_are_not_drawn(shop):
    shop.series()
    shop.paid("o1", boxes=3)
    shop.refunded("o1", boxes=1, amount=5_900)
    assert [one["state"] for one in shop.boxes()] == ["waiting", "waiting", "void"]
    shop.refunded("o1", amount=11_800)
    assert {one["state"] for one in shop.boxes()} == {"void"}
    assert shop.events("refund.requested") == [], "nobody pays twice"


@pytest.mark.parametrize(("boxes", "amount", "left"), [(1, 5_900, 1), (2, 11_800, 0), (0, 11_800, 0)])
def test_a_refund_that_comes_before_its_payment_takes_its_boxes_along(shop, boxes, amount, left):
    shop.series()
    shop.declare()
    quote = shop.held(boxes=2)
    shop.refunded("o1", boxes=boxes, amount=amount)
    shop.paid("o1", boxes=2, quote=quote)
    assert [one["state"] for one in shop.boxes()] == ["opened"] * left


def test_more_or_fewer_boxes_than_were_held(shop):
    shop.series(daily_boxes=5)
    shop.declare()
    shop.paid("o1", boxes=1, quote=shop.held(boxes=3))
    assert [one["state"] for one in shop.boxes()] == ["opened"]
    shop.paid("o2", boxes=3, quote=shop.held(boxes=1))
    assert [one["state"] for one in shop.boxes()] == ["opened", "opened", "waiting", "waiting"]


def test_more_money_than_the_limit_is_paid_back_though_the_box_was_held(shop):
    shop.series(daily_money=2 * 5_900)
    shop.declare()
    shop.paid("o1", quote=shop.held(), amount=3 * 5_900)
    assert [(one["reason"], one["amount"]) for one in shop.events("refund.requested")] == [
        ("blindbox-caps", 17_700)
    ]
    assert shop.boxes() == []
    assert shop.reserve(shop.quote(boxes=2)).status_code == 200, "nothing of it counts"


def test_what_nobody_needs_any_more_goes(shop):
    shop.series()
    shop.declare()
    shop.release(shop.held())
    shop.ask("POST", "nonces", order_id="never", nonce=NONCE)
    shop.worker.drain()
    shop.day(70)
    shop.worker.drain()
    left = shop.rows("SELECT (SELECT count(*) FROM blindbox.hold), (SELECT count(*) FROM blindbox.nonce)")
    assert left == [(0, 0)]


def test_what_its_checkout_pays_back_is_not_drawn(shop):
    shop.series()
    shop.declare()
    quote = shop.held()
    shop.paid("o1", quote=quote)
    shop.paid("o2", quote=quote)
    assert len(shop.boxes()) == 1
    assert [one["order_id"] for one in shop.events("refund.requested")] == ["o2"], (
        "asked for once, by the checkout"
    )


def test_a_late_payment_is_held_again_or_paid_back(shop):
    shop.series(mode="urn", items=[ITEMS[0] | {"stock": 1}, ITEMS[1] | {"stock": 1}])
    shop.declare()
    late = shop.held(boxes=2)
    shop.day(0, hour=18)
    shop.worker.drain()
    shop.buy("bob", 1)
    shop.paid("late", boxes=2, quote=late)
    assert shop.boxes() == []
    assert [one["order_id"] for one in shop.events("refund.requested")] == ["late"]


def test_the_comparison_group_is_not_offered_boxes_and_has_what_it_paid_for(open_shop):
    shop = open_shop(holdout=50)
    shop.series()
    names = [f"m{number}" for number in range(30)]
    for name in names:
        shop.member(name)
    out = [name for name in names if shop.ask("GET", "series", name).status_code == 409]
    assert out
    assert len(out) < len(names)
    assert not shop.quote(out[0])["applied"]
    shop.paid("o1", out[0])
    (box,) = shop.boxes(out[0])
    text_version = shop.platform.registry["blindbox"].plugin.settings_model().text_version
    assert shop.ask("POST", "age", out[0], kind="adult", text_version=text_version).status_code == 200
    assert shop.open(box["id"], out[0]).json()["state"] == "opened"
    assert shop.violations() == []


def test_a_tactic_that_closes_sells_none_and_draws_what_was_paid(shop):
    shop.series()
    shop.declare()
    quote = shop.held()
    waits = shop.held()
    shop.paid("o1")
    shop.switch("disable")
    assert shop.ask("GET", "series").status_code == 409
    assert shop.reserve(shop.quote()).status_code == 200, "nothing of boxes is held by it"
    shop.paid("o2", quote=quote)
    assert [one["state"] for one in shop.boxes()] == ["waiting", "opened"]
    assert shop.open(shop.boxes()[0]["id"]).json()["state"] == "opened"
    blindbox = shop.platform.registry["blindbox"].plugin
    owed = shop.act("blindbox", lambda ctx: list(blindbox.open_obligations(ctx)))
    assert owed == ["1 box is held for an unpaid order"]
    shop.release(waits)
    assert shop.act("blindbox", lambda ctx: list(blindbox.open_obligations(ctx))) == []


def test_the_form_reads_what_it_wrote(shop):
    series = shop.series()
    assert shop.item(series).values == SeriesForm.model_validate(shop.item(series).values.model_dump(mode="json"))
