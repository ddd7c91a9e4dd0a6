"""Real orders whose points wait 30 days and live 180: every account at every month's end, computed twice."""

import csv
import lzma
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

LONDON = ZoneInfo("Europe/London")
DAY = timedelta(days=1)
WAIT, LIFE = 30, 180
SETTINGS = f'{{"waiting_days": {WAIT}, "expires_after_days": {LIFE}}}'

Accounts = tuple[int, int, int, int]
"""What can be spent, what waits, what is owed, what has expired."""

# Each posting counts from the moment at which it took effect, whenever it was written.
STANDING = """
    SELECT t.name, i.value, sum(e.available)::bigint, sum(e.pending)::bigint, -sum(e.debt)::bigint,
           sum(e.breakage)::bigint
    FROM points.entry e JOIN core.tenant t ON t.id = e.tenant_id
    JOIN core.identity i ON i.tenant_id = e.tenant_id AND i.member_id = e.member_id
    WHERE e.occurred_at <= '{}' GROUP BY 1, 2
"""


@dataclass
class Bought:
    """The points of one order."""

    unlocks: datetime
    expires: datetime
    left: int


class Member:
    """A member's points, event by event."""

    def __init__(self) -> None:
        self.lots: list[Bought] = []
        self.debt = self.expired = 0

    def pass_time(self, at: datetime) -> None:
        for lot in self.lots:
            if lot.expires <= at:
                self.expired += lot.left
                lot.left = 0
        self.lots = [lot for lot in self.lots if lot.left]

    def order(self, at: datetime, points: int) -> None:
        paid = min(self.debt, points)
        self.debt -= paid
        self.lots.append(Bought(end_of(at, WAIT), end_of(at, LIFE), points - paid))

    def refund(self, points: int) -> None:
        for lot in sorted(self.lots, key=lambda lot: lot.expires):
            taken = min(lot.left, points)
            lot.left -= taken
            points -= taken
        self.debt += points

    def standing(self, at: datetime) -> Accounts:
        free = sum(lot.left for lot in self.lots if lot.unlocks <= at)
        return free, sum(lot.left for lot in self.lots) - free, self.debt, self.expired


def end_of(at: datetime, days: int) -> datetime:
    """The first moment after the local day that is so many days later."""
    return midnight(at.astimezone(LONDON).date() + (days + 1) * DAY)


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=LONDON).astimezone(ZoneInfo("UTC"))


def months() -> Iterator[datetime]:
    """The end of each month's last day, from the first orders until the last points have expired."""
    day = date(2011, 1, 1)
    while day <= date(2012, 7, 1):
        yield midnight(day)
        day = (day + 31 * DAY).replace(day=1)


def history(path: Path) -> dict[tuple[str, str], list[tuple[datetime, bool, str, int]]]:
    """(time, whether it is a refund, invoice, points) of every member, in the order of time, from the raw rows."""
    totals: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    times: dict[tuple[str, str, str], datetime] = {}
    with lzma.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["CustomerID"] and not row["InvoiceNo"].startswith("A"):
                key = (row["Country"], row["CustomerID"].removesuffix(".0"), row["InvoiceNo"])
                at = datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=LONDON)
                totals[key] += int(row["Quantity"]) * Decimal(row["UnitPrice"])
                times[key] = min(times.get(key, at), at)
    found = defaultdict(list)
    for (country, customer, invoice), total in totals.items():
        event = times[country, customer, invoice], invoice.startswith("C"), invoice, int(abs(total))
        found[country, customer].append(event)
    return {who: sorted(events) for who, events in found.items()}


def expected(path: Path) -> dict[datetime, dict[tuple[str, str], Accounts]]:
    """Every member's accounts at the end of every month."""
    standing: dict[datetime, dict[tuple[str, str], Accounts]] = {end: {} for end in months()}
    for who, events in history(path).items():
        member, waiting = Member(), list(events)
        for end, of_all in standing.items():
            while waiting and waiting[0][0] <= end:
                at, back, _, points = waiting.pop(0)
                member.pass_time(at)
                member.refund(points) if back else member.order(at, points)
            member.pass_time(end)
            of_all[who] = member.standing(end)
    return standing


def nights(installation) -> None:
    """Let the stores' clocks go beyond the last expiry, and a worker do what is due by then."""
    with psycopg.connect(installation.ops_url) as connection:
        connection.execute(
            "UPDATE core.tenant SET clock_offset = clock_offset + interval '1 year'"  # 365 days and more
        )
        connection.execute("INSERT INTO core.backlog (tenant_id) SELECT id FROM core.tenant")
    installation.run("worker", "--drain")


@pytest.mark.long
def test_accounts_at_every_month_s_end_are_what_an_independent_computation_says(installation, online_retail):
    installation.run(*installation.import_online_retail(holdout=0))
    with psycopg.connect(installation.ops_url) as connection:
        connection.execute("UPDATE core.activation SET settings = %s WHERE plugin = 'points'", (SETTINGS,))
    installation.run("worker", "--drain")
    nights(installation)
    assert "0 violated" in installation.run("verify")
    standing = expected(online_retail)
    assert len(standing) == 19
    nobody = (0, 0, 0, 0)
    for end, members in standing.items():
        rows = installation.rows(STANDING.format(end.isoformat()))
        found = {(store, who): tuple(map(int, accounts)) for store, who, *accounts in rows}
        assert {who: found.get(who, nobody) for who in members} == members, end
    ends = list(standing.values())
    assert sum(one[1] for one in ends[5].values()) > 0  # points wait
    assert sum(one[2] for one in ends[11].values()) > 0  # some owe
    assert sum(one[0] + one[1] for one in ends[-1].values()) == 0  # and in the end all have expired
    assert sum(one[3] for one in ends[-1].values()) > 1_000_000
