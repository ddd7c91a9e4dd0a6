"""Facts across plugins: asked in batches, checked, and never of a member who is not there."""

import secrets
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from threepeat.events.context import Cause
from threepeat.plugins import Registry
from threepeat.sdk import Audience, Manifest, Plugin, PluginError, PluginSettings, fact, hookimpl
from threepeat.tenancy import switches

TITLE = {"en": "something", "zh": "某事"}
WHEN = datetime(2026, 1, 10, tzinfo=UTC)
KINDS = {
    "knower.score": {"kind": "number"},
    "knower.zero": {"kind": "number", "default": 0},
    "knower.tier": {"kind": "choice", "choices": ("gold", "silver")},
    "knower.fan": {"kind": "flag"},
    "knower.seen_at": {"kind": "instant"},
    "knower.tags": {"kind": "tags", "default": frozenset({"new"})},
}


class Knower(Plugin[PluginSettings]):
    """Answers what a test tells it to, and counts how often it was asked."""

    manifest = Manifest(id="knower", kind="tactic", title="Knower", summary="Knows.", holdout="none")
    settings_model = PluginSettings

    def __init__(self):
        self.answers = {}
        self.asked = Counter()

    @hookimpl
    def facts(self):
        for name, kind in KINDS.items():
            yield fact(name, partial(self.answer, name), title=TITLE, **kind)

    def answer(self, name, ctx, members):
        self.asked[name] += 1
        given = self.answers.get(name, {})
        return given(ctx, members) if callable(given) else {m: v for m, v in given.items() if m in members}


class Asker(Plugin[PluginSettings]):
    """Asks, and knows one thing itself by asking another."""

    manifest = Manifest(id="asker", kind="service", title="Asker", summary="Asks.")
    settings_model = PluginSettings

    @hookimpl
    def facts(self):
        yield fact("asker.double", self.double, kind="number", title=TITLE)

    def double(self, ctx, members):
        return {m: 2 * v for m, v in ctx.facts(["knower.score"], members)["knower.score"].items()}


@pytest.fixture(scope="module")
def registry():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent / "toys")
        from levels_toy import Levels
    return Registry.load([("asker", Asker()), ("knower", Knower()), ("levels", Levels())])


@pytest.fixture
def knower(registry):
    plugin = registry["knower"].plugin
    plugin.__init__()
    return plugin


@pytest.fixture
def store(make_tenant):
    return make_tenant(f"tea-{secrets.token_hex(4)}", enable=("knower", "levels"))


@contextmanager
def asking(platform, store):
    with platform.database.tenant(store.id, clock_offset=store.clock_offset) as scope:
        yield platform.inside(scope, store).context(platform.registry["asker"], cause=Cause("test"))


def run(platform, store, statement, **binds):
    with platform.database.tenant(store.id) as scope:
        return scope.run(text(statement), **binds)


@pytest.fixture
def meet(platform, send):
    """Makes members by an event of each: `ann, bob = meet(store, "ann", "bob")`."""

    def meet(store, *names):
        send.batch(store, [send.event("page.viewed", name, page="home") for name in names])
        rows = run(platform, store, "SELECT value, member_id FROM core.identity WHERE tenant_id = :tenant")
        known = {row.value: row.member_id for row in rows}
        return [known[name] for name in names]

    return meet


def audience(name, op, *value):
    return Audience.model_validate({"fact": name, "op": op, **({"value": value[0]} if value else {})})


def never(inner):
    return Audience.model_validate({"not": inner.model_dump()})


# --- Answers ------------------------------------------------------------------------------------------------


def test_facts_are_answered_by_name_and_member(platform, store, knower, meet):
    ann, bob = meet(store, "ann", "bob")
    knower.answers = {
        "knower.score": {ann: 7},
        "knower.tier": {bob: "gold"},
        "knower.seen_at": {ann: WHEN},
        "knower.tags": {bob: {"vip"}},
        "knower.fan": {ann: False},
    }
    with asking(platform, store) as ctx:
        assert ctx.facts(list(KINDS), [ann, bob]) == {
            "knower.score": {ann: 7},
            "knower.zero": {ann: 0, bob: 0},
            "knower.tier": {bob: "gold"},
            "knower.fan": {ann: False},
            "knower.seen_at": {ann: WHEN},
            "knower.tags": {ann: {"new"}, bob: {"vip"}},
        }
        assert ctx.facts([], [ann]) == {}
        assert ctx.facts(["knower.zero"], []) == {"knower.zero": {}}


