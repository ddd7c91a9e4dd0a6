"""What messages say, as a merchant manages it."""

import pytest

from threepeat.events import collections
from threepeat.sdk import KnownKind, Query
from threepeat.tenancy.errors import Invalid, NotFound, Stale
from threepeat.testing.hostile import IMPOSSIBLE, ODD
from threepeat_messages.kinds import Kind


def listed(shop, **query):
    page = shop.collection(lambda opened: collections.find(opened, "messages", "templates", Query(**query)))
    return [one.id for one in page.items]


def test_every_kind_stands_in_the_list_with_its_text_and_variables(shop):
    assert listed(shop) == ["herald-told", "herald-offer", "herald-plain"]
    told = shop.collection(lambda opened: collections.read(opened, "messages", "templates", "herald-told"))
    assert (told.state, told.revision, told.changed_at) == ("on", 1, None)
    assert told.values.model_dump() == {"text_zh": "", "text_en": "", "channel": "inbox"}
    assert told.title.titles == {"en": "Herald · Told", "zh": "Herald · Told"}
    figures = {str(heading): str(value) for heading, value in told.figures.items()}
    assert figures == {
        "Purpose": "Service notice",
        "Text that comes with it": "{title} costs {price}.",
        "Variables": "{title} what it is about, {price} what it costs",
    }


def test_it_is_searched_paged_and_filtered(shop):
    assert listed(shop, search="off") == ["herald-offer"]
    assert listed(shop, search="HERALD", limit=2) == ["herald-told", "herald-offer"]
    assert listed(shop, after="herald-told") == ["herald-offer", "herald-plain"]
    assert listed(shop, after="gone-away") == []
    shop.template(action="switch_off")
    assert listed(shop, state="off") == ["herald-offer"]
    assert listed(shop, state="on") == ["herald-told", "herald-plain"]


def test_a_text_of_ones_own_in_one_language_or_both(shop):
    shop.template("herald-told", text_zh="{price}：{title}")
    shop.say("told")
    assert shop.inbox()["messages"][0]["text"] == {"en": "tea costs CN¥128.00.", "zh": "¥128.00：tea"}
    saved = shop.template("herald-told", text_zh="", text_en="For {price}: {title}")
    assert saved.revision == 3
    assert saved.changed_at is not None
    shop.say("told")
    assert shop.inbox()["messages"][0]["text"] == {"en": "For CN¥128.00: tea", "zh": "tea costs ¥128.00."}


def test_what_was_sent_keeps_its_text(shop):
    shop.say("told")
    before = shop.texts()
    shop.template("herald-told", text_en="{title} {price}")
    assert shop.texts() == before


WRONG = {
    "{title}": "{price} is missing.",
    "no variables": "{price} is missing.",
    "{title} {price} {name}": "There is no variable {name}. There are: {title}, {price}.",
    "{title} {title} {title:} {price} {title}": "Use {title} 3 times at most.",
    **dict.fromkeys(
        (
            f"{{title}} {{price}} {more}"
            for more in (
                *("{Title}", "{}", "{0}", "{title.__class__}", "{title[0]}", "{title!r}", "{title:>99999999}"),
                *("{title:{price}}", "{__import__('os')}", "{", "}", "{ti\u200btle}", "{名}"),
            )
        ),
        "Only names of variables may stand in braces. For a brace that members read, write two of them.",
    ),
}


@pytest.mark.parametrize("field", ["text_en", "text_zh"])
def test_only_the_kinds_own_variables_and_all_of_them(shop, field):
    """Elsewhere a merchant's text was formatted with the objects themselves, so it could read what it liked."""
    for text, reason in WRONG.items():
        with pytest.raises(Invalid) as refused:
            shop.template("herald-told", **{field: text})
        assert [(one.field, str(one.reason)) for one in refused.value.errors] == [(f"values.{field}", reason)], (
            text
        )
    shop.say("told")
    assert shop.texts() == ["tea costs CN¥128.00."]


