"""Price rules: asked by stages, in any order the same, spread to the last fen, contained when they fail."""

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import create_model
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from threepeat.events.context import Cause
from threepeat.events.pricing import OverpricedError, spread
from threepeat.plugins import Registry
from threepeat.sdk import (
    Applied,
    Basket,
    BasketLine,
    Declined,
    Gift,
    Hold,
    Manifest,
    Plugin,
    PluginError,
    PluginSettings,
    Quote,
    Reduction,
    Refused,
    Returned,
    Stage,
    _,
    hookimpl,
    price_rule,
)
from threepeat.tenancy import members, switches

STAGES = list(Stage)
BASKET = Basket(
    lines=(
        BasketLine(id="tea", sku="t1", quantity=2, unit_price=3_000, category="tea"),
        BasketLine(id="cup", sku="c1", quantity=1, unit_price=4_500, category="cups"),
        BasketLine(id="tin", sku="t2", quantity=3, unit_price=999, category="tea"),
    ),
    shipping=800,
)


class Ruler(Plugin[PluginSettings]):
    """Says whatever a test lets it say, in one rule for each stage, and writes down what it is told."""

    settings_model = PluginSettings

    def __init__(self, name, kind="tactic"):
        self.manifest = Manifest(id=name, kind=kind, title=name.title(), summary="Rules.", holdout="member")
        self.says = {}
        self.told = []
        self.refuses = set()

    @hookimpl
    def price_rules(self):
        for stage in STAGES:
            yield price_rule(
                stage.name.lower(),
                stage=stage,
                quote=lambda ctx, asked, stage=stage: self.says.get(stage, lambda *_: ())(ctx, asked),
                reserve=lambda ctx, hold: self.hear(ctx, "reserve", hold),
                confirm=lambda ctx, hold: self.hear(ctx, "confirm", hold),
                release=lambda ctx, hold: self.hear(ctx, "release", hold),
                returned=lambda ctx, back: self.hear(ctx, "returned", back),
            )

    def hear(self, ctx, what, given):
        hold = given.hold if isinstance(given, Returned) else given
        ctx._opened.scope.connection.exec_driver_sql("SELECT set_config('toy.told', 'yes', true)")
        if (what, hold.key) in self.refuses:
            raise Refused("gone", code="gone")
        self.told.append((what, hold.rule, hold.key))


class Keeper(Plugin[PluginSettings]):
    """Takes 2 off while it is on, and 1 while it closes and owes something."""

    manifest = Manifest(id="keeper", kind="tactic", title="Keeper", summary="Keeps its word.", holdout="none")
    settings_model = PluginSettings
    owes = True

    @hookimpl
    def price_rules(self):
        yield price_rule("kept", stage=Stage.ACTIVITY, quote=self.quote, always=True, **dict.fromkeys(HOLDS, held))

    def quote(self, ctx, asked):
        del asked
        yield Reduction("Kept", amount=1 if ctx.closing else 2)

    @hookimpl
    def open_obligations(self, ctx):
        del ctx
        return ["something"] if self.owes else []


HOLDS = ("reserve", "confirm", "release")


def held(ctx, hold):
    del ctx, hold


KEEPER = Keeper()
A, B, SERVICE = Ruler("aa"), Ruler("bb"), Ruler("helper", kind="service")
RULERS = (A, B, SERVICE)


@pytest.fixture(scope="module")
def registry():
    return Registry.load([(one.manifest.id, one) for one in (*RULERS, KEEPER)])


@pytest.fixture
def store(platform, tenant):
    for one in RULERS:
        one.says, one.told, one.refuses = {}, [], set()
    with platform.database.tenant(tenant.id) as scope:
        for one in RULERS:
            switches.enable(scope, tenant, platform.registry, one.manifest.id, by="test", act=platform.act)
        scope.run(text("UPDATE core.activation SET holdout_percent = 0 WHERE tenant_id = :tenant"))
    return tenant