def test_each_fact_is_asked_for_once_however_many_members_and_conditions_there_are(platform, store, knower, meet):
    members = meet(store, *(f"m{number}" for number in range(50)))
    knower.answers = {"knower.score": dict(zip(members, range(50), strict=True))}
    score = [{"fact": "knower.score", "op": "differs", "value": number} for number in range(20)]
    tree = Audience.model_validate({"all": [*score, {"not": {"fact": "knower.fan", "op": "is_true"}}]})
    with asking(platform, store) as ctx:
        ctx.matching(tree, members)
        assert knower.asked == {"knower.score": 1, "knower.fan": 1}
        ctx.facts(["knower.score", "knower.tier", "knower.score"], members)
        assert knower.asked == {"knower.score": 2, "knower.fan": 1, "knower.tier": 1}
        assert ctx.matching(Audience(), members) == frozenset(members)
        assert sum(knower.asked.values()) == 4


def test_a_fact_may_stand_on_another(platform, store, knower, meet):
    (ann,) = meet(store, "ann")
    knower.answers = {"knower.score": {ann: 21}}
    with asking(platform, store) as ctx:
        assert ctx.facts(["asker.double"], [ann]) == {"asker.double": {ann: 42}}


def test_a_fact_that_stands_on_itself_is_refused_and_named(platform, store, knower, meet):
    (ann,) = meet(store, "ann")
    knower.answers = {"knower.score": lambda ctx, members: ctx.facts(["asker.double"], members)["asker.double"]}
    with asking(platform, store) as ctx:
        with pytest.raises(PluginError) as caught:
            ctx.facts(["asker.double"], [ann])
        knower.answers = {"knower.score": {ann: 1}}
        assert ctx.facts(["asker.double"], [ann]) == {"asker.double": {ann: 2}}
    circle = [
        "asker: the fact 'asker.double'",
        "knower: the fact 'knower.score'",
        "asker: the fact 'asker.double'",
    ]
    assert str(caught.value) == ": ".join([*circle, "stands on itself"])


def test_facts_follow_what_the_transaction_writes(platform, store, meet):
    (ann,) = meet(store, "ann")
    with asking(platform, store) as ctx:
        assert ctx.facts(["levels.steps"], [ann]) == {"levels.steps": {ann: 0}}
        ctx.peer(platform.registry["levels"]).sql("step", members=[ann], positions=[1])
        assert ctx.facts(["levels.steps"], [ann]) == {"levels.steps": {ann: 1}}
        assert ctx.matching(audience("levels.steps", "equals", 1), [ann]) == {ann}


