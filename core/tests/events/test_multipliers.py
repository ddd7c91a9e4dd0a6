"""Factors as of a moment of the log: the same whenever, by whomever and in whatever company they are asked for."""

import secrets
import threading
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from sqlalchemy import text

from threepeat.events.context import Cause
from threepeat.plugins import Registry
from threepeat.sdk import AsOf, Manifest, Plugin, PluginError, PluginSettings, hookimpl, multiplier, when
from threepeat.sdk.events import VisitMade
from threepeat.tenancy import switches
from threepeat.tenancy.holdout import held_out
from threepeat.worker.loop import Worker, WorkerConfig

ONE, HALF = Fraction(1), Fraction(1, 2)
MEMBERS = [f"m{number}" for number in range(24)]


class Earner(Plugin[PluginSettings]):
    """Asks for the factors of every visit and remembers them by the visit's position."""

    manifest = Manifest(id="earner", kind="service", title="Earner", summary="Earns.")
    settings_model = PluginSettings

    def __init__(self):
        self.seen = {}

    @hookimpl
    def reactions(self):
        yield when(VisitMade, self.visited)

    def visited(self, ctx, events):
        moments = [AsOf.of(event) for event in events]
        found = ctx.multiplier("earner.stamps", moments)
        self.seen.update({(ctx.tenant.id, moment): factor for moment, factor in zip(moments, found, strict=True)})


class Happy(Plugin[PluginSettings]):
    """A factor that a test sets; None makes it the same for all."""

    manifest = Manifest(id="happy", kind="tactic", title="Happy hour", summary="Multiplies.", holdout="none")
    settings_model = PluginSettings
    factor = HALF
    answer = None

    @hookimpl
    def multipliers(self):
        yield multiplier("earner.stamps", self.factors)
        yield multiplier("earner.other", lambda _ctx, moments: [Fraction(9)] * len(moments))

    def factors(self, ctx, moments):
        return self.answer(ctx, moments) if self.answer else [self.factor] * len(moments)


@pytest.fixture(scope="module")
def registry():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent / "toys")
        from levels_toy import Levels
    return Registry.load([("earner", Earner()), ("happy", Happy()), ("levels", Levels())])


@pytest.fixture
def earner(registry):
    return registry["earner"].plugin


@pytest.fixture
def happy(registry):
    plugin = registry["happy"].plugin
    yield plugin
    vars(plugin).clear()


@pytest.fixture
def levels(registry):
    plugin = registry["levels"].plugin
    yield plugin
    vars(plugin).clear()


@pytest.fixture
def open_tea(make_tenant):
    """Opens stores with levels on and half of the members in its comparison group."""

    def make(*more, holdout=50):
        return make_tenant(f"tea-{secrets.token_hex(4)}", enable=("levels", *more), holdout=holdout)

    return make


def seen(earner, store):
    return {moment: factor for (tenant, moment), factor in earner.seen.items() if tenant == store.id}


@contextmanager
def asking(platform, store, plugin="earner"):
    with platform.database.tenant(store.id) as scope:
        yield platform.inside(scope, store).context(platform.registry[plugin], cause=Cause("test"))


def history(send, store, rounds):
    """Orders and visits of all members, mixed so that each member's factor keeps changing."""
    events = []
    for number in range(rounds):
        for place, member in enumerate(MEMBERS):
            order = {"order_id": f"{number}-{member}", "total": 100, "currency": "CNY"}
            if (number + place) % 3 == 0:
                events.append(send.event("order.paid", member, **order))
            events.append(send.event("visit.made", member))
    for start in range(0, len(events), 7):
        send.batch(store, events[start : start + 7])


def expected(platform, store):
    """What the log and the comparison group say, counted by hand."""
    with platform.database.tenant(store.id) as scope:
        rows = scope.run(text("SELECT * FROM core.event WHERE tenant_id = :tenant ORDER BY position"))
        units = {
            row.id: row.holdout_unit
            for row in scope.run(text("SELECT * FROM core.member WHERE tenant_id = :tenant"))
        }
        group = switches.activations(scope)["levels"]
    steps = dict.fromkeys(units, 0)
    found = {}
    for row in rows:
        if row.type == "order.paid":
            steps[row.member_id] += 1
        elif row.type == "visit.made":
            out = held_out(group.holdout_key, group.holdout_percent, units[row.member_id])
            moment = AsOf(row.member_id, row.position, row.occurred_at)
            found[moment] = ONE if out else Fraction(2 + steps[row.member_id], 2)
    return found


def held_out_members(platform, store):
    with platform.database.tenant(store.id) as scope:
        group = switches.activations(scope)["levels"]
        members = scope.run(text("SELECT id, holdout_unit FROM core.member WHERE tenant_id = :tenant"))
    return {row.id for row in members if held_out(group.holdout_key, group.holdout_percent, row.holdout_unit)}


@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_factors_are_those_of_the_moment_whatever_the_batch(platform, open_tea, send, earner, batch):
    store = open_tea()
    history(send, store, 6)
    Worker(platform, WorkerConfig(batch=batch)).drain()
    wanted = expected(platform, store)
    assert len(wanted) == 6 * len(MEMBERS)
    assert len(set(wanted.values())) > 2
    assert 0 < len(held_out_members(platform, store)) < len(MEMBERS)
    assert seen(earner, store) == wanted

    history(send, store, 3)
    Worker(platform).drain()
    with asking(platform, store) as ctx:
        for moments in (list(wanted), list(reversed(wanted))):
            assert dict(zip(moments, ctx.multiplier("earner.stamps", moments), strict=True)) == wanted