@pytest.fixture
def ask(platform, store):
    def quote(basket=BASKET, member="ann", **more):
        with platform.database.tenant(store.id) as scope:
            who = members.resolve(scope, platform.keyring, [member])[member] if member else None
            opened = platform.inside(scope, store)
            context = opened.context(platform.registry["helper"], cause=Cause("quote"))
            return context.pricing.quote(who, basket, **more)

    return quote


@pytest.fixture
def tell(platform, store):
    def call(what, *given):
        with platform.database.tenant(store.id) as scope:
            context = platform.inside(scope, store).context(platform.registry["helper"], cause=Cause("tell"))
            getattr(context.pricing, what)(given)

    return call


def says(*reductions):
    return lambda _ctx, _asked: list(reductions)


def hold(key="k", plugin="aa", rule="voucher", amount=100):
    return Hold(
        reservation="r", plugin=plugin, rule=rule, key=key, member=1, amount=amount, shares={}, shipping=0, data={}
    )


def amounts(quote):
    return {(one.plugin, one.rule, one.key): one.amount for one in quote.applied}


def test_each_stage_sees_what_the_one_before_left(ask):
    seen = {}

    def half(_ctx, asked):
        seen[len(seen)] = dict(asked.standing)
        yield Reduction("Half", sum(asked.standing.values()) // 2)

    A.says = {Stage.MEMBER: half, Stage.VOUCHER: half}
    quote = ask()
    assert seen[0] == {"tea": 6_000, "cup": 4_500, "tin": 2_997}
    assert sum(seen[1].values()) == 13_497 - 6_748
    assert quote.goods == 13_497 - 6_748 - 3_374
    assert quote.total == quote.goods + 800
    assert sum(quote.lines.values()) == quote.goods


def test_a_reduction_touches_its_own_lines_and_never_takes_more_than_there_is(ask):
    A.says = {Stage.VOUCHER: says(Reduction("Tea", 10_000, lines={"tea", "tin"}, shipping=5_000))}
    quote = ask()
    assert quote.lines == {"tea": 0, "cup": 4_500, "tin": 0}
    assert (quote.applied[0].amount, quote.applied[0].shipping, quote.total) == (8_997, 800, 4_500)


def test_of_a_group_the_largest_counts_and_the_others_are_told_why(ask):
    A.says = {Stage.VOUCHER: says(Reduction("Small", 100, key="s", group="voucher"))}
    B.says = {Stage.VOUCHER: says(Reduction("Large", 900, key="l", group="voucher"))}
    quote = ask()
    assert amounts(quote) == {("bb", "voucher", "l"): 900}
    assert [(one.key, one.why) for one in quote.left_out] == [("s", "group")]


def test_what_does_not_stack_with_what_counts_already_is_left_out(ask):
    A.says = {Stage.ACTIVITY: says(Reduction("Group price", 500, group="activity", stacks_with={"member"}))}
    B.says = {
        Stage.MEMBER: says(Reduction("Tier", 300, group="member")),
        Stage.VOUCHER: says(Reduction("Voucher", 900, group="voucher"), Reduction("Free", 10, key="f")),
    }
    quote = ask()
    assert amounts(quote) == {("aa", "activity", ""): 500, ("bb", "member", ""): 300}
    assert [(one.key, one.why) for one in quote.left_out] == [("", "stacking"), ("f", "stacking")]


def test_what_only_holds_counts_beside_everything_and_takes_nothing_off(ask):
    A.says[Stage.ACTIVITY] = says(Reduction("Box", key="box", reserves=True, data={"series": "s1"}))
    A.says[Stage.MEMBER] = says(Reduction("Nothing", key="idle"))
    B.says[Stage.PROMOTION] = says(Reduction("Alone", amount=500, group="voucher", stacks_with=()))
    quote = ask()
    assert amounts(quote) == {("aa", "activity", "box"): 0, ("bb", "promotion", ""): 500}
    held = quote.applied[0]
    assert held.held
    assert held.data == {"series": "s1"}
    assert [one.why for one in quote.left_out] == ["nothing-left"], "what neither holds nor takes does not count"


def test_what_holds_and_asks_for_something_off_stacks_as_others_do_and_holds_when_nothing_is_left(ask):
    A.says[Stage.ACTIVITY] = says(Reduction("All", amount=10**6))
    A.says[Stage.MEMBER] = says(Reduction("Seat", key="seat", amount=100, reserves=True))
    B.says[Stage.PROMOTION] = says(Reduction("Alone", amount=500, group="voucher", stacks_with=(), reserves=True))
    quote = ask()
    assert amounts(quote)["aa", "member", "seat"] == 0
    assert [(one.plugin, one.why) for one in quote.left_out] == [("bb", "stacking")]


def test_all_together_never_take_more_than_the_store_allows(ask):
    A.says = {Stage.MEMBER: says(Reduction("A", 5_000)), Stage.POINTS: says(Reduction("P", 9_000))}
    B.says = {Stage.POINTS: says(Reduction("Q", 1))}
    quote = ask(most_percent=50)
    assert amounts(quote) == {("aa", "member", ""): 5_000, ("aa", "points", ""): 1_748}
    assert [(one.plugin, one.why) for one in quote.left_out] == [("bb", "nothing-left")]


def test_what_was_chosen_reaches_its_plugin_only_and_may_be_declined_with_a_reason(ask):
    seen = {}

    def look(name):
        def rule(_ctx, asked):
            seen[name] = asked.choice
            yield Declined("Voucher", _("Spend {more} more", more="¥20"), key="v")
            yield Reduction("Gift", key="g", gifts=[Gift(sku="mug")])

        return rule

    A.says, B.says = {Stage.VOUCHER: look("aa")}, {Stage.VOUCHER: look("bb")}
    quote = ask(replace_choices({"aa": ["V1"], "c": 5}))
    assert seen == {"aa": ["V1"], "bb": None}
    assert [(one.plugin, one.why, one.reason["en"]) for one in quote.left_out] == [
        ("aa", "declined", "Spend ¥20 more"),
        ("bb", "declined", "Spend ¥20 more"),
    ]
    assert [gift.sku for one in quote.applied for gift in one.gifts] == ["mug", "mug"]


def replace_choices(choices):
    return Basket(lines=BASKET.lines, shipping=BASKET.shipping, choices=choices)


def test_a_tactic_has_a_say_for_whoever_takes_part_and_a_service_for_everybody(ask, platform, store):
    for one in RULERS:
        one.says = {Stage.MEMBER: says(Reduction("x", 100))}
    assert {plugin for plugin, _, _ in amounts(ask())} == {"aa", "bb", "helper"}
    assert {plugin for plugin, _, _ in amounts(ask(member=None))} == {"helper"}
    with platform.database.tenant(store.id) as scope:
        scope.run(
            text("UPDATE core.activation SET holdout_percent = 50 WHERE tenant_id = :tenant AND plugin = 'aa'")
        )
    seen = [frozenset(plugin for plugin, _, _ in amounts(ask(member=f"m{number}"))) for number in range(20)]
    assert set(seen) == {frozenset({"aa", "bb", "helper"}), frozenset({"bb", "helper"})}
    with platform.database.tenant(store.id) as scope:
        switches.disable(scope, store, platform.registry, "bb", by="test", act=platform.act)
    assert "bb" not in {plugin for plugin, _, _ in amounts(ask())}


def fails(_ctx, _asked):
    raise RuntimeError("the name of a member")


def writes(ctx, _asked):
    ctx._opened.scope.connection.exec_driver_sql("UPDATE core.member SET exempt = true")
    yield Reduction("x", 1)


def swallows(ctx, _asked):
    with suppress(DBAPIError):
        ctx._opened.scope.connection.exec_driver_sql("SELECT 1 / 0")
    yield Reduction("x", 1)


BAD = {
    "fails": fails,
    "writes": writes,
    "swallows": swallows,
    "negative": says(Reduction("x", -1)),
    "not an amount": says(Reduction("x", 1.5)),
    "another line": says(Reduction("x", 1, lines={"nothing"})),
    "one key twice": says(Reduction("x", 1), Reduction("y", 1)),
    "too many": says(*(Reduction("x", 1, key=str(number)) for number in range(21))),
    "no reduction": says("x"),
    "data": says(Reduction("x", 1, data={"x": object()})),
    "too much data": says(Reduction("x", 1, data={"x": "x" * 5000})),
}


@pytest.mark.parametrize("rule", BAD.values(), ids=BAD.keys())
def test_a_rule_that_fails_is_left_out_and_the_quote_goes_on(ask, rule):
    A.says = {Stage.MEMBER: says(Reduction("Tier", 300)), Stage.VOUCHER: rule}
    B.says = {Stage.VOUCHER: says(Reduction("Voucher", 500))}
    with capture_logs() as logs:
        quote = ask()
    assert amounts(quote) == {("aa", "member", ""): 300, ("bb", "voucher", ""): 500}
    assert [(one.plugin, one.rule, one.why) for one in quote.left_out] == [("aa", "voucher", "failed")]
    assert "the name of a member" not in str(logs)
    assert [one["rule"] for one in logs if one["event"] == "price rule failed"] == ["voucher"]


def test_a_basket_that_cannot_be_counted_is_refused(ask):
    line = BasketLine(id="x", sku="x", quantity=10**9, unit_price=10**7)
    with pytest.raises(OverpricedError):
        ask(Basket(lines=(line,)))
    with pytest.raises(PluginError, match="same id"):
        ask(Basket(lines=BASKET.lines[:1] * 2))


STEP = st.tuples(
    st.sampled_from(STAGES),
    st.integers(0, 9_000),
    st.sampled_from([None, frozenset({"tea"}), frozenset({"tea", "cup"})]),
    st.sampled_from(["", "voucher", "activity"]),
    st.sampled_from([None, frozenset({"voucher"}), frozenset()]),
    st.integers(0, 900),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=9), data=st.data())
