"""Messages on their way from whoever says something to whoever brings it."""

import secrets
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest

from threepeat.events import merging
from threepeat.events.stores import open_store
from threepeat.plugins import Registry
from threepeat.sdk import (
    Manifest,
    Notice,
    Plugin,
    PluginError,
    PluginSettings,
    Refused,
    _,
    hookimpl,
    message_kind,
    when,
)
from threepeat.sdk.events import OrderPaid, ProductUpdated
from threepeat.tenancy import members, switches
from threepeat.testing.postbox import Postbox

WHEN = datetime(2026, 1, 14, 4, 30, tzinfo=UTC)


class Crier(Plugin[PluginSettings]):
    """Says what tests ask for, and of each order that it was paid."""

    manifest = Manifest(id="crier", kind="tactic", title=_("Crier"), summary="Cries.")
    settings_model = PluginSettings

    def __init__(self):
        self.fails = self.owes = False

    @hookimpl
    def reactions(self):
        yield when(OrderPaid, self.paid, always=True)
        yield when(ProductUpdated, self.updated, always=True)

    @hookimpl
    def message_kinds(self):
        yield message_kind("paid", title=_("Paid"), text="{what}!", variables={"what": _("What")})
        yield message_kind("news", title="News", text="{what}!", purpose="marketing", variables={"what": "What"})
        yield message_kind("bare", title="Bare", text="Hello.")

    @hookimpl
    def open_obligations(self, ctx):
        del ctx
        yield from ["Something is owed."] if self.owes else []

    def paid(self, ctx, events):
        ctx.message("paid", [Notice(one.member, one, {"what": one.order_id}) for one in events])
        if self.fails or any(one.order_id == "cursed" for one in events):
            raise RuntimeError("on purpose")

    def updated(self, ctx, events):
        ctx.message("bare", [Notice(ctx.tenant.id, events[0])])


@pytest.fixture(scope="module")
def crier():
    return Crier()


@pytest.fixture(scope="module")
def postbox():
    return Postbox()


@pytest.fixture(scope="module")
def registry(crier, postbox):
    return Registry.load((one.manifest.id, one) for one in (postbox, crier))


@pytest.fixture
def store(make_tenant, postbox, crier):
    postbox.taken.clear()
    crier.fails = crier.owes = False
    return make_tenant(f"shop-{secrets.token_hex(4)}", enable=("crier",))


def member(platform, store, name="ann"):
    with platform.database.tenant(store.id) as scope:
        return members.resolve(scope, platform.keyring, [name])[name]


def say(act, store, *notices, kind="news"):
    act(store, "crier", lambda ctx: ctx.message(kind, notices))


def test_what_a_call_says_arrives_in_one_batch_at_its_end(platform, store, act, postbox):
    ann, bob = member(platform, store), member(platform, store, "bob")

    def work(ctx):
        ctx.message("news", [Notice(ann, "a", {"what": "tea"}), Notice(bob, "a", {"what": "tea"})])
        ctx.message("bare", [Notice(ann, "a")])
        assert postbox.taken == []

    act(store, "crier", work)
    assert [(one.kind, one.member, one.purpose) for one in postbox.taken] == [
        ("news", ann, "marketing"),
        ("news", bob, "marketing"),
        ("bare", ann, "service"),
    ]
    assert len({one.key for one in postbox.taken}) == 2, "the key is the cause's and the kind's, not the member's"


def test_the_same_thing_to_the_same_member_is_handed_over_once(platform, store, act, postbox):
    ann = member(platform, store)
    say(act, store, *[Notice(ann, "a", {"what": what}) for what in ("first", "second")])
    assert postbox.said("news") == [{"what": "first"}]


def test_a_call_that_fails_says_nothing_and_its_halves_are_tried(store, send, worker, postbox):
    money = {"total": 1, "currency": "CNY"}
    events = [send.event("order.paid", "ann", order_id=one, **money) for one in ("a", "cursed", "b")]
    send.batch(store, [*events, send.event("order.paid", "bob", order_id="c", **money)])
    worker.drain()
    assert sorted(one["what"] for one in postbox.said("paid")) == ["a", "c"], "the rest of ann's waits behind"
    assert postbox.taken[0].happened_at.tzinfo is not None


def test_a_reaction_that_runs_again_says_the_same(platform, store, send, worker, postbox, crier):
    crier.fails = True
    send(store, "order.paid", "ann", order_id="a", total=1, currency="CNY")
    worker.drain()
    assert postbox.taken == []
    crier.fails = False
    with platform.database.tenant(store.id) as scope:
        scope.connection.exec_driver_sql("UPDATE core.dead_letter SET state = 'retry'")
        scope.connection.exec_driver_sql(f"INSERT INTO core.backlog (tenant_id) VALUES ({store.id})")
    worker.drain()
    assert postbox.said("paid") == [{"what": "a"}]


