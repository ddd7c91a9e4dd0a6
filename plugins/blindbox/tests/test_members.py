"""Members who are merged, exported and erased, chances, and two stores that never meet."""

import json

import orjson
import pytest

from threepeat.sdk import Refused
from threepeat_blindbox.verifier.verify import verify

FLOOR = [
    {"sku": "cup", "name": "Cup", "weight": 99},
    {"sku": "owl", "name": "Owl", "weight": 1, "floor": True, "hidden": True},
]
CANARY = "canary-7f3a"
NONCE = "0123456789abcdef0123456789abcdef"
TABLES = ("box", "hold", "chance", "claim", "buyer", "spending", "declaration", "nonce", "refund")


def problem(answer):
    return answer.json()["type"].rpartition(":")[2]


def test_a_chance_is_drawn_for_once_and_ends(shop):
    series = shop.series(items=FLOOR, pity=50, daily_boxes=2)
    for _ in range(2):
        granted = shop.grant(series, amount=2, cause="visit")
    assert granted.state.value == "duplicate"
    (mine,) = shop.ask("GET", "chances").json()["chances"]
    assert (mine["series"], mine["chances"]) == (series, 2)
    assert problem(shop.use(series)) == "age"
    shop.declare()
    assert problem(shop.use(series, version="0" * 64)) == "version-changed"
    first = shop.use(series, nonce=NONCE).json()
    assert (first["state"], first["draw_no"], first["receipt"]["nonce"]) == ("opened", 1, NONCE)
    assert shop.use(series).json()["draw_no"] == 2
    assert problem(shop.use(series)) == "no-chance"
    assert [one["order_id"] for one in shop.events("box.opened")] == [None, None]
    late = shop.grant(series, amount=3)
    assert problem(shop.use(series)) == "limit", "a chance counts as a box"
    shop.day(1)
    assert shop.use(series).status_code == 200
    shop.revoke(late, 1)
    assert shop.ask("GET", "chances").json()["chances"][0]["chances"] == 1
    shop.day(40)
    assert shop.ask("GET", "chances").json()["chances"] == []
    assert problem(shop.use(series)) == "no-chance"


def test_a_chance_costs_as_much_as_a_box_and_only_where_there_are_some(shop):
    series = shop.series(items=FLOOR, pity=50)
    assert shop.grant(series, amount=2).cost == 11_800
    for item in ("0", "99", "x", "1" * 40, f"0{series}"):
        assert shop.grant(item).state.value == "closed"
    assert shop.grant(series, amount=101).state.value == "closed"
    shop.step(series, "close")
    assert shop.grant(series).state.value == "closed"


def test_two_who_are_one_have_one_run_of_misses_and_one_limit(shop):
    series = shop.series(items=FLOOR, pity=50, daily_boxes=6)
    shop.buy("ann", 2)
    shop.buy("bob", 5)
    shop.grant(series, "bob")
    shop.paid("waits", "bob")
    shop.held("ann", 1)
    misses = {name: shop.shelf(name)["box"]["missed"] for name in ("ann", "bob")}
    shop.merge("bob", "ann")
    assert shop.shelf()["box"]["missed"] == max(misses.values())
    assert problem(shop.reserve(shop.quote())) == "limit", "of both there are nine"
    assert len(shop.boxes()) == 8
    shop.day(1)
    waits = next(one for one in shop.boxes() if one["state"] == "waiting")
    opened = shop.open(waits["id"]).json()
    assert opened["missed"][0] == max(misses.values())
    assert shop.use(series).status_code == 200
    shop.switch("disable")
    shop.switch("enable")
    shop.step(series, "close")