def test_any_order_inside_a_stage_comes_to_the_same_and_every_part_adds_up(ask, steps, data):
    numbered = list(enumerate(steps))
    quotes = []
    for order in (numbered, data.draw(st.permutations(numbered))):
        for one in RULERS:
            one.says = {}
        spoken = {}
        for number, (stage, amount, lines, group, stacks, shipping) in order:
            reduction = Reduction(
                f"r{number}", amount, lines, shipping, key=f"{number}", group=group, stacks_with=stacks
            )
            spoken.setdefault((RULERS[number % 3], stage), []).append(reduction)
        for (ruler, stage), found in spoken.items():
            ruler.says[stage] = says(*found)
        quotes.append(ask(most_percent=80))
    one, other = quotes
    assert one == other
    assert 0 <= one.shipping <= 800
    assert one.goods >= BASKET.amount - BASKET.amount * 80 // 100
    assert all(left >= 0 for left in one.lines.values())
    for applied in one.applied:
        assert sum(applied.shares.values()) == applied.amount
    for line in BASKET.lines:
        assert one.paid_for(line, line.quantity) == one.lines[line.id]
        parts = [one.paid_for(line, units + 1) - one.paid_for(line, units) for units in range(line.quantity)]
        assert sum(parts) == one.lines[line.id]
        assert min(parts) >= 0