def test_core_knows_since_when_a_member_is_one(platform, store, meet):
    ann, bob = meet(store, "ann", "bob")
    early = datetime.now(UTC) - timedelta(days=40)
    run(
        platform,
        store,
        "UPDATE core.member SET created_at = :at WHERE tenant_id = :tenant AND id = :id",
        at=early,
        id=ann,
    )
    with asking(platform, store) as ctx:
        assert ctx.facts(["member.since"], [ann])["member.since"] == {ann: early}
        assert ctx.matching(audience("member.since", "within_days", 30), [ann, bob]) == {bob}
        assert ctx.matching(audience("member.since", "more_than_days_ago", 30), [ann, bob]) == {ann}
        assert ctx.matching(audience("member.since", "never"), [ann, bob]) == frozenset()


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("knower.score", "7", "a value of type str is no whole number"),
        ("knower.score", 7.0, "a value of type float is no whole number"),
        ("knower.score", True, "a value of type bool is no whole number"),
        ("knower.score", None, "a value of type NoneType is no whole number"),
        ("knower.score", 2**63, "the number is beyond 64 bits"),
        ("knower.tier", "lead", "is none of gold, silver"),
        ("knower.tier", 1, "is none of gold, silver"),
        ("knower.fan", 1, "is neither true nor false"),
        ("knower.seen_at", WHEN.replace(tzinfo=None), "the instant has no time zone"),
        ("knower.seen_at", "2026-01-10T00:00:00Z", "is no instant"),
        ("knower.tags", ["vip"], "is no set"),
        ("knower.tags", {7}, "is no text"),
        ("knower.tags", {"a\0"}, "holds a NUL"),
    ],
)
def test_a_value_of_another_kind_is_refused_and_named(platform, store, knower, meet, name, value, reason):
    ann, bob = meet(store, "ann", "bob")
    knower.answers = {name: lambda _ctx, _members: {bob: value}}
    for ask in (lambda ctx: ctx.facts([name], [ann, bob]), lambda ctx: ctx.matching(hit(name), [ann, bob])):
        with asking(platform, store) as ctx, pytest.raises(PluginError) as caught:
            ask(ctx)
        assert str(caught.value).startswith(
            f"knower: the fact '{name}': does not answer with a {KINDS[name]['kind']}"
        )
        assert reason in str(caught.value)


def hit(name):
    ops = {"number": ("equals", 7), "choice": ("is", "gold"), "flag": ("is_true",), "tags": ("has", "vip")}
    return audience(name, *ops.get(KINDS[name]["kind"], ("never",)))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda _ctx, _members: None, "answers with NoneType instead of a mapping"),
        (lambda _ctx, members: list(members), "answers with list instead of a mapping"),
        (lambda _ctx, members: {max(members) + 1: 1}, "tells of members that it was not asked about"),
        (lambda _ctx, _members: {"ann": 1}, "tells of members that it was not asked about"),
        (lambda _ctx, _members: {}["x"], "KeyError: 'x'"),
        (lambda ctx, _members: ctx.member, "LookupError: no member calls here"),
    ],
)
def test_a_plugin_that_fails_to_answer_is_named(platform, store, knower, meet, answer, reason):
    (ann,) = meet(store, "ann")
    knower.answers = {"knower.score": answer}
    with (
        asking(platform, store) as ctx,
        pytest.raises(PluginError, match=r"^knower: the fact 'knower\.score': ") as caught,
    ):
        ctx.facts(["knower.score"], [ann])
    assert reason in str(caught.value)


def test_a_fault_of_the_database_stays_one_so_that_the_worker_tries_again(platform, store, knower, meet):
    (ann,) = meet(store, "ann")
    levels = platform.registry["levels"]
    knower.answers = {"knower.score": lambda _ctx, _members: ctx.peer(levels).sql("steps", members=["x"])}
    with pytest.raises(DBAPIError) as caught, asking(platform, store) as ctx:
        ctx.facts(["knower.score"], [ann])
    assert caught.value.__notes__ == ["while it was answering: knower: the fact 'knower.score'"]


# --- What cannot be known -----------------------------------------------------------------------------------


def switch(platform, store, state):
    run(
        platform,
        store,
        "UPDATE core.activation SET state = :state, slot = NULL WHERE tenant_id = :tenant AND plugin = 'knower'",
        state=state,
    )


@pytest.mark.parametrize("how", ["never on", "off", "quarantined", "not installed"])
def test_what_cannot_be_known_lets_nobody_in_in_whatever_way_it_is_asked(
    platform, make_tenant, store, knower, meet, registry, how
):
    if how == "never on":
        store = make_tenant(f"other-{secrets.token_hex(4)}")
    elif how == "off":
        switch(platform, store, "off")
    elif how == "quarantined":
        platform = replace(platform, registry=registry.quarantine({"knower": "a test"}))
    else:
        platform = replace(platform, registry=Registry.load([("asker", Asker())]))
    ann, bob = meet(store, "ann", "bob")
    knower.answers = {"knower.score": {ann: 7}, "knower.fan": {ann: True, bob: False}}
    everyone = audience("member.since", "within_days", 1)
    with asking(platform, store) as ctx:
        assert ctx.facts(["knower.score", "knower.zero"], [ann]) == {"knower.score": {}, "knower.zero": {}}
        for name, op, *value in (
            ("knower.score", "equals", 7),
            ("knower.seen_at", "never"),
            ("knower.zero", "equals", 0),
        ):
            condition = audience(name, op, *value)
            for asked in (condition, never(condition), never(never(condition))):
                assert ctx.matching(asked, [ann, bob]) == frozenset()
            both = Audience(all=(everyone, never(condition)))
            either = Audience(any=(everyone, never(condition)))
            assert ctx.matching(both, [ann, bob]) == frozenset()
            assert ctx.matching(either, [ann, bob]) == {ann, bob}
    assert not knower.asked


