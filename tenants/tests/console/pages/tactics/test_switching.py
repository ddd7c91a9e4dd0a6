"""What a merchant sees of the tactics, and what the switches do."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from threepeat.tenancy import switches

from .toys import GRUMP

PAUSE = text("""
    UPDATE core.cursor SET paused_at = core.now(), paused_reason = :why
    WHERE tenant_id = :tenant AND plugin = :plugin
""")
LETTER = text("""
    INSERT INTO core.dead_letter (tenant_id, plugin, position, error, state, attempts)
    SELECT :tenant, 'points', n, 'why', 'waiting', 3 FROM generate_series(1, :many) n
""")


def test_the_page_shows_slots_shelf_and_reasons(shop):
    page = shop.get("/tactics")
    assert "3 of 3 slots in use" in page
    assert "Newcomer pack" in page
    assert "Swap in" in page
    assert "May not run at the moment" in page  # broken is quarantined
    assert "not identifiable" in page
    assert "Services" in page


def test_an_empty_store_is_told_what_to_do(make_shop):
    page = make_shop().get("/tactics")
    assert page.count("A free slot") == 3
    assert "Choose one" in page


def test_an_analyst_looks_and_is_not_offered_what_is_refused(shop):
    analyst = shop.consoles.staff(shop.tenant, role="analyst")
    page = shop.get("/tactics", who=analyst)
    for what in ("Switch off", "Swap in", "/off", '/on"'):
        assert what not in page
    for path in ("/tactics/points/on", "/tactics/points/off"):
        shop.get(path, 403, who=analyst)
        shop.post(path, status=403, who=analyst)
    shop.post("/tactics/points/resume", status=403, who=analyst)
    assert shop.states()["points"] == "enabled"


def test_the_staff_of_another_store_is_a_stranger(shop, make_shop):
    stranger = make_shop().owner
    for path in ("/tactics", "/tactics/points/off", "/tactics/points/settings", "/letters"):
        assert stranger.get(shop.root + path).status_code == 303
        assert "sign-in" in stranger.get(shop.root + path).headers["location"]
    stranger.post(f"{shop.root}/tactics/points/off")
    assert shop.states()["points"] == "enabled"


def test_a_tactic_is_switched_on_where_there_is_room(make_shop):
    shop = make_shop()
    page = shop.get("/tactics/welcome/on")
    assert "10% of your members, drawn at random" in page
    assert "Member registered" in page
    assert "Newcomer pack names “points” in: What is in the pack, Reward for the second order" in page
    assert 'name="replace"' not in page
    assert "Newcomer pack is on from now on." in shop.follow("/tactics/welcome/on")
    assert (shop.by, "plugin.enabled", "welcome") in shop.trail()
    shop.post("/tactics/welcome/on")  # sent twice
    assert shop.states()["welcome"] == "enabled"
    assert (
        "is on already"
        in shop.owner.get(shop.owner.get(f"{shop.root}/tactics/welcome/on").headers["location"]).text
    )


def test_the_fourth_is_swapped_in_with_what_follows_told(shop):
    page = shop.get("/tactics/plain/on")
    assert page.count('name="replace"') == 3
    assert "Newcomer pack names “points” in" in page  # would dangle
    assert "Plain would lack" in page
    assert "All slots are taken now" in shop.post("/tactics/plain/on", status=422)
    assert "plain" not in shop.states() or shop.states()["plain"] == "off"
    assert "Plain is on from now on." in shop.follow("/tactics/plain/on", {"replace": "evil"})
    assert shop.states() | {"evil": "closing", "plain": "enabled"} == shop.states()
    trail = shop.trail()
    assert (shop.by, "plugin.closing", "evil") in trail
    assert (shop.by, "plugin.enabled", "plain") in trail
    page = shop.get("/tactics")
    assert "closing since" in page
    assert "img src=x onerror" in page  # what it owes, as text
    assert "<img" not in page


@pytest.mark.parametrize("gone", ["plain", "nobody", "x" * 5000, "<b>", "points\u2028"])
def test_a_swap_for_what_is_not_on_any_more_shows_what_is_on(shop, gone):
    page = shop.post("/tactics/grump/on", {"replace": gone}, status=422)
    assert "What is on has changed" in page
    assert page.count('name="replace"') == 3
    assert "grump" not in shop.states()


def test_switching_off_says_what_follows_and_frees_the_slot(shop):
    page = shop.get("/tactics/evil/off")
    assert "Still owed" in page
    assert "is closing: its slot is free" in shop.follow("/tactics/evil/off")
    assert (shop.by, "plugin.closing", "evil") in shop.trail()
    assert "closing already" in shop.get("/tactics/evil/off")
    assert "It owes nothing to members" in shop.get("/tactics/points/off")
    assert "Points is off." in shop.follow("/tactics/points/off")
    for answer in (
        shop.owner.get(f"{shop.root}/tactics/points/off"),
        shop.owner.post(f"{shop.root}/tactics/points/off"),
    ):
        assert answer.status_code == 303
    shop.post("/tactics/nobody/off", status=404)
    shop.post("/tactics/orders/off", status=404)


def test_one_that_fails_when_it_is_asked_does_not_take_the_page_with_it(make_shop, monkeypatch):
    shop = make_shop("grump")
    shop.post("/tactics/grump/off")
    assert "a word" in shop.get("/tactics")
    monkeypatch.setattr(GRUMP, "fails", True, raising=False)
    monkeypatch.setattr(type(GRUMP), "fails", True)
    assert "cannot be asked what it owes" in shop.get("/tactics")
    assert "cannot be asked what it owes" in shop.get("/tactics/grump/off")


def test_what_the_operator_does_not_allow_is_shown_with_the_reason_and_refused(make_shop):
    shop = make_shop()
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        switches.allow(scope, "plain", allowed=False, by="operator:1")
    assert "does not allow it to your store" in shop.get("/tactics")
    assert "does not allow Plain to your store" in shop.get("/tactics/plain/on", 403).replace("“", "").replace(
        "”", ""
    )
    shop.post("/tactics/plain/on", status=403)
    shop.get("/tactics/broken/on", 403)
    shop.get("/tactics/nobody/on", 404)
    shop.get("/tactics/orders/on", 404)
    assert "plain" not in shop.states()


def test_a_paused_one_says_why_and_goes_on(shop):
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        assert scope.count(PAUSE, plugin="points", why="<b>7 in a row</b>") == 1
        scope.run(LETTER, many=2)
    page = shop.get("/tactics")
    assert "&lt;b&gt;7 in a row&lt;/b&gt;" in page
    assert f"{shop.root}/letters?plugin=points" in page
    assert "Points goes on." in shop.follow("/tactics/points/resume")
    assert (shop.by, "plugin.resumed", "points") in shop.trail()
    assert "not paused any more" in shop.follow("/tactics/points/resume")


def test_the_pages_ask_the_database_a_bounded_number_of_times(shop, queries):
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        scope.run(LETTER, many=1)
    counts = {}
    for _round in range(2):
        for path in ("/tactics", "/tactics/plain/on", "/tactics/points/settings", "/letters"):
            shop.get(path)
            queries.clear()
            shop.get(path)
            assert len(queries) <= 40, (path, queries)
            assert counts.setdefault(path, len(queries)) == len(queries)
        with shop.platform.database.tenant(shop.tenant.id) as scope:
            scope.run(text("DELETE FROM core.dead_letter WHERE tenant_id = :tenant"))
            scope.run(LETTER, many=40)


def test_no_word_of_a_plugin_is_more_than_text(shop):
    shop.post("/tactics/evil/collections/things/new", {"values.name": "<i>mine</i>"})
    paths = (
        "/tactics",
        "/tactics/evil/off",
        "/tactics/plain/on",
        "/tactics/evil/settings",
        "/tactics/evil/collections/things",
        "/tactics/evil/collections/things/new",
        "/tactics/evil/collections/things/items/1",
    )
    for locale in ("en", "zh-CN"):
        shop.owner.cookies["__Host-threepeat-locale"] = locale
        for path in paths:
            page = shop.get(path)
            assert "alert(1)" in page
            for attack in ("<script>alert", "<img", "<i>"):
                assert attack not in page, path


def test_of_two_who_take_the_last_slot_at_once_one_is_shown_what_is_on(make_shop):
    shop = make_shop("points", "welcome")
    both = [(shop.consoles.staff(shop.tenant), one) for one in ("plain", "grump")]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda each: each[0].post(f"{shop.root}/tactics/{each[1]}/on"), both))
    assert sorted(answer.status_code for answer in answers) == [303, 422]
    late = next(answer for answer in answers if answer.status_code == 422)
    assert "All slots are taken now" in late.text
    assert late.text.count('name="replace"') == 3
    tactics = {one.id for one in shop.platform.registry if one.manifest.kind == "tactic"}
    assert [state for one, state in shop.states().items() if one in tactics].count("enabled") == 3