def test_factors_that_follow_the_clock_instead_are_found_out(platform, open_tea, send, earner, levels):
    """The proof above bites: an answer as of now differs as soon as a batch holds a later order."""
    levels.statement = "latest"
    store = open_tea()
    history(send, store, 6)
    Worker(platform, WorkerConfig(batch=1000)).drain()
    wanted = expected(platform, store)
    assert seen(earner, store).keys() == wanted.keys()
    assert seen(earner, store) != wanted


def test_two_workers_at_once_see_the_same_factors(platform, open_tea, send, earner):
    stores = [open_tea(), open_tea()]
    workers = [Worker(platform, WorkerConfig(batch=5, slice_ms=1)) for _ in range(2)]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            for number, store in enumerate(stores):
                history(send, store, 2 + number)
    finally:
        for worker in workers:
            worker.stop()
        for thread in threads:
            thread.join(30)
    Worker(platform).drain()
    for store in stores:
        assert seen(earner, store) == expected(platform, store)


@pytest.fixture
def store(open_tea, send, worker):
    """A store with one visit of each member, levels and happy hour on."""
    made = open_tea("happy", holdout=0)
    history(send, made, 1)
    worker.drain()
    return made


@pytest.fixture
def moments(store, earner):
    return list(seen(earner, store))


def test_factors_are_multiplied_and_belong_to_one_kind(platform, store, moments, earner):
    found = list(seen(earner, store).values())
    alone = [factor / HALF for factor in found]
    assert set(alone) == {ONE, Fraction(3, 2)}
    with asking(platform, store) as ctx:
        assert ctx.multiplier("earner.stamps", moments) == found
        assert ctx.multiplier("earner.other", moments) == [Fraction(9)] * len(moments)
        assert ctx.multiplier("earner", moments) == [ONE] * len(moments)
        assert ctx.multiplier("earner.stamps", []) == []


def test_a_tactic_that_closes_is_off_or_is_quarantined_multiplies_nothing(platform, store, moments):
    with platform.database.tenant(store.id) as scope:
        scope.run(
            text(
                "UPDATE core.activation SET state = 'closing', slot = NULL"
                " WHERE tenant_id = :tenant AND plugin = 'levels'"
            )
        )
    with asking(platform, store) as ctx:
        assert ctx.multiplier("earner.stamps", moments) == [HALF] * len(moments)
    with platform.database.tenant(store.id) as scope:
        switches.disable(scope, store, platform.registry, "happy", by="test", act=platform.act)
    with asking(platform, store) as ctx:
        assert ctx.multiplier("earner.stamps", moments) == [ONE] * len(moments)


def test_a_quarantined_tactic_multiplies_nothing(platform, store, moments, happy):
    rest = replace(platform, registry=platform.registry.quarantine({"levels": "a test"}))
    with asking(rest, store) as ctx:
        assert ctx.multiplier("earner.stamps", moments) == [happy.factor] * len(moments)


def test_suspended_members_and_strangers_get_no_factor(platform, store, moments, happy):
    asked = []
    happy.answer = lambda _ctx, some: asked.extend(some) or [HALF] * len(some)
    with platform.database.tenant(store.id) as scope:
        scope.run(
            text("UPDATE core.member SET suspended_until = 'infinity' WHERE tenant_id = :tenant AND id = :id"),
            id=moments[0].member,
        )
    stranger = AsOf(2**62, 1, moments[0].occurred_at)
    with asking(platform, store) as ctx:
        found = ctx.multiplier("earner.stamps", [moments[0], stranger])
    assert found == [ONE, ONE]
    assert asked == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda _ctx, moments: [ONE] * (len(moments) - 1), f"gives {len(MEMBERS) - 1} for {len(MEMBERS)} moments"),
        (lambda _ctx, _moments: None, f"gives NoneType for {len(MEMBERS)} moments"),
        (lambda _ctx, moments: iter([ONE] * len(moments)), f"for {len(MEMBERS)} moments"),
        (lambda _ctx, moments: [1.5] * len(moments), "gives 1.5, which is no Fraction of at least 0"),
        (lambda _ctx, moments: [2] * len(moments), "gives 2, which is no Fraction"),
        (lambda _ctx, moments: [-HALF] * len(moments), "which is no Fraction of at least 0"),
        (lambda _ctx, _moments: {}["x"], "KeyError: 'x'"),
    ],
)
def test_a_tactic_that_answers_something_else_is_named(platform, store, moments, happy, answer, reason):
    happy.answer = answer
    with asking(platform, store) as ctx, pytest.raises(PluginError) as caught:
        ctx.multiplier("earner.stamps", moments)
    assert str(caught.value).startswith("happy: the multiplier of 'earner.stamps': ")
    assert reason in str(caught.value)


def test_a_factor_of_zero_is_a_factor(platform, store, moments, happy):
    happy.factor = Fraction(0)
    with asking(platform, store) as ctx:
        assert ctx.multiplier("earner.stamps", moments) == [Fraction(0)] * len(moments)
