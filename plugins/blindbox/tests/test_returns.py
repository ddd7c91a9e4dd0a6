"""Money and boxes that come back: told twice, told after a merge, and told of something else."""

from threepeat_blindbox.verifier.verify import verify

PRICE = 5_900
ITEMS = [{"sku": "cup", "name": "Cup", "weight": 3}, {"sku": "pan", "name": "Pan"}]


def states(shop, name="ann"):
    return [one["state"] for one in shop.boxes(name)]


def claims(shop):
    return shop.rows("SELECT state, back FROM blindbox.claim ORDER BY id")


def test_a_refund_that_is_told_twice_counts_once(shop):
    """A shop that sends its notes again gives them new ids; the refund's own stays."""
    shop.series()
    shop.paid("o1", boxes=3)
    for _ in range(2):
        shop.refunded("o1", boxes=1, amount=PRICE, refund="r1")
    assert states(shop) == ["waiting", "waiting", "void"]
    for _ in range(2):
        shop.refunded("o1", boxes=1, amount=PRICE, refund="r2")
    assert states(shop) == ["waiting", "void", "void"]


def test_what_came_back_before_a_merge_counts_after_it(shop):
    """The log keeps the ids that members had before."""
    shop.series(daily_boxes=None)
    for order in ("units", "whole"):
        shop.paid(order, "cid", 2)
    shop.refunded("units", "cid", 1, amount=PRICE)
    shop.merge("cid", "bob")
    shop.merge("bob", "ann")
    shop.refunded("units", "ann", 1, amount=PRICE)
    shop.refunded("whole", "ann", amount=2 * PRICE)
    assert states(shop) == ["void"] * 4
    shop.day(9)
    shop.worker.drain()
    assert shop.events("refund.requested") == [], "nobody pays twice"


def test_what_was_owed_before_a_merge_is_answered_after_it(shop):
    shop.series(daily_boxes=1)
    shop.paid("o1", "bob", 2)
    shop.refunded("o1", "bob", amount=PRICE)
    assert claims(shop) == [("asked", PRICE)]
    shop.merge("bob", "ann")
    shop.refunded("o1", "ann", amount=PRICE)
    assert claims(shop) == [("done", 2 * PRICE)]


def test_money_for_something_else_is_no_answer(shop):
    """Elsewhere what had come back of an order before was taken for what was asked last, which nobody paid."""
    shop.series()
    shop.paid("o1", boxes=2)
    boxes = shop.boxes()
    shop.ask("POST", "boxes/decline", box=boxes[0]["id"])
    shop.refunded("o1", amount=PRICE)
    shop.ask("POST", "boxes/decline", box=boxes[1]["id"])
    shop.refunded("o1", amount=100)
    shop.refunded("o1", boxes=1, amount=PRICE, sku="other")
    assert claims(shop) == [("done", PRICE), ("asked", 100)]
    shop.day(1)
    shop.worker.drain()
    asked = [one["amount"] for one in shop.events("refund.requested")]
    assert asked == [PRICE, PRICE, PRICE - 100], "the rest is asked for again"
    shop.refunded("o1", boxes=1, amount=PRICE - 100)
    assert claims(shop) == [("done", PRICE), ("done", PRICE)]


def test_an_order_that_is_told_again_is_not_drawn_from_the_next_series(shop):
    first = shop.series(items=ITEMS)
    shop.buy(order="o1")
    shop.paid("o2", boxes=2)
    for box in shop.boxes()[1:]:
        shop.ask("POST", "boxes/decline", box=box["id"])
    before = shop.boxes()
    shop.step(first, "close")
    shop.series(items=ITEMS)
    for order, boxes in (("o1", 1), ("o2", 2)):
        shop.paid(order, boxes=boxes)
    assert [one["id"] for one in shop.boxes()] == [one["id"] for one in before]


def test_what_was_held_is_drawn_from_the_series_that_held_it(shop):
    first = shop.series(items=ITEMS)
    shop.declare()
    quote = shop.held(boxes=2)
    shop.step(first, "close")
    second = shop.series(items=ITEMS)
    shop.paid("o1", boxes=2, quote=quote)
    assert [(one["series"], one["state"]) for one in shop.boxes()] == [(first, "opened")] * 2
    assert [shop.item(one).state for one in (first, second)] == ["closed", "on_sale"]
    verify(shop.evidence(first))


def test_the_series_on_sale_is_meant_whenever_it_was_drafted(shop):
    older, newer = shop.draft(items=ITEMS), shop.draft(items=ITEMS)
    shop.step(newer, "publish")
    shop.step(newer, "close")
    shop.step(older, "publish")
    shop.buy()
    shop.paid("waits")
    assert [(one["series"], one["state"]) for one in shop.boxes()] == [(older, "opened"), (older, "waiting")]


def test_an_order_without_lines_bought_what_is_held_for_it(shop):
    series = shop.series(items=ITEMS)
    shop.declare()
    plain = {"currency": "CNY", "total": 2 * PRICE}
    shop.event("order.paid", order_id="o1", reservation_id=shop.held(boxes=2)["id"], **plain)
    shop.worker.drain()
    assert states(shop) == ["opened"] * 2
    shop.paid("o2", quote=shop.held(), sku="other")
    assert states(shop) == ["opened"] * 2
    assert shop.rows("SELECT held FROM blindbox.series") == [(0,)], "what was not bought is free"
    shop.step(series, "close")
    assert shop.item(series).state == "closed"


def test_a_quote_for_an_order_that_was_settled_before_holds_nothing(shop):
    """Confirmed by hand, after its payment was told without it."""
    shop.series(items=ITEMS, daily_boxes=2)
    shop.declare()
    shop.paid("many", boxes=3)
    assert shop.call("POST", f"quotes/{shop.held(boxes=2)['id']}/confirm", order_id="many").status_code == 200
    assert shop.rows("SELECT held FROM blindbox.series") == [(0,)]
    assert shop.reserve(shop.quote(boxes=2)).status_code == 200, "nor does it count"


def test_whom_nobody_draws_for_any_more_keeps_no_series_open(shop):
    """An order was confirmed by hand, and its member erased before the payment was told."""
    series = shop.series(items=ITEMS)
    shop.declare()
    assert shop.call("POST", f"quotes/{shop.held(boxes=2)['id']}/confirm", order_id="o1").status_code == 200
    shop.step(series, "close")
    assert shop.item(series).state == "ending"
    assert shop.call("DELETE", "members/ann").status_code == 202
    shop.worker.drain()
    assert shop.item(series).state == "closed"


def test_a_late_payment_waits_where_the_odds_have_changed(shop):
    series = shop.series(items=ITEMS)
    shop.declare()
    late = shop.held(boxes=2)
    shop.day(0, hour=18)
    shop.worker.drain()
    assert shop.rows("SELECT held FROM blindbox.series") == [(0,)]
    shop.change(series, items=[*ITEMS, {"sku": "tin", "name": "Tin"}])
    shop.paid("late", boxes=2, quote=late)
    assert states(shop) == ["waiting"] * 2
    assert shop.open(shop.boxes()[0]["id"]).json()["state"] == "opened"
    assert shop.events("refund.requested") == []
