"""What plugins report: asked apart from each other, without a way to write, and checked before it is shown."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from threepeat.events import metrics
from threepeat.events.answers import MAX_ROWS, MAX_TEXT, checked
from threepeat.plugins import Registry
from threepeat.sdk import (
    Funnel,
    Manifest,
    Period,
    Plugin,
    PluginError,
    PluginSettings,
    Series,
    Stat,
    Store,
    Table,
    _,
    hookimpl,
    metric,
)
from threepeat.tenancy import switches
from threepeat.tenancy.errors import Invalid, NotFound

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
WEEK = metrics.period(Store(1, "a", "A", "CNY", 100, ZoneInfo("Asia/Shanghai")), NOW, 7)


def run(ctx, statement):
    """Past every guard, as code of ill will would."""
    return ctx._opened.scope.connection.exec_driver_sql(statement)


def raises(_ctx, _period):
    raise RuntimeError("no")


def swallows(ctx, _period):
    with suppress(DBAPIError):
        run(ctx, "SELECT 1 / 0")
    return Stat(1)


def writes(ctx, _period):
    run(ctx, "UPDATE core.tenant SET name = 'written'")
    return Stat(1)


def unlocks(ctx, _period):
    run(ctx, "SELECT set_config('transaction_read_only', 'off', false)")
    return writes(ctx, _period)


def commits(ctx, _period):
    ctx._opened.scope.connection.commit()
    return Stat(1)


def sleeps(ctx, _period):
    run(ctx, "SELECT pg_sleep(60)")
    return Stat(1)


def strays(ctx, _period):
    run(ctx, "SELECT set_config('threepeat.tenant', '0', false), set_config('statement_timeout', '1', false)")
    return Stat(1)


def emits(ctx, _period):
    ctx.later("none", "x", ctx.now)
    return Stat(1)


def too_long(_ctx, _period):
    return Series({"a": [1, 2, 3]})


BAD = {one.__name__: one for one in (raises, swallows, writes, unlocks, commits, sleeps, emits, too_long)}


class Reporter(Plugin[PluginSettings]):
    """A good metric before, between and after bad ones."""

    settings_model = PluginSettings

    def __init__(self, name="reporter", bad=BAD):
        self.manifest = Manifest(id=name, kind="tactic", title="Reporter", summary="Reports.")
        self.bad = bad

    @hookimpl
    def metrics(self):
        yield metric("first", self.stat, question=_("How much?"))
        for name, answer in self.bad.items():
            yield metric(name, answer, question="What?")
            yield metric(f"after_{name}", self.stat, question="How much?")

    def stat(self, ctx, period):
        inside = run(ctx, "SELECT current_setting('threepeat.tenant')::bigint").scalar()
        assert inside == ctx.tenant.id
        return Stat(len(period.days), "days", None)


class Silent(Reporter):
    @hookimpl
    def metrics(self):
        return ()


@pytest.fixture(scope="module")
def registry():
    made = {"reporter": Reporter(), "strayer": Reporter("strayer", {"strays": strays}), "silent": Silent("silent")}
    return Registry.load(made.items())


@pytest.fixture
def store(platform, tenant):
    with platform.database.tenant(tenant.id) as scope:
        for name in ("reporter", "strayer", "silent"):
            switches.enable(scope, tenant, platform.registry, name, by="test", act=platform.act)
    return tenant


def test_a_metric_that_fails_is_said_to_and_the_others_go_on(platform, store, monkeypatch):
    monkeypatch.setattr(metrics, "BUDGET_MS", 50)
    with capture_logs() as logs, platform.database.tenant(store.id) as scope:
        opened = platform.inside(scope, store)
        found = metrics.report(opened, platform.registry["reporter"], WEEK)
        kept = scope.run(text("SELECT name FROM core.tenant WHERE id = :tenant"))[0].name
    assert kept == store.store.name
    failed = {one.metric.name for one in found if one.answer is None}
    assert failed == set(BAD)
    assert {one.error for one in found if one.answer is None} == {"could not be computed"}
    good = [one for one in found if one.answer is not None]
    assert len(good) == len(BAD) + 1
    assert {(one.answer, one.error) for one in good} == {(Stat(7, "days"), None)}
    reasons = {one["metric"]: one["reason"] for one in logs if one["event"] == "metric failed"}
    assert set(reasons) == set(BAD)
    assert [reasons[name].split()[1] for name in ("writes", "unlocks", "sleeps")] == ["25006", "25001", "57014"]
    assert "commit() is refused" in reasons["commits"]


def test_nothing_of_a_metric_is_left_in_the_transaction(platform, store):
    settings = text(
        "SELECT current_setting('transaction_read_only') AS only, current_setting('statement_timeout') AS most,"
        " current_setting('threepeat.tenant') AS inside, :tenant AS tenant"
    )
    with platform.database.tenant(store.id) as scope:
        before = scope.run(settings)
        opened = platform.inside(scope, store)
        found = metrics.report(opened, platform.registry["strayer"], WEEK)
        assert [one.answer for one in found] == [Stat(7, "days"), None, Stat(7, "days")]
        assert scope.run(settings) == before
        assert before[0].only == "off"
        scope.require_tenant()


def test_a_shorter_limit_of_the_transaction_stays(platform, store):
    with platform.database.tenant(store.id) as scope:
        scope.run(text("SELECT set_config('statement_timeout', '7ms', true), :tenant"))
        scope.confine(50)
        assert scope.run(text("SELECT current_setting('statement_timeout') AS most, :tenant"))[0].most == "7ms"


def test_only_what_is_on_or_closing_reports(platform, store):
    def names(scope):
        return [plugin.id for plugin in metrics.reporting(platform.inside(scope, store))]

    with platform.database.tenant(store.id) as scope:
        assert names(scope) == ["reporter", "strayer"]
        scope.run(text("UPDATE core.activation SET state = 'closing', slot = NULL WHERE tenant_id = :tenant"))
        assert names(scope) == ["reporter", "strayer"]
        assert metrics.one_reporting(platform.inside(scope, store), "strayer").id == "strayer"
        for name in ("silent", "nowhere", "\0"):
            with pytest.raises(NotFound, match="reports nothing"):
                metrics.one_reporting(platform.inside(scope, store), name)
        scope.run(text("UPDATE core.activation SET state = 'off', slot = NULL WHERE tenant_id = :tenant"))
        assert names(scope) == []


# ---- answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        Stat(None),
        Stat(-5, "money", 2**63 - 1),
        Stat(60, "days", 40, "Too long."),
        Series({"a": [1, None, 0, 4, 5, 6, 7], "b": range(7)}, "percent", "bar"),
        Funnel([("came", 9), ("stayed", 9), ("paid", 0)]),
        Table([("who", ""), ("how much", "money")], [["ann", 5], ["bob", None], ["all", "none"]]),
        Table([("who", "")], []),
    ],
)
def test_an_answer_that_fits_comes_through_as_it_is(answer):
    found = checked(answer, WEEK)
    assert type(found) is type(answer)
    assert checked(found, WEEK) == found
    match found:
        case Series():
            assert {name: list(line) for name, line in found.lines.items()} == {
                name: list(line) for name, line in answer.lines.items()
            }
        case Stat():
            assert found == answer


class Odd(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, "answers with"),
        ({"value": 1}, "answers with"),
        (Stat(1.5), "whole number"),
        (Stat(float("nan")), "whole number"),
        (Stat(True), "whole number"),
        (Stat("1"), "whole number"),
        (Stat(2**63), "whole number"),
        (Stat(1, "euro"), "one of"),
        (Stat(1, "", 0.5), "whole number"),
        (Stat(1, warning="a\0"), "no text"),
        (Stat(1, warning=5), "1 to 200 characters"),
        (Series({}), "1 to 20 lines"),
        (Series({str(n): [0] * 7 for n in range(21)}), "1 to 20 lines"),
        (Series({"a": [0] * 6}), "6 figures for 7 days"),
        (Series({"a": [0] * 8}), "8 figures for 7 days"),
        (Series({"a": [0] * 7}, kind="pie"), "line or a bar"),
        (Series({"": [0] * 7}), "1 to 200 characters"),
        (Series({"x" * (MAX_TEXT + 1): [0] * 7}), "1 to 200 characters"),
        (Series({"\ud800": [0] * 7}), "no text"),
        (Series({"a\0": [0] * 7}), "no text"),
        (Series({"a": ["0"] * 7}), "whole number"),
        (Funnel([]), "1 to 20 steps"),
        (Funnel([("a", 1), ("b", 2)]), "more than the one before"),
        (Funnel([("a", -1)]), "number from 0"),
        (Funnel([("a", None)]), "number from 0"),
        (Table([], []), "1 to 20 columns"),
        (Table([("a", "")], [["x"]] * (MAX_ROWS + 1)), "at most 1000 rows"),
        (Table([("a", ""), ("b", "")], [["x"]]), "1 cells for 2 columns"),
        (Table([("a", "")], [[5]]), "1 to 200 characters"),
        (Table([("a", ""), ("b", "")], [["x", b"y"]]), "whole number"),
        (Table([("a", "stone")], []), "one of"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(answer, says):
    with pytest.raises(PluginError, match=says):
        checked(answer, WEEK)


# ---- periods ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "now", "begin", "end"),
    [
        ("Asia/Shanghai", "2026-03-10T15:59:59Z", "2026-03-07T16:00Z", "2026-03-10T16:00Z"),
        ("Asia/Shanghai", "2026-03-10T16:00:00Z", "2026-03-08T16:00Z", "2026-03-11T16:00Z"),
        ("America/New_York", "2026-03-09T12:00:00Z", "2026-03-07T05:00Z", "2026-03-10T04:00Z"),
        ("America/New_York", "2026-11-02T12:00:00Z", "2026-10-31T04:00Z", "2026-11-03T05:00Z"),
        ("Africa/Cairo", "2026-04-24T12:00:00Z", "2026-04-21T22:00Z", "2026-04-24T21:00Z"),
        ("Africa/Cairo", "2026-04-26T12:00:00Z", "2026-04-23T22:00Z", "2026-04-26T21:00Z"),
        ("America/Havana", "2026-11-01T12:00:00Z", "2026-10-30T04:00Z", "2026-11-02T05:00Z"),
        ("Pacific/Apia", "2011-12-31T20:00:00Z", "2011-12-30T10:00Z", "2012-01-01T10:00Z"),
    ],
)
def test_days_are_the_stores_own_and_the_clocks_may_change(platform, zone, now, begin, end):
    store = Store(1, "a", "A", "CNY", 100, ZoneInfo(zone))
    found = metrics.period(store, datetime.fromisoformat(now), 3)
    assert len(found.days) == 3
    assert found.days[-1] == datetime.fromisoformat(now).astimezone(ZoneInfo(zone)).date()
    assert (found.begin, found.end) == (datetime.fromisoformat(begin), datetime.fromisoformat(end))
    asked = text("SELECT CAST(timezone(:zone, CAST(:at AS timestamptz)) AS date)")
    with platform.database.directory() as connection:
        edges = [
            connection.execute(asked, {"zone": zone, "at": at}).scalar()
            for at in (found.begin, found.end - timedelta(microseconds=1), found.end)
        ]
    assert edges[1:] == [found.days[-1], found.days[-1] + timedelta(days=1)]
    assert edges[0] >= found.days[0]


@pytest.mark.parametrize("days", [0, -1, 367, 2**63])
def test_a_period_of_no_days_or_too_many_is_refused(days):
    with pytest.raises(Invalid, match="days: choose 1 to 366"):
        metrics.period(Store(1, "a", "A", "CNY", 100, ZoneInfo("UTC")), NOW, days)


def test_days_without_a_figure_are_filled():
    days = [date(2026, 1, day) for day in (1, 2, 3)]
    assert Period(days, NOW, NOW).fill({days[1]: 5, date(2020, 1, 1): 9}) == [0, 5, 0]