def test_an_export_holds_every_row_and_after_an_erasure_no_draw_leads_to_anybody(shop):
    series = shop.series(items=FLOOR, pity=50, daily_boxes=4)
    for name in (CANARY, "bob"):
        shop.ask("POST", "nonces", name, order_id=f"{name}-later", nonce=NONCE)
        shop.grant(series, name)
        shop.buy(name, 2, order=f"{name}-order", nonce=NONCE)
        shop.paid(f"{name}-waits", name, 1)
        shop.paid(f"{name}-many", name, 9)
        shop.refunded(f"{name}-many", name, amount=100, refund=f"{name}-back")
    before = {table: shop.rows(f"SELECT count(*) FROM blindbox.{table}")[0][0] for table in TABLES}
    export = shop.call("GET", f"members/{CANARY}/export")
    found = orjson.dumps(export.json()).decode()
    assert all(f"blindbox.{table}" in found for table in TABLES)
    assert f"{CANARY}-order" in found
    assert "bob-order" not in found
    assert shop.call("DELETE", f"members/{CANARY}").status_code == 202
    shop.worker.drain()
    after = {table: shop.rows(f"SELECT count(*) FROM blindbox.{table}")[0][0] for table in TABLES}
    gone = {"buyer", "spending", "declaration", "nonce", "refund"}
    assert {table for table in TABLES if after[table] < before[table]} == gone
    for table in (*TABLES, "draw", "series", "version"):
        texts = [row[0] for row in shop.rows(f"SELECT to_jsonb(t)::text FROM blindbox.{table} t")]
        assert not [one for one in texts if CANARY in one]
    assert shop.rows("SELECT count(*) FROM blindbox.box WHERE state = 'waiting' AND member_id < 0") == [(0,)]
    nonces = shop.rows("SELECT count(*) FROM blindbox.box WHERE nonce = :nonce AND member_id < 0", nonce=NONCE)
    assert nonces == [(0,)], "nobody finds the order by its receipt any more"
    shop.ask("POST", "boxes/decline", "bob", box=shop.boxes("bob")[-1]["id"])
    shop.step(series, "close")
    verify(shop.evidence(series, "bob"), [one["receipt"] for one in shop.boxes("bob") if one["receipt"]])


def test_two_stores_never_meet(shop, open_shop):
    there = open_shop()
    theirs, ours = there.series(items=FLOOR, pity=50), shop.series(items=FLOOR, pity=50)
    there.grant(theirs)
    there.paid("waits")
    for one in (shop, there):
        one.declare()
    (box,) = there.boxes()
    assert problem(shop.open(box["id"])) == "no-box"
    assert problem(shop.ask("POST", "boxes/decline", box=box["id"])) == "no-box"
    assert problem(shop.use(theirs)) == ("no-chance")
    assert shop.grant(theirs).state.value == "closed"
    assert there.version() != shop.version()
    assert problem(shop.reserve(shop.quote(version=there.version()))) == "version-changed"
    there.step(theirs, "close")
    there.ask("POST", "boxes/decline", box=box["id"])
    assert there.evidence(theirs)["draws"] == 0
    assert problem(shop.ask("GET", f"evidence/{theirs}")) == "not-closed"
    shop.buy(order="waits")
    assert len(there.boxes()) == 1
    assert json.loads(shop.boxes()[0]["receipt"]["body"])["series"] == ours
    assert there.violations() == []


def test_of_two_members_neither_has_the_others_boxes(shop):
    shop.series(items=FLOOR, pity=50)
    shop.paid("o1")
    (box,) = shop.boxes()
    shop.declare("bob")
    assert shop.boxes("bob") == []
    assert problem(shop.open(box["id"], "bob")) == "no-box"
    quote = shop.held("bob")
    shop.paid("o2", "ann", quote=quote)
    assert [one["state"] for one in shop.boxes()] == ["waiting", "waiting"], "somebody else's quote holds nothing"


def test_a_share_is_never_paid_with_a_chance(shop):
    from threepeat.sdk import Grant, PluginError
    from threepeat.sdk.events import Envelope, ShareSent

    series = shop.series(items=FLOOR, pity=50)
    shared = ShareSent(what="x").placed(Envelope(1, "test", "s1", shop.member(), shop.now))
    with pytest.raises(PluginError):
        shop.act(
            "giver", lambda ctx: ctx.grant("blindbox.draw", [Grant(shop.member(), 1, "r", shared, item=series)])
        )
    with pytest.raises((Refused, PluginError)):
        shop.act("giver", lambda ctx: ctx.grant("nothing", [Grant(shop.member(), 1, "r", "c", item=series)]))
