"""Usage by store and month: exact at its edges, in few queries, and harmless in a spreadsheet."""

import csv
import io
from datetime import date, timedelta

import pytest
from sqlalchemy import text

from threepeat.events.stores import open_store
from threepeat.tenancy import tenants
from threepeat.tenancy.errors import Invalid
from threepeat_tenants.operating.usage import COLUMNS, read_month, usage, write_csv

NOVEMBER = date(2026, 11, 1)

EVENTS = text("""
    WITH head AS (UPDATE core.stream SET head = :n WHERE tenant_id = :tenant)
    INSERT INTO core.event (tenant_id, position, source, id, type, occurred_at, received_at, data)
    SELECT :tenant, n, 'test', n::text, 'page.viewed', now(), CAST(:first AS timestamptz) + (n - 1) * :step, '{}'
    FROM generate_series(1, :n) AS n
""")
MEMBERS = text("""
    INSERT INTO core.member (tenant_id, id, holdout_unit, created_at, merged_into)
    SELECT :tenant, nextval('core.member_id'), 1, CAST(instant AS timestamptz), gone
    FROM unnest(CAST(:instants AS text[]), CAST(:gone AS bigint[])) AS given (instant, gone)
""")
SPENT = text("INSERT INTO core.budget VALUES (:tenant, :plugin, :month, :stripe, :spent)")


def one(ops, month, slug):
    return usage(ops, month, store=slug)[0]


def fill(ops, tenant, first, step, n):
    ops.execute(EVENTS, {"tenant": tenant.id, "first": first, "step": step, "n": n})


def test_every_event_counts_in_the_stores_own_month_and_in_one_only(platform, ops):
    shanghai = open_store(platform, "shanghai", by="test")
    paris = open_store(platform, "paris", timezone="Europe/Paris", by="test")
    # 48 hours around the end of October in Shanghai: 24 events before it, 24 from it on.
    for tenant in (shanghai, paris):
        fill(ops, tenant, "2026-10-30T16:00:00Z", timedelta(hours=1), 48)
    assert one(ops, date(2026, 10, 1), "shanghai").events == 24
    assert one(ops, NOVEMBER, "shanghai").events == 24
    assert one(ops, date(2026, 10, 1), "paris").events == 31
    assert one(ops, NOVEMBER, "paris").events == 17
    for month in (date(2026, 9, 30), date(2026, 12, 1)):
        assert [found.events for found in usage(ops, month)] == [0, 0]


def test_the_search_finds_the_edge_wherever_it_is(ops):
    for n in (0, 1, 2, 3, 4, 7, 8, 9, 100):
        fill(ops, tenants.create(ops, f"n{n}", by="test"), "2026-10-31T15:59:57Z", timedelta(seconds=1), n)
    october = {row.store: row.events for row in usage(ops, date(2026, 10, 1))}
    november = {row.store: row.events for row in usage(ops, NOVEMBER)}
    for n in (0, 1, 2, 3, 4, 7, 8, 9, 100):
        assert (october[f"n{n}"], november[f"n{n}"]) == (min(n, 3), max(0, n - 3))


def test_a_gap_in_the_positions_does_not_lose_the_store(ops, tenant):
    fill(ops, tenant, "2026-11-02T00:00:00Z", timedelta(seconds=1), 64)
    ops.execute(text("DELETE FROM core.event WHERE position BETWEEN 20 AND 40 OR position > 60"))
    assert one(ops, NOVEMBER, "first").events >= 60


def test_members_tactics_and_costs_are_the_stores_own(ops, make_tenant):
    tea, toys = make_tenant("tea", enable=("points",)), make_tenant("toys")
    at = [
        "2026-10-31T15:59:59Z",
        "2026-10-31T16:00:00Z",
        "2026-11-30T15:59:59Z",
        "2026-11-30T16:00:00Z",
        "2026-11-05Z",
    ]
    ops.execute(MEMBERS, {"tenant": tea.id, "instants": at, "gone": [None, None, None, None, 1]})
    ops.execute(MEMBERS, {"tenant": toys.id, "instants": at[:1], "gone": [None]})
    for tenant, plugin, month, stripe, spent in (
        (tea, "points", NOVEMBER, 0, 700),
        (tea, "points", NOVEMBER, 3, 50),
        (tea, "gifts", NOVEMBER, 0, 8),
        (tea, "points", date(2026, 10, 1), 0, 9000),
        (toys, "gifts", NOVEMBER, 0, 1),
    ):
        given = {"tenant": tenant.id, "plugin": plugin, "month": month, "stripe": stripe, "spent": spent}
        ops.execute(SPENT, given)
    found = {row.store: row for row in usage(ops, NOVEMBER)}
    assert (found["tea"].members, found["tea"].joined) == (3, 2)
    assert (found["toys"].members, found["toys"].joined) == (1, 0)
    assert (found["tea"].tactics, found["toys"].tactics) == (("points",), ())
    assert (found["tea"].costs, found["tea"].cost) == ({"gifts": 8, "points": 750}, 758)
    assert found["toys"].costs == {"gifts": 1}


def test_a_page_of_200_stores_is_five_queries_and_pages_join_up(platform, many, counted):
    many(200)
    with platform.database.ops.begin() as ops, counted() as statements:
        page = usage(ops, NOVEMBER, limit=200)
    assert (len(page), len(statements)) == (200, 5)
    with platform.database.ops.begin() as ops:
        first = usage(ops, NOVEMBER, limit=150)
        rest = usage(ops, NOVEMBER, after=first[-1].store, limit=150)
    assert [row.store for row in (*first, *rest)] == [row.store for row in page]


def test_the_csv_holds_every_store_and_no_formula(platform, many):
    many(501)
    open_store(platform, "evil", name='=HYPERLINK("http://x.example","y")', by="test")
    lines = list(
        csv.reader(io.StringIO("".join(write_csv(platform.database.ops, NOVEMBER)).removeprefix("\ufeff")))
    )
    assert tuple(lines[0]) == COLUMNS
    assert len(lines) == 503
    evil = next(line for line in lines if line[0] == "evil")
    assert evil[1].startswith("'=HYPERLINK")
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝")) for line in lines for cell in line)


@pytest.mark.parametrize(
    "month", ["", "2026", "2026-13", "2026-1", "26-11-0", "2026-11-01", "\0", "\ud800", "x" * 9999]
)
def test_a_month_that_is_none_is_refused(month):
    with pytest.raises(Invalid, match="month"):
        read_month(month)


@pytest.mark.parametrize("month", ["0001-01", "9999-12"])
def test_a_month_at_the_end_of_the_calendar_is_refused(still, month):
    with still.database.ops.connect() as ops, pytest.raises(Invalid, match="month"):
        usage(ops, read_month(month))