def test_values_are_written_as_each_language_writes_them(platform, store, act, postbox):
    ann = member(platform, store)
    values = [1280, "x{y}", date(2026, 1, 2), WHEN, store.store.money(12_800), _("Crier")]
    say(act, store, *[Notice(ann, str(number), {"what": value}) for number, value in enumerate(values)])
    assert [one.values["en"]["what"] for one in postbox.taken] == [
        "1,280",
        "x{y}",
        "Jan 2, 2026",
        "Jan 14, 2026, 12:30:00\u202fPM",
        "CN¥128.00",
        "Crier",
    ]
    assert [one.values["zh"]["what"] for one in postbox.taken][2:5] == [
        "2026年1月2日",
        "2026年1月14日 12:30",
        "¥128.00",
    ]


def test_an_instant_is_said_in_the_time_of_each_store(platform, store, act, postbox):
    """Stores in two zones were told the same text, that of whoever had asked for it first."""
    other = open_store(
        platform, f"far-{secrets.token_hex(4)}", timezone="Europe/Berlin", enable=("crier",), holdout=0, by="test"
    )
    for one in (store, other):
        say(act, one, Notice(member(platform, one), "a", {"what": WHEN}))
    assert [one.values["zh"]["what"] for one in postbox.taken] == ["2026年1月14日 12:30", "2026年1月14日 05:30"]
    assert [one.values["en"]["what"] for one in postbox.taken] == [
        "Jan 14, 2026, 12:30:00\u202fPM",
        "Jan 14, 2026, 5:30:00\u202fAM",
    ]


def test_a_value_that_does_not_fit_is_not_repeated(store, act):
    """What is refused stands in logs and dead letters, where nothing about a member belongs."""
    with pytest.raises(PluginError, match="not a list") as refused:
        say(act, store, Notice(1, "a", {"what": ["canary"]}))
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("notice", "kind", "named"),
    [
        (Notice(1, "a"), "nothing", "nothing"),
        (Notice(1, "a"), "news", r"notices\[0\].values.what: has no value"),
        (Notice(1, "a", {"what": 1, "more": 2}), "news", r"notices\[0\].values.more"),
        (Notice(1, "a", {"what": 1.5}), "news", r"notices\[0\].values.what"),
        (Notice(1, "a", {"what": True}), "news", r"notices\[0\].values.what"),
        (Notice(1, "a", {"what": None}), "news", r"notices\[0\].values.what"),
        (Notice(1, "a", {"what": "a\0b"}), "news", r"notices\[0\].values.what"),
        (Notice(1, "a", {"what": "\ud800"}), "news", r"notices\[0\].values.what"),
        (Notice(1, "a", {"what": "x" * 1001}), "news", r"notices\[0\].values.what"),
        (Notice(1, "a", {"what": datetime(2026, 1, 1)}), "news", r"notices\[0\].values.what"),  # noqa: DTZ001
        (Notice(0, "a", {"what": 1}), "news", r"notices\[0\].member"),
        (Notice(2**63, "a", {"what": 1}), "news", r"notices\[0\].member"),
        (Notice(True, "a", {"what": 1}), "news", r"notices\[0\].member"),
        (Notice(1, "", {"what": 1}), "news", r"notices\[0\].cause"),
        (Notice(1, "x" * 201, {"what": 1}), "news", r"notices\[0\].cause"),
        (Notice(1, "a\0", {"what": 1}), "news", r"notices\[0\].cause"),
        (Notice(1, 7, {"what": 1}), "news", r"notices\[0\].cause"),
        (Notice(1, "a", {"what": 1}, datetime(2026, 1, 1)), "news", r"notices\[0\].until"),  # noqa: DTZ001
    ],
)
def test_what_does_not_fit_is_refused_and_named(store, act, postbox, notice, kind, named):
    with pytest.raises(PluginError, match=named):
        say(act, store, notice, kind=kind)
    assert postbox.taken == []


def test_a_service_notice_answers_something_about_a_member(store, send, worker, platform):
    send(store, "product.updated", None, sku="tea")
    worker.drain()
    with platform.database.tenant(store.id) as scope:
        rows = scope.connection.exec_driver_sql("SELECT error FROM core.dead_letter").all()
    assert "is about nobody" in rows[0][0]


def test_where_no_service_is_on_nothing_is_said(platform, store, act, postbox):
    ann = member(platform, store)
    with platform.database.tenant(store.id) as scope:
        switches.disable(scope, store, platform.registry, "postbox", by="test", act=platform.act)
    say(act, store, Notice(ann, "a", {"what": "tea"}))
    assert postbox.taken == []


