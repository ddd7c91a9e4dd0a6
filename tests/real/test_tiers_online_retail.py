"""Tiers of 541,909 real order lines: the plugin's, and those that plain Python computes from the file alone."""

import csv
import lzma
import os
import subprocess
import sys
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

ONLINE_RETAIL = Path(
    os.environ.get("THREEPEAT_DATA_DIR", Path(__file__).resolve().parents[3] / "shared" / "data"),
    "online_retail.csv.xz",
)
MAPPING = (
    "order_id=InvoiceNo occurred_at=InvoiceDate member=CustomerID sku=StockCode name=Description "
    "quantity=Quantity unit_price=UnitPrice"
)
DAY = timedelta(days=1)
REACHED = {1: 0, 2: 1_000, 3: 5_000}
KEPT = {1: 0, 2: 800, 3: 4_000}
GRACE = 30
MONTHS = [date(2010 + (11 + number) // 12, (11 + number) % 12 + 1, 1) - DAY for number in range(1, 20)]
"""The last days of the months from December 2010 to June 2012."""


def threepeat(environment, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "threepeat.cli", "--log-level", "warning", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}: {done.stdout}"
    return done.stdout


def documents():
    """(country, customer) → documents in the order of time: (instant, invoice, pence; below zero came back)."""
    totals, times = defaultdict(Decimal), {}
    with lzma.open(ONLINE_RETAIL, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["CustomerID"] and not row["InvoiceNo"].startswith("A"):
                key = row["Country"], row["CustomerID"].removesuffix(".0"), row["InvoiceNo"]
                totals[key] += int(row["Quantity"]) * Decimal(row["UnitPrice"])
                moment = datetime.fromisoformat(row["InvoiceDate"])
                times[key] = min(times.get(key, moment), moment)
    found = defaultdict(list)
    for (country, customer, invoice), total in totals.items():
        found[country, customer].append((times[country, customer, invoice], invoice, int(total * 100)))
    return {who: sorted(mine) for who, mine in found.items()}


def reached(growth):
    return max(level for level, least in REACHED.items() if max(growth, 0) >= least)


def tiers(mine):
    """A member's tier on the last day of each month: one growth for a pound, 365 days, reviews with days of grace.

    All orders and returns are known when the first review is made, as they are after an import.
    """
    growth, changes, level, review = defaultdict(int), [], 0, None
    for moment, _invoice, pence in mine:
        day = moment.date()
        growth[day] += int(Decimal(pence) / 100)  # cut towards zero, orders and returns alike
        if pence >= 0 and not _invoice.startswith("C"):
            now = reached(sum(value for one, value in growth.items() if day - 364 * DAY <= one <= day))
            following = (day.replace(day=1) + 31 * DAY).replace(day=1)
            review = review or following
            if now > level:
                level, review = now, max(review, following)
                changes.append((day, level))
    since = None
    while review is not None and review <= MONTHS[-1]:
        first = since or review - 365 * DAY
        value = max(sum(one for day, one in growth.items() if first <= day < review), 0)
        if reached(value) < level and value < KEPT[level]:
            if since is None:
                since, review = first, review + GRACE * DAY
                continue
            level = max(level - 1, reached(value))
        else:
            level = max(level, reached(value))
        changes.append((review, level))
        since, review = None, (review.replace(day=1) + 31 * DAY).replace(day=1)
    return [max((day, number, to) for number, (day, to) in enumerate(changes) if day <= end)[2]
            if changes and changes[0][0] <= end else 0 for end in MONTHS]  # fmt: skip


STORED = """
    SELECT t.name, i.value, (
        SELECT c.to_level FROM tiers.change c
        WHERE c.tenant_id = i.tenant_id AND c.member_id = i.member_id
          AND (c.changed_at AT TIME ZONE 'Europe/London')::date <= m.day
        ORDER BY c.changed_at DESC, c.id DESC LIMIT 1)
    FROM core.identity i JOIN core.tenant t ON t.id = i.tenant_id
    CROSS JOIN unnest(%s::date[]) AS m (day) ORDER BY t.name, i.value, m.day
"""


@pytest.mark.long
def test_every_members_tier_on_the_last_day_of_every_month(cluster, tmp_path):
    if not ONLINE_RETAIL.exists():
        pytest.skip(f"the real orders are not here: {ONLINE_RETAIL.name} is missing")
    with cluster.database() as name:
        environment = cluster.environment(name, tmp_path)
        threepeat(
            environment,
            *("import", "orders", str(ONLINE_RETAIL), "--tenant-by", "Country", "--map", MAPPING),
            *("--currency", "GBP", "--timezone", "Europe/London", "--refund-prefix", "C", "--reject-prefix", "A"),
            *(
                "--enable",
                "tiers",
                "--holdout",
                "0",
                "--clock",
                "data",
                "--rejects",
                str(tmp_path / "rejects.csv"),
            ),
        )
        threepeat(environment, "worker", "--drain")
        with psycopg.connect(cluster.url("ops", name), autocommit=True) as ops:
            ops.execute("UPDATE core.tenant SET clock_offset = timestamptz '2012-07-01 12:00+00' - now()")
            ops.execute("UPDATE core.turn SET due_at = '-infinity'")
        threepeat(environment, "worker", "--drain")
        assert "0 violated" in threepeat(environment, "verify")
        with psycopg.connect(cluster.url("ops", name), autocommit=True) as ops:
            rows = ops.execute(STORED, (MONTHS,)).fetchall()
            found = defaultdict(list)
            for country, customer, level in rows:
                found[country, customer].append(level or 0)
            expected = {who: tiers(mine) for who, mine in documents().items()}
            assert len(expected) > 4_300
            assert {level for mine in expected.values() for level in mine} == {0, 1, 2, 3}
            assert any(before > after for mine in expected.values() for before, after in pairwise(mine))
            wrong = {who: (mine, found.get(who)) for who, mine in expected.items() if mine != found.get(who)}
            assert wrong == {}
            ops.execute("UPDATE tiers.change SET to_level = 3 WHERE id = (SELECT min(id) FROM tiers.change)")
            assert [level or 0 for *_, level in ops.execute(STORED, (MONTHS,)).fetchall()] != [
                level or 0 for *_, level in rows
            ]