@given(st.integers(0, 10_000), st.dictionaries(st.text(max_size=3), st.integers(0, 10_000), max_size=8))
def test_what_is_spread_adds_up_and_is_within_one_of_its_share(amount, weights):
    whole = sum(weights.values())
    amount = min(amount, whole)
    parts = spread(amount, weights)
    assert sum(parts.values()) == (amount if whole else 0)
    for name, part in parts.items():
        assert part <= weights[name]
        assert abs(part * whole - amount * weights[name]) < whole or not whole


def test_holds_are_reserved_all_or_nothing_and_told_in_one_order(tell):
    B.refuses = {("reserve", "2")}
    with pytest.raises(Refused, match="gone"):
        tell("reserve", hold("1"), hold("2", plugin="bb"))
    A.told.clear()
    B.refuses = set()
    tell("reserve", hold("2", plugin="bb"), hold("1"))
    tell("confirm", hold("1"))
    tell("release", hold("2", plugin="bb"))
    tell("returned", Returned(hold=hold("1"), reference="x", amount=5, whole=False))
    assert A.told == [("reserve", "voucher", "1"), ("confirm", "voucher", "1"), ("returned", "voucher", "1")]
    assert B.told == [("reserve", "voucher", "2"), ("release", "voucher", "2")]


def test_a_tactic_that_closes_takes_no_new_hold_and_keeps_those_it_has(tell, platform, store):
    with platform.database.tenant(store.id) as scope:
        switches.disable(scope, store, platform.registry, "aa", by="test", act=platform.act)
    with pytest.raises(Refused, match="not on any more"):
        tell("reserve", hold())
    tell("confirm", hold())
    tell("release", hold("other"))
    assert [what for what, *_ in A.told] == ["confirm", "release"]


