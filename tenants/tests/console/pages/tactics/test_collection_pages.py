"""What a merchant manages in a plugin: lists, forms and steps."""

import pytest

LIST = "/tactics/evil/collections/things"
ITEM = f"{LIST}/items/1"


@pytest.fixture
def thing(shop):
    shop.post(f"{LIST}/new", {"values.name": "first"})
    return shop


def test_an_empty_list_says_what_to_do_and_a_new_item_stands_in_it(shop):
    assert "Make the first one" in shop.get(LIST)
    assert "first is made." in shop.follow(f"{LIST}/new", {"values.name": "first"})
    assert (shop.by, "collection.created", "evil/things/1") in shop.trail()
    page = shop.get(LIST)
    assert f"{shop.root}{ITEM}" in page
    assert "1,234" in page


def test_a_list_has_tabs_a_search_and_pages(shop):
    for number in range(31):
        shop.post(f"{LIST}/new", {"values.name": f"no {number}"})
    page = shop.get(LIST)
    assert "no 29" in page
    assert "no 30<" not in page
    assert "after=30" in page
    assert "no 30<" in shop.get(f"{LIST}?after=30")
    assert "no 17" in shop.get(f"{LIST}?search=17")
    assert "Nothing found" in shop.get(f"{LIST}?state=live")
    assert "no 0" in shop.get(f"{LIST}?state=nobody")
    for hostile in ("x" * 5000, "%00", "%ed%a0%80", "<script>"):
        assert "<script>alert" not in shop.get(f"{LIST}?search={hostile}&after={hostile}")


def test_an_item_is_saved_and_the_second_writer_is_told(thing):
    mine = thing.fields(ITEM, "values", "revision") | {"values.name": "mine"}
    assert "theirs is saved." in thing.follow(ITEM, mine | {"values.name": "theirs"})
    page = thing.post(ITEM, mine, 422)
    assert "Somebody else changed it" in page
    assert "<td>theirs</td><td>mine</td>" in page
    assert 'value="mine"' in page
    assert "Nothing was left to save." in thing.follow(ITEM, mine | {"values.name": "theirs"})
    assert [one[1] for one in thing.trail()].count("collection.updated") == 1


@pytest.mark.parametrize("value", ["", "\0", "1" * 5000])
def test_what_does_not_fit_is_told_at_its_field(thing, value):
    for path in (ITEM, f"{LIST}/new"):
        thing.post(path, {"values.name": value, "revision": "1"}, 422)
    assert "first" in thing.get(ITEM)


def test_a_reward_that_the_store_lacks_is_told_at_its_field(make_shop):
    shop = make_shop("evil")
    sent = {"values.name": "x", "values.gift.kind": "points", "values.gift.amount": "3"}
    assert "values.gift.kind" in shop.post(f"{LIST}/new", sent, 422)
    assert "Make the first one" in shop.get(LIST)


def test_a_step_asks_first_and_is_taken_once(thing):
    assert 'class="confirm"' in thing.get(ITEM)
    assert "first: Live" in thing.follow(f"{ITEM}/go", {"revision": "1"})
    assert (thing.by, "collection.go", "evil/things/1") in thing.trail()
    assert "Somebody else changed it" in thing.follow(f"{ITEM}/go", {"revision": "1"})
    assert "cannot be done any more" in thing.follow(f"{ITEM}/go", {"revision": "2"})
    assert "cannot be done any more" in thing.follow(ITEM, {"values.name": "late", "revision": "2"})
    page = thing.get(ITEM)
    assert "In this state it cannot be changed." in page
    for hostile in ("", "-1", "x", "1" * 400):
        assert "Somebody else changed it" in thing.follow(f"{ITEM}/stop", {"revision": hostile})
    thing.post(f"{ITEM}/nothing", {"revision": "2"}, 404)


def test_a_plugins_refusal_is_told_as_text(shop):
    shop.post(f"{LIST}/new", {"values.name": "cursed"})
    page = shop.follow(f"{ITEM}/go", {"revision": "1"})
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert (shop.by, "collection.go", "evil/things/1") not in shop.trail()


def test_one_that_is_closing_takes_nothing_new_but_can_be_ended(thing):
    thing.post(f"{ITEM}/go", {"revision": "1"})
    thing.post("/tactics/evil/off")
    assert "takes nothing new" in thing.get(LIST)
    thing.get(f"{LIST}/new", 409)
    thing.post(f"{LIST}/new", {"values.name": "late"}, 409)
    assert "first:" in thing.follow(f"{ITEM}/stop", {"revision": "2"})


def test_roles_and_stores_are_kept_apart(thing, make_shop):
    analyst = thing.consoles.staff(thing.tenant, role="analyst")
    assert "/new" not in thing.get(LIST, who=analyst)
    assert "/go" not in thing.get(ITEM, who=analyst)
    for path in (ITEM, f"{ITEM}/go", f"{LIST}/new"):
        thing.post(path, {"values.name": "no", "revision": "1"}, 403, who=analyst)
    assert thing.consoles.staff(make_shop("evil").tenant).get(thing.root + ITEM).status_code == 303
    make_shop("evil").get(ITEM, 404)
    make_shop().get(LIST, 404)
    thing.get("/tactics/evil/collections/nobody", 404)
    thing.get(f"{LIST}/items/{'x' * 300}", 404)


def test_a_list_asks_the_database_the_same_number_of_times_however_long_it_is(thing, queries):
    counts = []
    for _round in range(2):
        thing.get(LIST)
        queries.clear()
        thing.get(LIST)
        counts.append(len(queries))
        for number in range(20):
            thing.post(f"{LIST}/new", {"values.name": f"more {number}"})
    assert counts[0] == counts[1] <= 20


def test_a_list_of_what_members_make_has_no_form(shop):
    path = "/tactics/points/collections/redemptions"
    assert "/new" not in shop.get(path)
    shop.get(f"{path}/new", 404)
    shop.post(f"{path}/new", {}, 404)


def test_an_item_of_the_catalogue_is_made_and_published(shop):
    path = "/tactics/points/collections/catalogue"
    given = shop.fields(f"{path}/new", "values") | {
        "values.name": "Mug",
        "values.kind": "goods",
        "values.price": "30",
    }
    assert "Mug is made." in shop.follow(f"{path}/new", given)
    assert "Mug: Published" in shop.follow(f"{path}/items/1/publish", {"revision": "1"})
    assert "say which reward it is" in shop.post(f"{path}/new", given | {"values.kind": "reward"}, 422)
