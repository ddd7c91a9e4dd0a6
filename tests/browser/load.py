"""`make test-browser`: two operators and twenty merchants at once look, toggle, swap and save, over real HTTP.

Meanwhile the database is asked again and again whether a store has more tactics on than its plan allows. In the
end every change that somebody was told of must be in the store's trail once, under their name.
"""

import argparse
import base64
import json
import random
import re
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import httpx2
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))

from figures import Figures
from installation import PASSWORD, Installation, installation

from threepeat.events.stores import open_store
from threepeat.tenancy.tenants import Tenant

STORES, PEOPLE, OPERATORS = 5, 4, 2
SECONDS = 30.0
PAUSE = (0.5, 1.5)
P95_MS = 150.0
CAP = 3
TACTICS = ("points", "checkin", "welcome", "winback")
SETTINGS = {
    "points": ("settings.points_per_unit", 1, 1000),
    "winback": ("settings.asleep_after_days", 14, 60),
}
"""A field of some tactics, with the values that it may take."""

OVER = text("""
    SELECT tenant_id, count(*) AS n FROM core.activation WHERE slot IS NOT NULL
    GROUP BY tenant_id HAVING count(*) > :cap OR count(*) <> count(DISTINCT slot)
""")
TRAIL = text("""
    SELECT actor, action, subject, details ->> 'revision' AS revision FROM core.audit
    WHERE tenant_id = :tenant AND id > :after ORDER BY id
""")
LAST = text("SELECT coalesce(max(id), 0) AS id FROM core.audit WHERE tenant_id = :tenant")
TOKEN = re.compile(r'name="csrf" value="([^"]*)"')
REPLACE = re.compile(r'name="replace" value="([^"]+)"')
console = Console()


class Fields(HTMLParser):
    """What a browser would send of the form that names a revision.

    Attributes:
        found: Values by name.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._now: dict[str, str] = {}
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a field and what stands in it."""
        given = {name: value or "" for name, value in attrs}
        name, value, kind = given.get("name", ""), given.get("value", ""), given.get("type", "text")
        if tag == "form":
            self._now = {}
        elif tag in {"select", "textarea"}:
            self._open = name
        elif tag == "option" and ("selected" in given or self._open not in self._now):
            self._now[self._open] = value
        elif tag == "input" and name and (kind not in {"checkbox", "radio"} or "checked" in given):
            self._now[name] = value

    def handle_data(self, data: str) -> None:
        """The text of a long field."""
        if self._open and self._open not in self._now:
            self._now[self._open] = data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        """Keep the form that was looked for."""
        if tag in {"select", "textarea"}:
            self._open = ""
        elif tag == "form" and "revision" in self._now:
            self.found = self._now