def test_the_api_names_the_field(shop, make_key):
    headers = {"Authorization": f"Bearer {make_key(shop.tenant, 'manage')}", "Idempotency-Key": "k-1"}
    path = "/v1/plugins/messages/templates/herald-told"
    body = {"revision": 1, "values": {"text_en": "{title.__class__}", "text_zh": "", "channel": "inbox"}}
    answer = shop.client.put(path, json=body, headers=headers)
    assert answer.status_code == 422, answer.text
    assert [one["field"] for one in answer.json()["errors"]] == ["values.text_en"]
    body["values"] = {"text_en": "{title} {price}", "text_zh": "", "channel": "log"}
    answer = shop.client.put(path, json=body, headers={**headers, "Idempotency-Key": "k-2"})
    assert [one["field"] for one in answer.json()["errors"]] == ["values.channel"]


def test_hostile_forms(shop, make_key):
    headers = {"Authorization": f"Bearer {make_key(shop.tenant, 'manage')}", "Content-Type": "application/json"}
    for number, (name, raw) in enumerate({**IMPOSSIBLE, **ODD}.items()):
        body = b'{"revision": 1, "values": {"text_en": ' + raw + b"}}"
        answer = shop.client.put(
            "/v1/plugins/messages/templates/herald-told",
            content=body,
            headers={**headers, "Idempotency-Key": f"k-{number}"},
        )
        fine = {"empty text", "white space"}
        assert 400 <= answer.status_code < 500 or name in fine, (name, answer.status_code, answer.text)


def test_two_who_save_at_once_do_not_overwrite_each_other(shop):
    shop.template(text_en="{title}!")
    with pytest.raises(Stale):
        shop.collection(
            lambda opened: collections.update(
                opened,
                "messages",
                "templates",
                "herald-offer",
                {"text_en": "{title}?"},
                revision=1,
                by="test",
            )
        )
    with pytest.raises(Stale):
        shop.collection(
            lambda opened: collections.act(
                opened, "messages", "templates", "herald-offer", "switch_off", revision=7, by="test"
            )
        )


def test_there_is_no_such_kind(shop):
    for item in ("herald-nothing", "nobody-told", "herald", "-", "herald-told-en"):
        with pytest.raises(NotFound):
            shop.template(item, text_en="x")


def test_switching_keeps_the_texts(shop):
    shop.template(text_en="Only {title}")
    shop.template(action="switch_off")
    shop.template(action="switch_on")
    shop.agree()
    shop.say("offer")
    assert shop.texts() == ["Only tea"]


def test_two_stores_have_their_own_texts(shop, open_shop):
    other = open_shop()
    shop.template("herald-told", text_en="Ours: {title} {price}")
    other.say("told")
    shop.say("told")
    assert other.texts() == ["tea costs CN¥128.00."]
    assert shop.texts() == ["Ours: tea CN¥128.00"]


def test_what_stands_in_the_store_and_fits_no_more_falls_back_to_the_text_that_comes_with_it(shop):
    shop.template("herald-told", text_en="{title} {price}")
    shop.rows("UPDATE messages.template SET text_en = '{gone}' WHERE tenant_id = :tenant RETURNING 1")
    shop.say("told")
    assert shop.texts() == ["tea costs CN¥128.00."]


@pytest.mark.parametrize(
    ("own", "said"),
    [({}, "茶很好"), ({"zh": "{what}！"}, "茶！"), ({"zh": "{gone}"}, "茶很好"), ({"zh": "{"}, "茶很好")],
)
def test_a_text_that_fits_no_more_is_said_in_its_own_language(own, said):
    known = KnownKind("herald", {}, "told", {}, {"en": "{what} is good", "zh": "{what}很好"}, "service", {})
    kind = Kind(known, enabled=True, channel="inbox", texts=own, revision=1, changed_at=None)
    assert kind.letter(1, 2, {"en": {"what": "tea"}, "zh": {"what": "茶"}}).text == {
        "en": "tea is good",
        "zh": said,
    }
    assert kind.letter(1, 2, {"en": {"other": "tea"}, "zh": {"other": "茶"}}) is None


def test_a_translation_that_does_not_fit_is_said_in_english():
    known = KnownKind("herald", {}, "told", {}, {"en": "{what} is good", "zh": "{gone}"}, "service", {})
    kind = Kind(known, enabled=True, channel="inbox", texts={}, revision=1, changed_at=None)
    assert kind.letter(1, 2, {"en": {"what": "tea"}, "zh": {"what": "茶"}}).text["zh"] == "茶 is good"
