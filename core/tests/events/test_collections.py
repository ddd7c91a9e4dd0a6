"""What a merchant manages: every change is checked, whole, in the trail, and the store's own."""

import secrets
import sys
import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from threepeat.database.engine import Timeouts
from threepeat.events import collections
from threepeat.plugins import Registry
from threepeat.sdk import (
    ItemModel,
    Manifest,
    Once,
    Plugin,
    PluginError,
    PluginSettings,
    Query,
    Refused,
    SecretStr,
    collection,
    hookimpl,
    reward,
)
from threepeat.tenancy import audit, switches
from threepeat.tenancy.errors import Conflict, Invalid, NotFound, Stale

JARS = ("shelf", "jars")
HUGE = 2**63


class Mint(Plugin[PluginSettings]):
    """Keeps a kind of reward."""

    manifest = Manifest(id="mint", kind="tactic", title="Mint", summary="Keeps leaves.", holdout="none")
    settings_model = PluginSettings

    @hookimpl
    def rewards(self):
        def nothing(*_):
            raise NotImplementedError

        title = {"en": "leaves", "zh": "叶子"}
        yield reward("mint", title=title, grant=nothing, revoke=nothing, balance=nothing, cost=nothing)


@pytest.fixture(scope="module")
def registry():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent / "toys")
        from shelf_toy import Shelf
    made = Registry.load([("shelf", Shelf()), ("mint", Mint())])
    assert not made.quarantined
    return made


@pytest.fixture
def shelf(registry):
    plugin = registry["shelf"].plugin
    yield plugin
    plugin.__init__()


class House:
    """A store with a shelf."""

    def __init__(self, platform, tenant):
        self.platform, self.tenant = platform, tenant

    def __call__(self, function, *given, **named):
        """Call one of core's functions on the jars, in a transaction of its own."""
        with self.platform.database.tenant(self.tenant.id) as scope:
            return function(self.platform.inside(scope, self.tenant), *JARS, *given, **named)

    def make(self, **values):
        return self(collections.create, {"name": "honey", **values}, by="key:k")

    def save(self, item, *, revision=None, **values):
        given = {"name": "honey", **values}
        return self(collections.update, item.id, given, revision=revision or item.revision, by="staff:1")

    def act(self, item, action, *, revision=None):
        return self(collections.act, item.id, action, revision=revision or item.revision, by="staff:1")

    def read(self, item):
        return self(collections.read, item.id)

    def list(self, **query):
        return self(collections.find, Query(**query))

    def rows(self, query):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return [tuple(row) for row in scope.run(text(query))]

    def switch(self, work, plugin="shelf", timeouts=None):
        with self.platform.database.tenant(self.tenant.id, timeouts=timeouts) as scope:
            work(scope, self.tenant, self.platform.registry, plugin, by="t", act=self.platform.act)

    def trail(self):
        with self.platform.database.tenant(self.tenant.id) as scope:
            found = audit.read(scope)
        return [one for one in reversed(found) if one.action.startswith("collection.")]


@pytest.fixture
def open_house(platform, make_tenant, shelf):  # noqa: ARG001 - what a test did to the shelf is undone
    return lambda *more: House(platform, make_tenant(f"shop-{secrets.token_hex(4)}", enable=("shelf", *more)))


@pytest.fixture
def house(open_house):
    return open_house()


def refused(kind, work, *given, **named):
    with pytest.raises(kind) as caught:
        work(*given, **named)
    return caught.value


def test_an_item_is_made_saved_moved_and_every_change_is_in_the_trail(house):
    made = house.make(price=250)
    assert (made.state, made.revision, made.title, made.figures) == ("open", 1, "honey", {"Price": 250})
    saved = house.save(made, name="a secret name", price=300)
    assert (saved.id, saved.revision, saved.values.price) == (made.id, 2, 300)
    sealed = house.act(saved, "seal")
    assert (sealed.state, sealed.revision) == ("sealed", 3)
    assert house.read(made) == sealed
    where = f"shelf/jars/{made.id}"
    assert [(one.actor, one.action, one.subject, one.details) for one in house.trail()] == [
        ("key:k", "collection.created", where, {"state": "open", "revision": 1}),
        ("staff:1", "collection.updated", where, {"state": "open", "revision": 2}),
        ("staff:1", "collection.seal", where, {"state": "sealed", "revision": 3}),
    ]
    assert house.rows("SELECT type, data FROM core.outbox WHERE tenant_id = :tenant") == [
        ("shelf.sealed", {"jar": made.id})
    ]
    assert house.rows("SELECT key FROM core.timer WHERE tenant_id = :tenant AND plugin = 'shelf'") == [(made.id,)]