def test_marketing_says_who_is_in_the_comparison_group(platform, make_tenant, act, postbox):
    store = make_tenant(f"shop-{secrets.token_hex(4)}", enable=("crier",), holdout=50)
    postbox.taken.clear()
    crowd = [member(platform, store, f"m{number}") for number in range(40)]
    say(act, store, *[Notice(one, "a", {"what": "tea"}) for one in crowd])
    say(act, store, *[Notice(one, "a") for one in crowd], kind="bare")
    found = {kind: {one.taking_part for one in postbox.taken if one.kind == kind} for kind in ("news", "bare")}
    assert found == {"news": {True, False}, "bare": {True}}
    gate = act(store, "crier", lambda ctx: ctx.taking_part(crowd))
    assert {one.member for one in postbox.taken if one.taking_part and one.kind == "news"} == gate


def test_a_former_id_leads_to_the_member_and_of_the_erased_nobody_is_told(platform, store, act, postbox):
    ann, bob = member(platform, store), member(platform, store, "bob")
    with platform.database.tenant(store.id) as scope:
        merging.merge(platform, scope, store, bob, ann, by="test")
    say(act, store, Notice(bob, "a"), Notice(-5, "a"), kind="bare")
    assert [one.member for one in postbox.taken] == [ann]
    with platform.database.tenant(store.id) as scope:
        scope.connection.exec_driver_sql("UPDATE core.member SET erase_requested_at = now()")
    say(act, store, Notice(ann, "b"), Notice(bob, "b"), kind="bare")
    assert len(postbox.taken) == 1


def test_the_same_thing_to_two_who_are_one_by_now_is_handed_over_once(platform, store, act, postbox):
    ann, bob = member(platform, store), member(platform, store, "bob")
    with platform.database.tenant(store.id) as scope:
        merging.merge(platform, scope, store, bob, ann, by="test")
    say(act, store, Notice(bob, "a", {"what": "first"}), Notice(ann, "a", {"what": "second"}))
    assert [(one.member, one.values["en"]) for one in postbox.taken] == [(ann, {"what": "first"})]


def test_what_a_peer_says_goes_with_its_part_when_that_is_undone(platform, store, act, postbox):
    ann = member(platform, store)

    def work(ctx):
        ctx.message("bare", [Notice(ann, "stays")])
        with suppress(Refused), ctx.undoable():
            ctx.message("bare", [Notice(ann, "goes")])
            raise Refused("no")

    act(store, "crier", work)
    assert len(postbox.taken) == 1


def test_kinds_are_known_to_whoever_brings_them(platform, store, act):
    known = {one.name: one for one in act(store, "postbox", lambda ctx: ctx.message_kinds)}
    assert list(known) == ["paid", "news", "bare"]
    paid = known["paid"]
    assert (paid.plugin, paid.owner["en"], paid.title["zh"], paid.text["en"]) == (
        "crier",
        "Crier",
        "Paid",
        "{what}!",
    )
    assert paid.variables == {"what": {"en": "What", "zh": "What"}}
    with platform.database.tenant(store.id) as scope:
        switches.disable(scope, store, platform.registry, "crier", by="test", act=platform.act)
    assert act(store, "postbox", lambda ctx: ctx.message_kinds) == []


def test_a_plugin_that_is_closing_offers_nothing_new(platform, store, act, crier):
    crier.owes = True
    with platform.database.tenant(store.id) as scope:
        switches.disable(scope, store, platform.registry, "crier", by="test", act=platform.act)
    assert [one.name for one in act(store, "postbox", lambda ctx: ctx.message_kinds)] == ["paid", "bare"]


def test_the_latest_statement_about_any_purpose_says_who_agrees(platform, store, act, send):
    now = datetime.now(UTC)
    for minutes, name, purpose, yes in [
        (9, "ann", "a", True),
        (8, "ann", "b", False),
        (7, "bob", "b", False),
        (6, "bob", "a", True),
        (5, "carl", "c", True),
    ]:
        send(store, "consent.changed", name, purpose=purpose, granted=yes, time=now - timedelta(minutes=minutes))
    ids = {name: member(platform, store, name) for name in ("ann", "bob", "carl", "dan")}

    def ask(*purposes):
        found = act(store, "crier", lambda ctx: ctx.consenting(list(ids.values()), purposes))
        return {name: found[one] for name, one in ids.items() if one in found}

    assert ask("a", "b") == {"bob": now - timedelta(minutes=6)}
    assert ask("a").keys() == {"ann", "bob"}
    assert ask("c").keys() == {"carl"}
    assert ask("nothing") == {}
