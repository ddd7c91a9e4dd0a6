"""Series: what a form refuses, what stands once it is on sale, versions, and the end with its evidence."""

import json
import subprocess
import sys

import pytest

from threepeat.sdk import Refused, _
from threepeat.tenancy.errors import Conflict, Invalid
from threepeat_blindbox import goods
from threepeat_blindbox.verifier.verify import WrongError, verify

ITEMS = [{"sku": "cup", "name": "Cup", "weight": 3, "stock": 5}, {"sku": "pan", "name": "Pan", "weight": 1}]
FLOOR = [ITEMS[0] | {"stock": None}, ITEMS[1] | {"floor": True, "hidden": True}]


def one(**values):
    return [ITEMS[0] | values, ITEMS[1]]


WRONG = {
    "the same item twice": ({"items": [ITEMS[0], ITEMS[0]]}, "values.items"),
    "one item": ({"items": [ITEMS[0]]}, "values.items"),
    "no weight": ({"items": one(weight=0)}, "values.items.0.weight"),
    "half a weight": ({"items": one(weight=1.5)}, "values.items.0.weight"),
    "no number of weight": ({"items": one(weight=float("nan"))}, "values.items.0.weight"),
    "a huge weight": ({"items": one(weight=2**63)}, "values.items.0.weight"),
    "a case without numbers": ({"mode": "urn"}, "values.items"),
    "a case with a guarantee": (
        {"mode": "urn", "items": [i | {"stock": 1, "floor": True} for i in ITEMS], "pity": 3},
        "values.pity",
    ),
    "a guarantee of nothing": ({"pity": 3}, "values.pity"),
    "a guarantee of all": ({"pity": 3, "items": [i | {"floor": True} for i in ITEMS]}, "values.pity"),
    "a mark without its guarantee": ({"items": FLOOR}, "values.pity"),
    "a limit below a box": ({"daily_money": 5_899}, "values.daily_money"),
    "medicine": ({"items": one(name="感冒药品")}, "values.items.0.name"),
    "a medical device": ({"items": one(category="医疗器械")}, "values.items.0.category"),
    "a live animal": ({"items": one(name="Live animal")}, "values.items.0.name"),
    "a drug beside other words": ({"items": one(name="Drug盲盒")}, "values.items.0.name"),
    "wide letters": ({"items": one(category="ｄｒｕｇｓ")}, "values.items.0.category"),
    "fireworks": ({"items": one(category="Fireworks")}, "values.items.0.category"),
    "lost parcels": ({"name": "无法投递快件盲盒"}, "values.name"),
    "NUL": ({"name": "a\0b"}, "values.name"),
    "a lone surrogate": ({"items": one(guide="\ud800")}, "values.items.0.guide"),
    "a long name": ({"name": "x" * 61}, "values.name"),
    "an unknown field": ({"odds": "1%"}, "values.odds"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_form_that_breaks_the_rules_is_refused_at_its_field(kept, what):
    values, field = WRONG[what]
    with pytest.raises(Invalid) as error:
        kept.draft(**{"items": ITEMS, **values})
    assert field in {fault.field for fault in error.value.errors}, [str(one) for one in error.value.errors]


def test_words_that_only_look_alike_are_no_reason(kept):
    kept.draft(items=one(name="Drugstore tote", category="Animal figures"))


def test_a_page_says_what_the_weights_come_to_and_what_the_rules_say(shop):
    item = shop.item(shop.draft(items=FLOOR, pity=4, price=20_100, daily_boxes=None))
    said = list(item.values.worked(shop.tenant.store))
    assert said[:2] == [
        "Cup: 75% in a draw, 63.4286% in the long run with the guarantee.",
        "Pan: 25% in a draw, 36.5714% in the long run with the guarantee.",
    ]
    assert said[2].startswith("One box costs more than CN¥200.00")
    assert said[3].startswith("There is no limit for a day")
    case = shop.item(shop.draft(mode="urn", items=[i | {"stock": 4} for i in ITEMS])).values
    assert "8 boxes in all." in list(case.worked(shop.tenant.store))


def test_a_store_may_refuse_dear_boxes_and_prizes_have_a_limit(shop):
    shop.save(most_price=5_000)
    with pytest.raises(Refused, match=r"price: a box may cost CN¥50\.00 at most here"):
        shop.series(items=ITEMS)
    shop.save(most_price=None)
    with pytest.raises(Refused, match=r"items: what is drawn may be worth CN¥50,000\.00 at most"):
        shop.series(items=one(value=5_000_001))


def test_rules_that_came_later_do_not_keep_paid_boxes_from_being_drawn(shop, monkeypatch):
    series, later = shop.series(items=ITEMS), shop.draft(items=ITEMS, sku="later")
    shop.declare()
    quote = shop.held()
    monkeypatch.setitem(goods.FORBIDDEN, "cups", (_("cups may not be sold in blind boxes"), ("cup",)))
    with pytest.raises(Refused, match=r"items\.0\.name: cups may not be sold"):
        shop.step(later, "publish")
    with pytest.raises(Invalid):
        shop.draft(items=ITEMS)
    shop.paid("o1", quote=quote)
    assert [one["state"] for one in shop.boxes()] == ["opened"]
    assert shop.shelf()["box"]["name"] == "Kitchen"
    shop.step(series, "close")
    verify(shop.evidence(series))


def test_one_series_has_an_sku_at_a_time(shop):
    first = shop.series(items=ITEMS)
    with pytest.raises(Refused, match="another series on sale has the SKU box"):
        shop.series(items=ITEMS)
    shop.step(first, "close")
    shop.series(items=ITEMS)


def test_what_stands_on_sale_stands_and_what_is_added_is_a_new_version(shop):
    series = shop.series(items=ITEMS)
    first = shop.version()
    for values in (
        {"price": 4_000},
        {"daily_boxes": 1},
        {"mode": "urn", "items": [i | {"stock": 9} for i in ITEMS]},
        {"items": one(weight=4)},
        {"items": one(stock=4)},
        {"items": one(value=1)},
        {"items": one(hidden=True)},
        {"items": [ITEMS[0], {"sku": "tin", "name": "Tin"}]},
        {"items": [ITEMS[0], ITEMS[1] | {"stock": 5}]},
        {"pity": 3, "items": FLOOR},
    ):
        with pytest.raises(Refused, match="on sale"):
            shop.change(series, **values)
    shop.change(series, name="Kitchen two", items=[ITEMS[0], ITEMS[1] | {"guide": "With rice"}])
    assert shop.version() == first, "a guide is no part of the odds"
    shop.change(series, items=[ITEMS[0] | {"stock": 6}, ITEMS[1], {"sku": "tin", "name": "Tin", "weight": 4}])
    seen = shop.shelf()["box"]
    assert seen["version"] not in {first, ""}
    assert [(one["item"], one["base"]["percent"], one["left"]) for one in seen["odds"]] == [
        ("cup", "37.5%", 6), ("pan", "12.5%", None), ("tin", "50%", None),
    ]  # fmt: skip
    assert shop.rows("SELECT number, why FROM blindbox.version ORDER BY number") == [(1, "opened"), (2, "changed")]
    with pytest.raises(Exception, match="permission denied"):
        shop.rows("UPDATE blindbox.version SET body = 'x' RETURNING 1")
    with pytest.raises(Exception, match="permission denied"):
        shop.rows("DELETE FROM blindbox.draw RETURNING 1")


def test_odds_are_exact_and_include_the_guarantee(shop):
    shop.series(items=FLOOR, pity=4)
    odds = {one["item"]: one for one in shop.shelf()["box"]["odds"]}
    assert odds["pan"]["base"] == {"numerator": "1", "denominator": "4", "percent": "25%"}
    assert odds["pan"]["effective"] == {"numerator": "64", "denominator": "175", "percent": "36.5714%"}
    shop.buy(boxes=3)
    shown = shop.shelf()["box"]
    assert (shown["guaranteed_with"], shown["today"]) == (4, 3)
    assert shown["missed"] == shop.boxes()[-1]["missed"][1]


def test_a_guarantee_is_kept_and_counts_on_through_versions(shop):
    """Counted for each member and series, whatever becomes of the odds."""
    series = shop.series(items=FLOOR, pity=4)
    shop.buy(boxes=9)
    shop.change(series, items=[*FLOOR, {"sku": "tin", "name": "Tin", "weight": 90}])
    shop.buy(boxes=9)
    run, before = 0, 0
    for box in shop.boxes():
        assert box["missed"][0] == before
        run = 0 if box["item"] == "pan" else run + 1
        assert run < 4
        assert box["missed"][1] == before + 1 if box["item"] != "pan" else box["missed"][1] == 0
        before = box["missed"][1]
    assert {json.loads(box["receipt"]["body"])["version"] for box in shop.boxes()} == {1, 2}


def test_a_series_without_its_guaranteed_items_sells_no_more_until_there_are_some(shop):
    items = [FLOOR[0], FLOOR[1] | {"stock": 1, "weight": 1_000_000}]
    series = shop.series(items=items, pity=4)
    shop.buy(boxes=2)
    assert [box["state"] for box in shop.boxes()] == ["opened", "waiting"]
    assert shop.shelf()["box"]["left"] == 0
    assert shop.reserve(shop.quote()).json()["type"] == "urn:threepeat:problem:sold-out"
    waits = shop.boxes()[1]["id"]
    assert shop.open(waits).json()["type"] == "urn:threepeat:problem:sold-out"
    shop.change(series, items=[items[0], items[1] | {"stock": 3}])
    assert shop.open(waits).json()["state"] == "opened"


def closed(shop, **values):
    """A closed series with several versions and buyers; its evidence and the receipts of ann."""
    series = shop.series(**values)
    for name in ("ann", "bob", "ann"):
        shop.buy(name, 3, nonce="0123456789abcdef" * 2)
    shop.buy("eve", 2)
    for name in ("ann", "bob", "eve"):
        for box in shop.boxes(name):
            if box["state"] == "waiting":
                shop.open(box["id"], name)
    shop.step(series, "close")
    own = [box["receipt"] for box in shop.boxes() if box["receipt"]]
    return series, shop.evidence(series), own


@pytest.mark.parametrize(
    "values",
    [
        {"items": [ITEMS[0] | {"stock": 2}, ITEMS[1]]},
        {"items": FLOOR, "pity": 3},
        {"mode": "urn", "items": [ITEMS[0] | {"stock": 8}, ITEMS[1] | {"stock": 4}]},
    ],
    ids=["sold-out", "guarantee", "case"],
)
def test_a_closed_series_is_verified_and_its_evidence_knows_nobody(shop, values, tmp_path):
    series, evidence, own = closed(shop, **values)
    assert evidence["draws"] == 11
    verify(evidence, own)
    assert "order-" not in json.dumps(evidence)
    assert shop.events("series.closed") == [{"series": series, "draws": 11}]
    answer = shop.call("GET", f"plugins/blindbox/series/{series}/file")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {name: value for name, value in evidence.items() if name != "next"}
    given = shop.ask("GET", "verifier").json()
    (tmp_path / "verify.py").write_text(given["python"])
    (tmp_path / "evidence.json").write_text(json.dumps(evidence))
    command = [sys.executable, "-I", tmp_path / "verify.py", tmp_path / "evidence.json"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("Everything fits")
    assert "<!doctype html>" in given["page"]
    stranger = own[0] | {"body": own[0]["body"].replace('"ordinal":1', '"ordinal":2')}
    with pytest.raises(WrongError, match="your receipt 1 is not in the evidence"):
        verify(evidence, [stranger])


def test_a_seed_is_revealed_only_when_nothing_can_be_drawn_any_more(shop):
    series = shop.series(items=ITEMS)
    shop.declare()
    quote = shop.held()
    shop.paid("waits")
    shop.step(series, "close")
    assert shop.item(series).state == "ending"
    assert shop.ask("GET", f"evidence/{series}").json()["type"] == "urn:threepeat:problem:not-closed"
    assert shop.rows("SELECT seed FROM blindbox.series") == [(None,)]
    assert shop.reserve(shop.quote()).status_code == 200, "boxes are no part of it any more"
    shop.paid("late")
    assert [one["reason"] for one in shop.events("refund.requested")] == ["blindbox-not-on-sale"]
    shop.paid("o2", quote=quote)
    assert shop.item(series).state == "ending", "one is paid for and not opened"
    waits = next(box for box in shop.boxes() if box["state"] == "waiting")
    assert shop.open(waits["id"], version=waits["version"]).status_code == 200
    assert shop.item(series).state == "closed"
    verify(shop.evidence(series))
    with pytest.raises(Conflict):
        shop.change(series, name="other")


@pytest.mark.parametrize("how", ["release", "decline", "expire", "refund"])
def test_whatever_ends_the_last_box_ends_the_series(shop, how):
    series = shop.series(items=ITEMS)
    shop.declare()
    if how == "release":
        quote = shop.held()
    else:
        shop.paid("o1")
    shop.step(series, "close")
    if how == "release":
        shop.release(quote)
    elif how == "decline":
        shop.ask("POST", "boxes/decline", box=shop.boxes()[0]["id"])
    elif how == "expire":
        shop.day(8)
    else:
        shop.refunded("o1", amount=5_900)
    shop.worker.drain()
    assert shop.item(series).state == "closed"
    verify(shop.evidence(series))