def test_a_step_that_is_refused_leaves_nothing_behind(house):
    jar = house.make(name="cursed")
    assert refused(Refused, house.act, jar, "seal").code == "cursed"
    assert house.read(jar) == jar
    assert [one.action for one in house.trail()] == ["collection.created"]
    assert house.rows("SELECT 1 FROM core.outbox WHERE tenant_id = :tenant") == []
    assert house.rows("SELECT 1 FROM core.timer WHERE tenant_id = :tenant AND plugin = 'shelf'") == []


def test_a_plugin_that_refuses_a_field_names_it_like_the_form_does(house, shelf):
    jar = house.make()

    def update(*_):
        raise Refused("too sweet", code="sweet", field="name")

    shelf.instead["update"] = update
    found = refused(Invalid, house.save, jar, price=300)
    assert [(one.field, one.reason, one.kind) for one in found.errors] == [("values.name", "too sweet", "refused")]
    assert house.read(jar) == jar


def test_what_nobody_ever_changed_has_no_moment(house, shelf):
    jar = house.make()
    shelf.instead["read"] = lambda *_: replace(jar, changed_at=None)
    assert house.read(jar).changed_at is None


def test_a_list_comes_in_pages_in_order_and_ends(house):
    made = [house.make(name=f"jar {number}") for number in range(5)]
    first = house.list(limit=2)
    second = house.list(limit=2, after=first.next)
    third = house.list(limit=2, after=second.next)
    assert [item for page in (first, second, third) for item in page.items] == made
    assert (first.next, second.next, third.next) == (made[1].id, made[3].id, None)
    assert house.list(limit=5).next is None
    house.act(made[3], "break")
    assert [item.id for item in house.list(state="broken").items] == [made[3].id]
    assert [item.id for item in house.list(search="JAR 1").items] == [made[1].id]
    assert house.list(search="nothing").items == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": True}, "limit"),
        ({"state": "gone"}, "state"),
        ({"state": ""}, "state"),
        ({"after": ""}, "after"),
        ({"after": "a b"}, "after"),
        ({"after": "1\n"}, "after"),
        ({"after": "x" * 81}, "after"),
        ({"search": "x" * 101}, "search"),
        ({"search": "a\0b"}, "search"),
        ({"search": "\ud800"}, "search"),
    ],
)
def test_a_query_that_asks_for_nonsense_is_refused_by_name(house, query, field):
    assert refused(Invalid, house.list, **query).field == field


def test_a_cursor_of_another_collection_finds_the_end_and_not_an_error(house):
    house.make()
    assert house.list(after="9" * 80).items != []  # the toy begins again where it knows no such jar


def test_two_stores_never_see_or_touch_each_others_items(house, open_house):
    other = open_house()
    jar, theirs = house.make(name="mine"), other.make(name="theirs")
    assert [item.title for item in house.list().items] == ["mine"]
    for work in (other.read, other.save):
        refused(NotFound, work, jar)
    refused(NotFound, other.act, jar, "seal")
    assert house.read(jar) == jar
    assert other.read(theirs) == theirs
    assert [one.subject for one in other.trail()] == [f"shelf/jars/{theirs.id}"]


def test_the_second_of_two_writers_is_told(house):
    jar = house.make()
    house.save(jar, price=1)
    refused(Stale, house.save, jar, price=2)
    refused(Stale, house.act, jar, "seal")
    assert house.read(jar).values.price == 1