def test_a_rule_that_keeps_promises_is_asked_until_nothing_is_owed(ask, tell, platform, store):
    def switch(verb):
        with platform.database.tenant(store.id) as scope:
            verb(scope, store, platform.registry, "keeper", by="test", act=platform.act)

    KEEPER.owes = True
    kept = hold(plugin="keeper", rule="kept")
    switch(switches.enable)
    assert [one.amount for one in ask().applied] == [2]
    switch(switches.disable)
    assert [one.amount for one in ask().applied] == [1]
    tell("reserve", kept)
    KEEPER.owes = False
    switch(switches.disable)
    assert ask().applied == ()
    with pytest.raises(Refused, match="not on any more"):
        tell("reserve", kept)
    tell("confirm", kept)


def test_a_hold_of_a_plugin_that_is_away_waits_until_it_is_back(tell):
    for gone in (hold(plugin="gone"), hold(rule="gone")):
        with pytest.raises(PluginError, match="is not there"):
            tell("confirm", gone)


def test_what_comes_back_of_two_orders_is_told_to_each(tell):
    """Two reservations may hold under the same key."""
    heard = []
    A.hear = lambda _ctx, _what, given: heard.append((given.hold.reservation, given.amount))
    try:
        holds = [replace(hold(), reservation=name) for name in ("r2", "r1")]
        backs = [
            Returned(hold=one, reference=one.reservation, amount=n, whole=False) for n, one in enumerate(holds)
        ]
        tell("returned", *backs)
    finally:
        del A.hear
    assert heard == [("r1", 1), ("r2", 0)]


def test_a_rule_is_declared_whole_or_not_at_all():
    nothing = lambda *_: ()  # noqa: E731
    for name, more in (("A", {}), ("a b", {}), ("a" * 65, {}), ("ok", {"reserve": nothing})):
        with pytest.raises(PluginError):
            price_rule(name, stage=Stage.MEMBER, quote=nothing, **more)
    assert price_rule("ok", stage=Stage.MEMBER, quote=nothing).reserve is None
    needy = create_model("Needy", word=(str, ...))
    with pytest.raises(PluginError, match="every field of its choice needs a default"):
        price_rule("ok", stage=Stage.MEMBER, quote=nothing, choice=needy)


def test_what_comes_back_unit_by_unit_is_what_was_paid():
    shares = {"tin": 1_000, "tea": 3}
    applied = Applied(plugin="aa", rule="r", key="", title={}, amount=1_003, shares=shares, shipping=0)
    quote = Quote(basket=BASKET, applied=(applied,))
    tin = BASKET.lines[2]
    assert [quote.paid_for(tin, units) for units in range(4)] == [0, 999 - 333, 1998 - 666, 2997 - 1000]
    assert quote.paid_for(tin, 3) == quote.lines["tin"]
    deep = [replace(applied, shares={"tin": share}) for share in (2_000, 996)]
    units = [Quote(basket=BASKET, applied=tuple(deep)).paid_for(tin, units) for units in range(4)]
    assert units == [0, 1, 1, 1], "no unit is worth less than nothing, however many reductions are rounded"
    other = replace_choices({})
    assert Quote(basket=other).total == other.amount + 800