def test_a_closing_tactic_still_knows(platform, store, knower, meet):
    (ann,) = meet(store, "ann")
    knower.answers = {"knower.score": {ann: 7}}
    switch(platform, store, "closing")
    with asking(platform, store) as ctx:
        assert ctx.facts(["knower.score"], [ann]) == {"knower.score": {ann: 7}}


def test_a_name_that_nobody_declares_is_noted_in_the_log(platform, store, meet):
    (ann,) = meet(store, "ann")
    with capture_logs() as logs, asking(platform, store) as ctx:
        assert ctx.facts(["knower.gone", "gone.score", "knower.zero"], [ann]) == {
            "knower.gone": {},
            "gone.score": {},
            "knower.zero": {ann: 0},
        }
        assert ctx.matching(never(audience("gone.score", "equals", 1)), [ann]) == frozenset()
    seen = [(one["fact"], one["plugin"]) for one in logs if one["event"] == "nobody knows this fact"]
    assert seen == [(name, "asker") for name in ("knower.gone", "gone.score", "gone.score")]


def test_a_fact_whose_kind_has_changed_since_fits_no_old_condition(platform, store, knower, meet):
    (ann,) = meet(store, "ann")
    knower.answers = {"knower.fan": {ann: True}}
    old = audience("knower.fan", "equals", 1)
    with asking(platform, store) as ctx:
        assert ctx.matching(old, [ann]) == frozenset()
        assert ctx.matching(never(old), [ann]) == frozenset()


@pytest.mark.parametrize("gone", ["merged_into = id + 1", "erase_requested_at = core.now()"])
def test_whoever_is_no_member_any_more_has_no_facts_and_is_in_no_audience(platform, store, knower, meet, gone):
    ann, bob = meet(store, "ann", "bob")
    knower.answers = {"knower.score": lambda _ctx, members: dict.fromkeys(members, 7)}
    asked = [audience("knower.score", "equals", 7), audience("knower.zero", "equals", 0), Audience()]
    asked += [audience("knower.seen_at", "never"), never(audience("knower.score", "equals", 1))]
    with asking(platform, store) as ctx:
        assert [ctx.matching(one, [ann, bob, 2**62]) for one in asked] == [{ann, bob}] * len(asked)
        assert ctx.facts(["knower.zero"], [2**62]) == {"knower.zero": {}}
    run(platform, store, f"UPDATE core.member SET {gone} WHERE tenant_id = :tenant AND id = :ann", ann=ann)
    with asking(platform, store) as ctx:
        assert [ctx.matching(one, [ann, bob]) for one in asked] == [{bob}] * len(asked)
        assert ctx.facts(["knower.score", "knower.zero", "member.since"], [ann]) == {
            "knower.score": {},
            "knower.zero": {},
            "member.since": {},
        }


# --- The switch, end to end ---------------------------------------------------------------------------------


def test_switching_on_and_off_is_seen_at_once(platform, make_tenant, knower, meet):
    store = make_tenant(f"late-{secrets.token_hex(4)}")
    (ann,) = meet(store, "ann")
    knower.answers = {"knower.score": {ann: 7}}
    wanted = audience("knower.score", "equals", 7)
    for change, found in ((switches.enable, {ann}), (switches.disable, frozenset())):
        with platform.database.tenant(store.id) as scope:
            change(scope, store, platform.registry, "knower", by="test", act=platform.act)
        with asking(platform, store) as ctx:
            assert ctx.matching(wanted, [ann]) == found