def test_of_many_at_once_one_writes(house):
    jar, outcomes = house.make(), []

    def work(number):
        try:
            outcomes.append(house.save(jar, price=number).values.price)
        except Stale:
            outcomes.append(None)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    (winner,) = [one for one in outcomes if one is not None]
    assert len(outcomes) == 4
    assert (house.read(jar).values.price, house.read(jar).revision) == (winner, 2)
    assert len(house.trail()) == 2


def test_a_conditional_write_that_says_no_is_stale_even_if_it_was_fresh_a_moment_ago(house, shelf):
    jar = house.make()
    shelf.instead["update"] = lambda *_: False
    shelf.instead["seal"] = lambda *_: False
    refused(Stale, house.save, jar)
    refused(Stale, house.act, jar, "seal")
    assert len(house.trail()) == 1


def test_states_decide_what_can_be_done(house):
    sealed = house.act(house.make(), "seal")
    assert refused(Conflict, house.save, sealed).code == "not-editable"
    assert refused(Conflict, house.act, sealed, "seal").code == "not-now"
    refused(NotFound, house.act, sealed, "melt")
    house.act(sealed, "break")


@pytest.mark.parametrize("revision", [0, -1, HUGE, True, 1.0, "1"])
def test_a_revision_that_is_none_is_refused(house, revision):
    jar = house.make()
    with pytest.raises(Invalid) as caught:
        house(collections.update, jar.id, {"name": "x"}, revision=revision, by="t")
    assert caught.value.field == "revision"


@pytest.mark.parametrize("item", ["0", "999999", "", "a/b", "\0", "\ud800", "9" * 80, "x" * 10_000, "1' OR true"])
def test_an_item_that_is_not_there_is_not_found(house, item):
    refused(NotFound, house, collections.read, item)
    refused(NotFound, house, collections.act, item, "seal", revision=1, by="t")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "values.name"),
        ({"name": ""}, "values.name"),
        ({"name": "x" * 201}, "values.name"),
        ({"name": 5}, "values.name"),
        ({"name": "x", "unknown": 1}, "values.unknown"),
        ({"name": "a\0b"}, "values.name"),
        ({"name": "\ud800"}, "values.name"),
        ({"name": "x", "labels": [{"text": "fine"}, {"text": "\0"}]}, "values.labels.1.text"),
        ({"name": "x", "price": HUGE}, "values.price"),
        ({"name": "x", "price": -HUGE - 1}, "values.price"),
        ({"name": "x", "price": 10**5000}, "values.price"),
        ({"name": "x", "weight": float("nan")}, "values.weight"),
        ({"name": "x", "weight": float("inf")}, "values.weight"),
        ({"name": "x", "until": "2026-02-30"}, "values.until"),
        ({"name": "x", "more": {"a": [float("nan")]}}, "values"),
        ({"name": "x", "more": {"a\0": 1}}, "values.more"),
        ({"name": "x", "more": {"a": HUGE}}, "values.more.a"),
        ({"name": "x", "more": {"a": object()}}, "values"),
        ({"name": "x", "audience": {"fact": "gone.score", "op": "equals", "value": 1}}, "values.audience.fact"),
        ({"name": "x", "audience": {"fact": "member.since", "op": "is", "value": "a"}}, "values.audience.op"),
        ({"name": "x", "gift": {"kind": "gold", "amount": 1}}, "values.gift.kind"),
        ({"name": "x", "gift": {"kind": "mint", "amount": 0}}, "values.gift.amount"),
    ],
)
def test_bad_values_are_refused_by_name_and_leave_nothing(house, given, field):
    jar = house.make()
    assert refused(Invalid, house, collections.create, given, by="t").field == field
    with pytest.raises(Invalid) as caught:
        house(collections.update, jar.id, given, revision=1, by="t")
    assert caught.value.field == field
    assert house.list().items == [jar]
    assert len(house.trail()) == 1


@pytest.mark.parametrize("given", [None, [], "x", 5])
def test_values_that_are_no_object_are_refused(house, given):
    assert refused(Invalid, house, collections.create, given, by="t").field == "values"


