"""The settings of a tactic, as a form."""

import pytest

PATH = "/tactics/evil/settings"
POINTS = "/tactics/points/settings"


def saved(shop, plugin="evil"):
    return dict(shop.activation(plugin).settings)


def test_a_form_is_saved_and_shown_again(shop):
    sent = shop.fields(PATH, "settings", "frame", "revision", settings__amount="7", frame__monthly_budget="12.50")
    assert "are saved" in shop.follow(PATH, sent)
    assert saved(shop) == {"amount": 7}
    assert shop.activation("evil").monthly_budget == 1250
    assert (shop.by, "settings.saved", "evil") in shop.trail()
    page = shop.get(PATH)
    assert 'value="7"' in page
    assert "12.50" in page
    assert "7 &lt;script&gt;" in page  # the worked effect


def test_the_comparison_group_is_set_where_there_is_one(shop):
    assert "frame.holdout_percent" not in shop.get(PATH)
    sent = shop.fields(POINTS, "settings", "frame", "revision", frame__holdout_percent="25")
    shop.post(POINTS, sent)
    assert shop.activation("points").holdout_percent == 25
    page = shop.post(
        POINTS, shop.fields(POINTS, "settings", "frame", "revision", frame__holdout_percent="51"), 422
    )
    assert "Comparison group: Enter at most 50." in page
    assert shop.activation("points").holdout_percent == 25


def test_errors_stand_at_their_fields_and_what_was_typed_is_kept(shop):
    sent = shop.fields(PATH, "settings", "frame", "revision", settings__amount="99", settings__note="kept <b>")
    page = shop.post(PATH, sent, 422)
    assert 'href="#field-settings.amount"' in page
    assert 'value="99"' in page
    assert 'value="kept &lt;b&gt;"' in page
    assert saved(shop) == {}


@pytest.mark.parametrize(
    "name", ["settings.amount", "settings.note", "settings.mode", "frame.monthly_budget", "revision"]
)
@pytest.mark.parametrize("value", ["", "\0", "\ud800", "1" + "0" * 30, "<script>", "x" * 5000, "NaN", "-1", "{"])
def test_hostile_values_are_an_answer_and_nothing_else(shop, name, value):
    sent = shop.fields(PATH, "settings", "frame", "revision")
    sent[name] = value.encode("utf-8", "surrogatepass").decode("latin-1") if value == "\ud800" else value
    answer = shop.owner.post(shop.root + PATH, sent)
    assert answer.status_code in {303, 422}
    assert "<script>alert" not in answer.text


def test_unknown_fields_are_told_and_nothing_is_saved(shop):
    sent = shop.fields(PATH, "settings", "frame", "revision") | {"settings.nobody": "1"}
    assert "settings.nobody" in shop.post(PATH, sent, 422)
    assert saved(shop) == {}


def test_the_second_writer_is_told_who_was_first_and_loses_nothing(shop):
    mine = shop.fields(PATH, "settings", "frame", "revision", settings__amount="8", frame__monthly_budget="9")
    other = shop.consoles.staff(shop.tenant, role="operator", name="Bob")
    theirs = shop.fields(PATH, "settings", "frame", "revision", settings__amount="6")
    shop.post(PATH, theirs, who=other)
    page = shop.post(PATH, mine, 422)
    assert "Bob saved these settings" in page
    assert "<td>6</td><td>8</td>" in page
    assert 'value="8"' in page
    assert saved(shop) == {"amount": 6}
    shop.post(PATH, mine | {"revision": str(shop.activation("evil").revision)})
    assert saved(shop) == {"amount": 8}


def test_a_form_that_is_sent_twice_is_saved_once(shop):
    sent = shop.fields(PATH, "settings", "frame", "revision", settings__amount="8")
    shop.post(PATH, sent)
    assert "Nothing was left to save." in shop.follow(PATH, sent)
    assert [one[1] for one in shop.trail()].count("settings.saved") == 1


def test_what_it_would_come_to_is_said_and_not_saved(shop):
    sent = shop.fields(PATH, "settings", "frame", "revision", settings__amount="9", recalculate="1")
    page = shop.post(PATH, sent, 200)
    assert "9 &lt;script&gt;" in page
    assert "5 &lt;script&gt;" in page
    assert saved(shop) == {}


def test_rows_are_added_and_taken_out_without_saving(shop):
    sent = shop.fields(PATH, "settings", "frame", "revision") | {"add:settings.prizes": "1"}
    page = shop.post(PATH, sent, 200)
    assert "settings.prizes.0.name" in page
    assert saved(shop) == {}


def test_a_secret_is_kept_and_never_shown(shop):
    shop.post(PATH, shop.fields(PATH, "settings", "frame", "revision", settings__secret="hush-hush"))
    assert "hush-hush" not in shop.get(PATH)
    shop.post(PATH, shop.fields(PATH, "settings", "frame", "revision", settings__amount="6"))
    assert set(saved(shop)) == {"amount", "secret"}
    page = shop.post(
        PATH, shop.fields(PATH, "settings", "frame", "revision", settings__secret="n", settings__amount="0"), 422
    )
    assert "hush-hush" not in page


def test_only_rewards_that_the_store_has_are_offered(make_shop):
    without = make_shop("plain")
    assert 'value="points" checked' in without.get("/tactics/plain/settings")  # stored by default, and marked
    assert "no longer there" in without.get("/tactics/plain/settings")
    assert "no longer there" not in make_shop("plain", "points").get("/tactics/plain/settings")


def test_an_analyst_reads_and_saves_nothing(shop):
    analyst = shop.consoles.staff(shop.tenant, role="analyst")
    page = shop.get(PATH, who=analyst)
    assert '<fieldset class="bare" disabled>' in page
    assert "recalculate" not in page
    shop.post(PATH, shop.fields(PATH, "settings", "frame", "revision"), 403, who=analyst)


def test_services_and_tactics_that_are_off_have_a_page_too(shop):
    assert "It is off" in shop.get("/tactics/plain/settings")
    assert "frame.monthly_budget" not in shop.get("/tactics/orders/settings")
    shop.get("/tactics/nobody/settings", 404)
    shop.get("/tactics/broken/settings", 403)