@dataclass
class Ledger:
    """What everybody was answered.

    Attributes:
        took: Milliseconds of each page.
        saved: Saves that were confirmed: the store, who, which tactic, on which revision.
        switched: Switches that were confirmed: the store, who, which tactic, what was asked for.
        told: Savers who were told that somebody else was faster.
        surfaced: Answers that nobody should see.
        over: Stores seen with more on than they may have.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    took: list[float] = field(default_factory=list)
    saved: list[tuple[int, int, str, int]] = field(default_factory=list)
    switched: list[tuple[int, int, str, str]] = field(default_factory=list)
    told: int = 0
    refused: int = 0
    surfaced: Counter[str] = field(default_factory=Counter)
    over: list[tuple[int, int]] = field(default_factory=list)
    looks: int = 0


class Person(threading.Thread):
    """Somebody with a browser: cookies, a token in each form, and time to think."""

    def __init__(self, url: str, where: str, login: str, seed: str, ledger: Ledger, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.random = random.Random(seed)
        self.ledger, self.where = ledger, where
        self._over = over
        self._cookies: dict[str, str] = {}
        self._http = httpx2.Client(base_url=url, timeout=30)
        answer = self.send("POST", f"{where}/sign-in", {"login": login, "password": PASSWORD, "next": ""})
        if answer.status_code != 303:
            raise AssertionError(f"no way in: {answer.status_code}")

    def run(self) -> None:
        """Look and act until told to stop."""
        while not self._over.wait(self.random.uniform(*PAUSE)):
            self.act()
        self._http.close()

    def act(self) -> None:
        """One thing that such a person does."""
        raise NotImplementedError

    def send(self, method: str, path: str, data: dict[str, str] | None = None) -> httpx2.Response:
        """One request with the cookies, timed."""
        headers = {
            "Sec-Fetch-Site": "same-origin",
            "Cookie": "; ".join(f"{a}={b}" for a, b in self._cookies.items()),
        }
        began = time.perf_counter()
        answer = self._http.request(method, path, data=data, headers=headers)
        took = (time.perf_counter() - began) * 1000
        for line in answer.headers.get_list("set-cookie"):
            name, _equals, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value
        with self.ledger.lock:
            if not path.endswith("/sign-in"):
                self.ledger.took.append(took)
            if answer.status_code >= 500 or answer.status_code in {401, 403, 429}:
                self.ledger.surfaced[f"{answer.status_code} {method} {path}"] += 1
        return answer

    def look(self, path: str) -> str:
        """A page of theirs."""
        return self.send("GET", self.where + path).text

    def notice(self) -> str:
        """What the next page would say."""
        raw = next((value for name, value in self._cookies.items() if name.endswith("notice")), "")
        return str(json.loads(base64.urlsafe_b64decode(raw)[32:])[2]) if raw else ""


class Merchant(Person):
    """Toggles, swaps and saves in one store."""

    def __init__(self, tenant: Tenant, number: int, *given: object) -> None:
        self.tenant, self.number = tenant, number
        super().__init__(*given)  # type: ignore[arg-type]

    def act(self) -> None:
        """Look at the tactics, and now and then change something."""
        steps = (self.switch_on, self.switch_on, self.switch_off, self.save, self.save, self.save, self.browse)
        self.random.choice(steps)()

    def browse(self) -> None:
        """Pages that change nothing."""
        self.look(self.random.choice(("/", "/tactics", "/members", "/account")))

    def switch_on(self) -> None:
        """Switch a tactic on, for another one if there is no slot left."""
        tactic = self.random.choice(TACTICS)
        page = self.look(f"/tactics/{tactic}/on")
        if 'name="csrf"' in page and f"/tactics/{tactic}/on" in page:
            leaving = REPLACE.findall(page)
            fields = {"replace": self.random.choice(leaving)} if leaving else {}
            self._switch(tactic, "on", page, fields)

    def switch_off(self) -> None:
        """Switch one off."""
        tactic = self.random.choice(TACTICS)
        page = self.look(f"/tactics/{tactic}/off")
        if f"/tactics/{tactic}/off" in page:
            self._switch(tactic, "off", page, {})

    def _switch(self, tactic: str, what: str, page: str, fields: dict[str, str]) -> None:
        token = found[1] if (found := TOKEN.search(page)) else ""
        answer = self.send("POST", f"{self.where}/tactics/{tactic}/{what}", {"csrf": token, **fields})
        with self.ledger.lock:
            if answer.status_code == 303:
                self.ledger.switched.append((self.tenant.id, self.number, tactic, what))
            elif answer.status_code in {409, 422}:
                self.ledger.refused += 1
            else:
                self.ledger.surfaced[f"{answer.status_code} POST {what}"] += 1

    def save(self) -> None:
        """Save settings, with the revision of the form that was read a moment ago."""
        tactic = self.random.choice(tuple(SETTINGS))
        name, least, most = SETTINGS[tactic]
        page = self.look(f"/tactics/{tactic}/settings")
        fields = Fields(page).found
        if name not in fields:
            raise AssertionError(f"the form of {tactic} has no field {name}")
        fields[name] = str(self.random.randint(least, most))
        self._over.wait(self.random.uniform(*PAUSE))
        answer = self.send("POST", f"{self.where}/tactics/{tactic}/settings", fields)
        with self.ledger.lock:
            if answer.status_code == 303 and "Nothing was left" not in self.notice():
                self.ledger.saved.append((self.tenant.id, self.number, tactic, int(fields["revision"])))
            elif answer.status_code == 422 and "are not saved yet" in answer.text:
                self.ledger.told += 1
            elif answer.status_code != 303:
                self.ledger.surfaced[f"{answer.status_code} POST settings of {tactic}"] += 1


class Operator(Person):
    """Looks after the stores."""

    def act(self) -> None:
        """Look at what operators look at."""
        self.look(
            self.random.choice(("/", "/stores", "/letters", "/usage", "/plans", "/plugins", "/stores/load-1"))
        )


@contextmanager
def _guarded(one: Installation, ledger: Ledger) -> Iterator[None]:
    """Ask the database as often as it answers whether the cap holds."""
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            with one.platform.database.ops.begin() as ops:
                found = [(row.tenant_id, row.n) for row in ops.execute(OVER, {"cap": CAP})]
            ledger.looks += 1
            ledger.over.extend(found)
            stop.wait(0.01)

    guard = threading.Thread(target=ask, daemon=True)
    guard.start()
    try:
        yield
    finally:
        stop.set()
        guard.join(10)


@dataclass
class Outcome:
    """What it came to: what they were told, and the promises that were broken."""

    ledger: Ledger
    broken: list[str]
    before: dict[int, int]
    stores: list[Tenant]


def run(one: Installation, *, seconds: float, seed: int) -> Outcome:
    """Let them all work at once."""
    ledger, over = Ledger(), threading.Event()
    stores = [
        open_store(one.platform, f"load-{number}", name=f"Load {number}", enable=TACTICS[:CAP], by="load")
        for number in range(1, STORES + 1)
    ]
    people: list[Person] = []
    for tenant in stores:
        for place in range(PEOPLE):
            number, login = one.person(tenant, "owner" if place < 2 else "operator")
            given = (one.url, f"/store/{tenant.store.slug}", login, f"{seed}-{number}-{tenant.id}", ledger, over)
            people.append(Merchant(tenant, number, *given))
    people += [
        Operator(one.url, "/operator", one.operator(), f"{seed}-{number}", ledger, over)
        for number in range(OPERATORS)
    ]
    before = {tenant.id: _last(one, tenant) for tenant in stores}
    ledger.surfaced.clear()
    with _guarded(one, ledger):
        for person in people:
            person.start()
        time.sleep(seconds)
        over.set()
        for person in people:
            person.join(60)
    broken = [found for tenant in stores for found in compare(one, tenant, ledger, before[tenant.id])]
    return Outcome(ledger, broken, before, stores)


def _last(one: Installation, tenant: Tenant) -> int:
    with one.platform.database.tenant(tenant.id) as scope:
        row = scope.one(LAST)
    return int(row.id) if row else 0


def compare(one: Installation, tenant: Tenant, ledger: Ledger, after: int) -> list[str]:
    """What the trail of a store and the ledger do not agree about."""
    with one.platform.database.tenant(tenant.id) as scope:
        trail = list(scope.run(TRAIL, after=after))
    broken: list[str] = []
    kept = Counter((row.actor, row.subject, int(row.revision)) for row in trail if row.action == "settings.saved")
    told = Counter(
        (f"staff:{who}", tactic, revision + 1)
        for store, who, tactic, revision in ledger.saved
        if store == tenant.id
    )
    if kept != told:
        broken.append(f"saves of {tenant.store.slug}: trail {kept - told}, told {told - kept}")
    if twice := [key for key, n in Counter((one[1], one[2]) for one in kept).items() if n > 1]:
        broken.append(f"saved twice on one revision: {twice}")
    asked = Counter(
        (f"staff:{who}", tactic)
        for store, who, tactic, what in ledger.switched
        if store == tenant.id and what == "on"
    )
    enabled = [row for row in trail if row.action == "plugin.enabled" and row.subject in TACTICS]
    if surplus := Counter((row.actor, row.subject) for row in enabled) - asked:
        broken.append(f"switched on by nobody who was told so: {surplus}")
    state = dict.fromkeys(TACTICS[:CAP], "on")
    for row in trail:
        if row.action in {"plugin.enabled", "plugin.closing"} and row.subject in TACTICS:
            now = "on" if row.action == "plugin.enabled" else "off"
            if state.get(row.subject, "off") == now:
                broken.append(f"{row.action} {row.subject} stands in the trail twice")
            state[row.subject] = now
            if not row.actor.startswith("staff:"):
                broken.append(f"{row.action} {row.subject} by {row.actor}")
    with one.platform.database.tenant(tenant.id) as scope:
        query = text("SELECT plugin FROM core.activation WHERE tenant_id = :tenant AND slot IS NOT NULL")
        stands = {row.plugin for row in scope.run(query)}
    if stands != (said := {tactic for tactic, now in state.items() if now == "on"}):
        broken.append(f"{tenant.store.slug} has {stands} on, its trail says {said}")
    return broken


def show(outcome: Outcome) -> float:
    """Print the figures; returns p95 in milliseconds."""
    ledger, broken = outcome.ledger, outcome.broken
    quantiles = statistics.quantiles(ledger.took, n=100)
    table = Table("what", "figure", title=f"{OPERATORS} operators and {STORES * PEOPLE} merchants at once")
    for name, figure in (
        ("pages", len(ledger.took)),
        ("p50", f"{quantiles[49]:.0f} ms"),
        ("p95", f"{quantiles[94]:.0f} ms (at most {P95_MS:.0f} on an idle machine of two cores)"),
        ("switches", len(ledger.switched)),
        ("saves", len(ledger.saved)),
        ("second writers who were told", ledger.told),
        ("refused as things stood", ledger.refused),
        ("looks at the cap", ledger.looks),
        ("stores above it", len(ledger.over)),
        ("answers nobody should see", dict(ledger.surfaced)),
        ("broken promises", broken or 0),
    ):
        table.add_row(name, str(figure))
    console.print(table)
    return quantiles[94]


def holds(outcome: Outcome) -> bool:
    """Whether every promise was kept."""
    return not (outcome.broken or outcome.ledger.over or outcome.ledger.surfaced)


def main() -> int:
    """Run it as the command line says; exit 1 if a promise was broken or the pages were too slow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--seed", type=int, default=1)
    Figures.add_option(parser)
    options = parser.parse_args()
    figures = Figures.open(parser, options)
    with installation() as one:
        outcome = run(one, seconds=options.seconds, seed=options.seed)
    p95 = show(outcome)
    said = f"{OPERATORS} operators and {STORES * PEOPLE} merchants at once, {len(outcome.ledger.took):,} pages"
    figures.record("consoles", p95, bar=f"≤ {P95_MS:g} ms", met=p95 <= P95_MS, said=said)
    figures.close()
    return 0 if p95 <= P95_MS and holds(outcome) else 1


if __name__ == "__main__":
    sys.exit(main())