@pytest.mark.parametrize("depth", [33, 500, 20_000])
def test_bottomless_values_are_refused(house, depth):
    deep = {}
    for _ in range(depth):
        deep = {"more": deep}
    assert refused(Invalid, house, collections.create, {"name": "x", **deep}, by="t").field == "values"


def test_all_errors_are_told_at_once(house):
    error = refused(Invalid, house.make, name="", price="x", until="never")
    assert {one.field for one in error.errors} == {"values.name", "values.price", "values.until"}


def test_a_huge_text_is_the_models_to_refuse(house):
    large = "宽" * 100_000
    assert house.make(labels=[{"text": large}]).values.labels[0].text == large


def test_only_rewards_that_the_store_has_can_be_chosen(house, open_house):
    rich = open_house("mint")
    gift = {"kind": "mint", "amount": 5}
    assert rich.make(gift=gift).values.gift.kind == "mint"
    assert refused(Invalid, house.make, gift=gift).field == "values.gift.kind"
    rich.switch(switches.disable, "mint")
    assert refused(Invalid, rich.make, gift=gift).field == "values.gift.kind"


def test_a_plugin_that_is_off_unknown_or_quarantined_has_nothing(house, platform):
    jar = house.make()
    for where in (("nothing", "jars"), ("shelf", "nothing"), ("mint", "jars")):
        with platform.database.tenant(house.tenant.id) as scope, pytest.raises(NotFound):
            collections.find(platform.inside(scope, house.tenant), *where, Query())
    away = House(replace(platform, registry=platform.registry.quarantine({"shelf": "a test"})), house.tenant)
    refused(NotFound, away.list)
    house.switch(switches.disable)
    for work in (house.list, house.make):
        assert "switch it on first" in str(refused(NotFound, work))
    for work, *more in ((house.read,), (house.save,), (house.act, "break")):
        assert "switch it on first" in str(refused(NotFound, work, jar, *more))


def test_while_closing_items_are_read_and_only_some_steps_are_taken(house, shelf):
    jar, shelf.owes = house.make(), True
    house.switch(switches.disable)
    assert house.list().items == [house.read(jar)] == [jar]
    for work in (house.make, lambda: house.save(jar), lambda: house.act(jar, "seal")):
        assert refused(Conflict, work).code == "closing"
    found = house(collections.managed)
    assert not found.editable(jar)
    assert [step.name for step in found.actions(jar)] == ["break"]
    assert house.act(jar, "break").state == "broken"


def test_what_can_be_done_is_told(house):
    jar = house.make()
    found = house(collections.managed)
    assert found.editable(jar)
    assert [step.name for step in found.actions(jar)] == ["seal", "break"]
    sealed = house.act(jar, "seal")
    assert not found.editable(sealed)
    assert [step.name for step in found.actions(sealed)] == ["break"]


def test_whoever_switches_off_waits_for_a_change_and_a_later_change_sees_it(house, platform):
    jar = house.make()
    with platform.database.tenant(house.tenant.id) as scope:
        opened = platform.inside(scope, house.tenant)
        assert collections.managed(opened, *JARS).open  # it has read that the shelf is on
        house.switch(switches.disable)
        with pytest.raises(NotFound):
            collections.act(opened, *JARS, jar.id, "seal", revision=1, by="t")
    house.switch(switches.enable)
    with platform.database.tenant(house.tenant.id) as scope:
        collections.act(platform.inside(scope, house.tenant), *JARS, jar.id, "seal", revision=1, by="t")
        with pytest.raises(DBAPIError, match="lock timeout"):
            house.switch(switches.disable, timeouts=Timeouts(statement=0, lock=50, idle=0))


WRONG = {
    "another type": (lambda _: "jar", "gives str instead of an Item"),
    "an id that is none": (lambda item: replace(item, id="a b"), "must match"),
    "an id that is a number": (lambda item: replace(item, id=7), "must match"),
    "another item": (lambda item: replace(item, id="other"), "it gives 'other'"),
    "an unknown state": (lambda item: replace(item, state="gone"), "which is not declared"),
    "values of another model": (lambda item: replace(item, values=ItemModel()), "instead of Jar"),
    "a revision below 1": (lambda item: replace(item, revision=0), "a revision that is no"),
    "a revision that is true": (lambda item: replace(item, revision=True), "a revision that is no"),
    "no title": (lambda item: replace(item, title=""), "has no title"),
    "a naive instant": (lambda item: replace(item, changed_at=datetime(2026, 1, 1)), "time zone"),  # noqa: DTZ001
    "a figure that is a list": (lambda item: replace(item, figures={"a": []}), "figures"),
    "no figures": (lambda item: replace(item, figures=None), "figures"),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_item_that_is_not_as_declared_names_the_plugin(house, shelf, case):
    jar = house.make()
    change, reason = WRONG[case]
    shelf.instead["read"] = lambda *_: change(jar)
    message = str(refused(PluginError, house.read, jar))
    assert message.startswith("shelf: the collection 'jars': ")
    assert reason in message
    assert "honey" not in message


LISTS = {
    "no list": (lambda jar: iter([jar]), "gives list_iterator"),
    "None": (lambda _: None, "gives NoneType"),
    "too many": (lambda jar: [replace(jar, id=str(n)) for n in range(4)], "gives 4 where at most 3"),
    "one twice": (lambda jar: [jar, jar], "an item twice"),
    "the one before": (lambda jar: [replace(jar, id="before")], "an item twice"),
    "another state": (lambda jar: [replace(jar, state="broken")], "asked for what is open"),
    "something else": (lambda jar: [jar, 5], "gives int instead of an Item"),
}


@pytest.mark.parametrize("case", LISTS)
def test_a_list_that_is_not_as_declared_names_the_plugin(house, shelf, case):
    jar = house.make()
    change, reason = LISTS[case]
    shelf.instead["find"] = lambda *_: change(jar)
    message = str(refused(PluginError, house.list, limit=2, state="open", after="before"))
    assert message.startswith("shelf: the collection 'jars': ")
    assert reason in message


@pytest.mark.parametrize(
    ("name", "answer", "reason"),
    [
        ("create", lambda *_: 7, "the id 7 must match"),
        ("create", lambda *_: "a/b", "must match"),
        ("create", lambda *_: "12345", "gives NoneType instead of an Item"),
        ("update", lambda *_: 1, "answers int instead of whether it was made"),
        ("update", lambda *_: True, "its revision is still 1"),
        ("seal", lambda *_: None, "answers NoneType instead of whether it was made"),
        ("seal", lambda *_: 1 / 0, "ZeroDivisionError"),
        ("seal", lambda ctx, *_: ctx.db.commit(), "core commits when the handler returns"),
    ],
)
def test_a_change_that_is_not_as_declared_is_undone_and_names_the_plugin(house, shelf, name, answer, reason):
    jar = house.make()
    shelf.instead[name] = answer
    work = {"create": house.make, "update": lambda: house.save(jar), "seal": lambda: house.act(jar, "seal")}[name]
    message = str(refused(PluginError, work))
    assert message.startswith("shelf: the collection 'jars': ")
    assert reason in message
    shelf.instead.clear()
    assert house.list().items == [jar]
    assert len(house.trail()) == 1


def test_an_error_of_the_database_stays_one_and_is_noted(house, shelf):
    jar = house.make()
    shelf.instead["read"] = lambda ctx, _: ctx.sql("create", body="no json")
    error = refused(DBAPIError, house.read, jar)
    assert error.__notes__ == ["while it was asked: shelf: the collection 'jars'"]


def test_reading_writes_nothing(house, shelf):
    from shelf_toy import Sealed

    jar = house.make()
    shelf.instead["read"] = lambda ctx, _: ctx.emit(Sealed(jar="x"), member=None) or jar
    house.read(jar)
    assert house.rows("SELECT 1 FROM core.outbox WHERE tenant_id = :tenant") == []


def test_a_collection_with_a_secret_is_quarantined():
    class Safe(ItemModel):
        codes: list[SecretStr]

    class Bank(Mint):
        manifest = Manifest(id="bank", kind="tactic", title="B", summary="S")

        @hookimpl
        def rewards(self):
            return ()

        @hookimpl
        def collections(self):
            def nothing(*_):
                raise NotImplementedError

            names = dict.fromkeys(("title", "singular", "summary"), "x")
            calls = dict.fromkeys(("find", "read", "create", "update"), nothing)
            yield collection("safes", Safe, **names, states={"a": "A"}, editable={"a"}, **calls)

    reason = Registry.load([("bank", Bank())]).quarantined["bank"].reason
    assert reason == "the collection 'safes' holds a secret: it belongs in the settings"


def test_the_model_itself_may_be_given_and_is_checked_all_the_same(house):
    from shelf_toy import Jar

    assert house(collections.create, Jar(name="jam"), by="t").title == "jam"
    assert refused(Invalid, house, collections.create, Jar(name="a\0"), by="t").field == "values.name"


def test_a_file_is_had_in_its_state_and_by_whom_stands_in_the_trail(house):
    jar = house.make(name="=cmd()", price=250)
    early = refused(Conflict, house, collections.download, jar.id, by="staff:1")
    assert "for sealed" in str(early)
    house.act(jar, "seal")
    file = house(collections.download, jar.id, by="staff:7")
    assert file.decode("utf-8-sig").splitlines() == ["Name,Price", "'=cmd(),250", "low,-5"]
    assert file.startswith(b"\xef\xbb\xbf")
    assert (house.trail()[-1].actor, house.trail()[-1].action) == ("staff:7", "collection.downloaded")
    refused(NotFound, house, collections.download, "99", by="staff:1")


@pytest.mark.parametrize("given", [None, [], [1], [("a",), None], [("\ud800",)]])
def test_a_file_that_is_none_is_the_plugins_mistake(house, shelf, given):
    jar = house.act(house.make(), "seal")
    shelf.instead["label"] = lambda *_: given
    assert "'jars'" in str(refused(PluginError, house, collections.download, jar.id, by="staff:1"))
    assert [one.action for one in house.trail()] == ["collection.created", "collection.seal"]


def test_another_stores_file_is_not_there(house, open_house):
    jar = house.act(house.make(), "seal")
    refused(NotFound, open_house(), collections.download, jar.id, by="staff:1")


@pytest.mark.parametrize(
    "given", [{"editable": {"a"}}, {"update": lambda *_: True}], ids=["no update", "nothing editable"]
)
def test_what_can_be_saved_and_how_are_declared_together(given):
    names = {"title": "T", "singular": "t", "summary": "S."}
    with pytest.raises(PluginError, match="give update and the states that are editable together"):
        collection("safes", ItemModel, **names, states={"a": "A"}, find=list, read=list, **given)


def test_what_is_shown_once_goes_to_whoever_asked_and_nowhere_else(house, shelf, toys_create):
    shelf.instead["create"] = lambda ctx, jar: Once(toys_create(ctx, jar), {"Secret": "s-e-c-r-e-t"})
    made = house.make()
    assert made.once == {"Secret": "s-e-c-r-e-t"}
    assert house.read(made).once == {}
    shelf.instead["seal"] = lambda ctx, item, revision: (
        bool(ctx.sql("move", id=int(item), revision=revision, state="sealed")) and Once(item, {"Another": "t-o-o"})
    )
    assert house.act(made, "seal").once == {"Another": "t-o-o"}
    assert all("s-e-c-r-e-t" not in str(one) and "t-o-o" not in str(one) for one in house.trail())


@pytest.mark.parametrize(
    "shown", [{"Secret": 7}, {7: "x"}, "x", None, {"Secret": "x" * 2001}, {"Secret": "茶" * 700}]
)
def test_what_is_shown_once_is_a_few_texts(house, shelf, toys_create, shown):
    shelf.instead["create"] = lambda ctx, jar: Once(toys_create(ctx, jar), shown)
    with pytest.raises(PluginError, match="shown once"):
        house.make()
    assert house.list().items == []


@pytest.fixture
def toys_create(shelf):
    return sys.modules[type(shelf).__module__].create
