"""A worker's processes: what a plugin does to one costs the others nothing, and no effect is lost or doubled.

The plugin of these tests is installed as any other and misbehaves once for each kind of trouble: whoever makes
the trouble's mark may do it, and later attempts find the mark there.
"""

import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.testing.fixtures import Sender
from threepeat.worker import supervisor
from threepeat.worker.watch import ChildWatch, Watch

DEADLINE = 2.0
PATIENCE = 40

MODULE = '''
import os, re, time
from pathlib import Path
from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, outbound, when
from threepeat.sdk.events import VisitMade

FOLDER = Path(os.environ["TROUBLE_FOLDER"])

def first(name):
    """Whether nobody was here before; the mark holds this process's id."""
    try:
        with open(FOLDER / name, "x") as mark:
            mark.write(str(os.getpid()))
    except FileExistsError:
        return False
    return True

class Trouble(Plugin[PluginSettings]):
    manifest = Manifest(id="trouble", kind="tactic", title="Trouble", summary="Trouble, once.", holdout="none")
    settings_model = PluginSettings

    @hookimpl
    def reactions(self):
        yield when(VisitMade, self.visited)

    @hookimpl
    def outbounds(self):
        yield outbound("ring", perform=self.ring)

    def visited(self, ctx, events):
        ctx.sql("note", positions=[event.position for event in events])
        for event in events:
            name, _, _ = (event.place or "").partition(":")
            if name and hasattr(self, name) and first(name):
                getattr(self, name)(ctx)

    def hang(self, ctx):
        time.sleep(600)

    def hold(self, ctx):
        re.match("(a+)+$", "a" * 50 + "b")  # never lets another thread of the process run

    def leave(self, ctx):
        os._exit(3)

    def query(self, ctx):
        ctx.sql("sleep")

    def outside(self, ctx):
        ctx.call("ring", "once", {})

    def ring(self, settings, call):
        first("ringing")
        time.sleep(600)

    def slow(self, ctx):
        time.sleep(1.5)

    def wait(self, ctx):
        while not (FOLDER / "go").exists():
            time.sleep(0.02)

plugin = Trouble()
'''

MIGRATION = """
import sqlalchemy as sa
from threepeat.sdk.migrations import create_tenant_table

revision = "0001"
down_revision = None

def upgrade():
    create_tenant_table(
        "effect",
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        key=("position",),
    )

def downgrade():
    pass
"""

# A second effect of one event would show.
NOTE = """
INSERT INTO trouble.effect AS e (tenant_id, position, n)
SELECT :tenant, position, 1 FROM unnest(:positions::bigint[]) AS g (position)
ON CONFLICT (tenant_id, position) DO UPDATE SET n = e.n + 1
"""

FILES = {
    "trouble/__init__.py": "",
    "trouble/plugin.py": MODULE,
    "trouble/migrations/versions/0001_trouble.py": MIGRATION,
    "trouble/sql/note.sql": NOTE,
    "trouble/sql/sleep.sql": "SELECT pg_sleep(60) WHERE :tenant > 0",
    "trouble-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: trouble\nVersion: 1.0\n",
    "trouble-1.0.dist-info/entry_points.txt": "[threepeat.plugins]\ntrouble = trouble.plugin:plugin\n",
}


class Place:
    """A database with the plugin installed, and the worker processes that serve it."""

    def __init__(self, cluster, name, folder):
        self.cluster, self.name, self.folder = cluster, name, folder
        self.log = folder / "worker.log"
        for file, content in FILES.items():
            (folder / "site" / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / "site" / file).write_text(content)
        self.environment = {
            **cluster.environment(name, folder),
            "PYTHONPATH": os.pathsep.join([str(folder / "site"), os.environ.get("PYTHONPATH", "")]).rstrip(
                os.pathsep
            ),
            "TROUBLE_FOLDER": str(folder),
            "THREEPEAT_WORKER_DEADLINE_SECONDS": str(DEADLINE),
            "THREEPEAT_LOG_FORMAT": "json",
        }
        sys.path.insert(0, str(folder / "site"))
        os.environ["TROUBLE_FOLDER"] = str(folder)
        try:
            keys = KeyConfig(keys=self.environment["THREEPEAT_KEYS"])
            self.platform = Platform.open(cluster.config(name, folder), keys=keys, upgrade=True)
        finally:
            sys.path.remove(str(folder / "site"))
            del os.environ["TROUBLE_FOLDER"]
            for module in [one for one in sys.modules if one.partition(".")[0] == "trouble"]:
                del sys.modules[module]
        assert "trouble" in self.platform.registry
        self._send = Sender(self.platform)

    def store(self, slug):
        return open_store(self.platform, slug, enable=("trouble",), by="test")

    def visits(self, store, *places):
        self._send.batch(store, [self._send.event("visit.made", "ann", place=place) for place in places])

    @contextmanager
    def worker(self, *arguments, **environment):
        with self.log.open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "threepeat.cli", "worker", *arguments],
                env={**self.environment, **environment},
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait(20)

    def lines(self, event, **about):
        found = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in found if event in line["event"] and about.items() <= line.items()]

    def rows(self, query, *values):
        with psycopg.connect(self.cluster.url("ops", self.name), autocommit=True) as connection:
            return connection.execute(query, values).fetchall()

    def admin(self, statement):
        with psycopg.connect(self.cluster.admin_url, autocommit=True) as connection:
            connection.execute(statement.format(app=self.cluster.roles.app, database=self.name))
        self.cluster.let_go(self.name)  # what a pooler keeps open would not hear of it

    def backends(self, wait):
        """How many connections of the app role wait for something: a type of wait, or an event."""
        with psycopg.connect(self.cluster.admin_url) as connection:
            return connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND usename = %s"
                " AND state = 'active' AND %s IN (wait_event_type, wait_event)",
                (self.name, self.cluster.roles.app, wait),
            ).fetchone()[0]

    def effects(self, store):
        """Position → how often it took effect."""
        return dict(self.rows("SELECT position, n FROM trouble.effect WHERE tenant_id = %s ORDER BY 1", store.id))

    def marked(self, name):
        """The process that makes this trouble, once there is one."""
        wait_until(lambda: (self.folder / name).exists() and (self.folder / name).read_text())
        return int((self.folder / name).read_text())


@pytest.fixture
def place(cluster, tmp_path):
    with cluster.database() as name:
        made = Place(cluster, name, tmp_path)
        yield made
        made.platform.database.dispose()


@pytest.fixture(scope="module")
def served(cluster, tmp_path_factory):
    """A place with a worker of two processes, for tests that leave it at work; each makes stores of its own."""
    with cluster.database() as name:
        made = Place(cluster, name, tmp_path_factory.mktemp("served"))
        with made.worker("--processes", "2"):
            yield made
        made.platform.database.dispose()


def wait_until(condition, seconds=PATIENCE):
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.02)
    return found


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def once(*positions):
    return dict.fromkeys(positions, 1)


def test_a_plugin_that_hangs_is_killed_by_name_and_holds_nobody_else_up(served):
    tea, cake = served.store("hung-tea"), served.store("cake")
    served.visits(tea, "", "hang", "")
    served.marked("hang")
    began = time.monotonic()
    served.visits(cake, "", "")
    wait_until(lambda: served.effects(cake) == once(1, 2))
    assert time.monotonic() - began < DEADLINE
    assert served.effects(tea) == {}
    wait_until(lambda: served.effects(tea) == once(1, 2, 3))
    # Another worker would have to wait for the end of the lease; the successor does not.
    assert time.monotonic() - began < DEADLINE + 5
    (line,) = served.lines("past the deadline", tenant="hung-tea")
    assert (line["plugin"], line["level"]) == ("trouble", "error")
    assert DEADLINE <= line["seconds"] < DEADLINE + 1
    assert not served.lines("past the deadline", tenant="cake")


def test_a_call_that_lets_no_thread_run_is_killed_all_the_same(served):
    tea = served.store("held-tea")
    served.visits(tea, "hold")
    held = served.marked("hold")
    wait_until(lambda: not alive(held), DEADLINE + 2)
    wait_until(lambda: served.effects(tea) == once(1))


def test_a_plugin_that_ends_the_process_is_named_and_the_process_replaced(served):
    tea = served.store("left-tea")
    served.visits(tea, "", "leave")
    left = served.marked("leave")
    wait_until(lambda: served.effects(tea) == once(1, 2))
    assert not alive(left)
    (line,) = served.lines("worker died", tenant="left-tea")
    assert (line["exit"], line["plugin"]) == ("3", "trouble")


def cursor_is_free(place, store):
    try:
        place.rows("SELECT FROM core.cursor WHERE tenant_id = %s FOR UPDATE NOWAIT", store.id)
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def test_a_call_to_the_outside_that_hangs_ends_its_process_and_nothing_else(place):
    tea = place.store("tea")
    with place.worker("--processes", "1"):
        place.visits(tea, "outside")
        calling = place.marked("ringing")
        place.visits(tea, "", "")
        wait_until(lambda: place.effects(tea) == once(1, 2, 3))
        wait_until(lambda: not alive(calling))
        place.visits(tea, "")
        wait_until(lambda: place.effects(tea) == once(1, 2, 3, 4))
    (line,) = place.lines("cannot go on")
    assert line["reason"].startswith("a call to the outside takes longer")
    assert len(place.lines("worker died")) == 1


@pytest.mark.parametrize("noticed", [True, pytest.param(False, marks=pytest.mark.long)])
def test_the_locks_of_a_killed_worker_are_free_at_once_even_in_the_middle_of_a_query(place, noticed):
    tea = place.store("tea")
    if not noticed:  # without the role's setting the query would go on, and so would its locks
        place.admin('ALTER ROLE "{app}" IN DATABASE "{database}" SET client_connection_check_interval = 0')
    with place.worker("--processes", "1", THREEPEAT_WORKER_IDLE_MS="10000"):
        place.visits(tea, "query")
        held = place.marked("query")
        began = time.monotonic()
        wait_until(lambda: place.backends("PgSleep"))
        assert not cursor_is_free(place, tea)
        wait_until(lambda: not alive(held), DEADLINE + 2)
        if noticed:
            wait_until(lambda: not place.backends("PgSleep"))
            assert time.monotonic() - began < DEADLINE + 2
            wait_until(lambda: place.effects(tea) == once(1))
        else:
            time.sleep(max(0, began + DEADLINE + 3 - time.monotonic()))
            assert place.backends("PgSleep")
            assert not cursor_is_free(place, tea)


def test_the_turn_at_hand_is_finished_before_the_end(place):
    tea = place.store("tea")
    with place.worker("--processes", "2", THREEPEAT_WORKER_DEADLINE_SECONDS="60") as worker:
        place.visits(tea, "slow", "")
        slow = place.marked("slow")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 0
        assert not alive(slow)
    assert place.effects(tea) == once(1, 2)


def test_a_second_signal_does_not_wait(place):
    tea = place.store("tea")
    with place.worker("--processes", "1", THREEPEAT_WORKER_DEADLINE_SECONDS="60") as worker:
        place.visits(tea, "hang")
        hanging = place.marked("hang")
        began = time.monotonic()
        worker.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert worker.poll() is None
        worker.send_signal(signal.SIGINT)
        assert worker.wait(5) == 0
        assert time.monotonic() - began < 5
        assert not alive(hanging)
    assert place.effects(tea) == {}


@pytest.mark.parametrize("trouble", ["hang", pytest.param("hold", marks=pytest.mark.long)])
def test_workers_end_with_a_supervisor_that_was_killed(place, trouble):
    tea = place.store("tea")
    with place.worker("--processes", "2", THREEPEAT_WORKER_DEADLINE_SECONDS="600") as worker:
        place.visits(tea, trouble)
        held = place.marked(trouble)
        below = descendants(worker.pid)
        assert held in below
        assert len(below) >= 3
        worker.kill()
        worker.wait()
        try:
            wait_until(lambda: not any(map(alive, below)), 5)
        finally:
            for left in filter(alive, below):
                os.kill(left, signal.SIGKILL)


def descendants(pid):
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found, grown = {pid}, True
    while grown:
        more = {one for one, parent in parents.items() if parent in found} - found
        found, grown = found | more, bool(more)
    return found - {pid}


def test_a_frozen_worker_keeps_its_tenant_until_its_transaction_is_ended_and_then_changes_nothing(place):
    """The lease runs out first; the cursors' locks hold until the database itself ends the transaction."""
    tea = place.store("tea")
    place.admin('ALTER ROLE "{app}" IN DATABASE "{database}" SET idle_in_transaction_session_timeout = \'5s\'')
    settings = {"THREEPEAT_WORKER_LEASE_SECONDS": "1", "THREEPEAT_WORKER_DEADLINE_SECONDS": "600"}
    with place.worker("--processes", "2", **settings):
        place.visits(tea, "wait", "", "")
        frozen = place.marked("wait")
        os.kill(frozen, signal.SIGSTOP)
        try:
            time.sleep(2.5)  # the lease is over, the transaction is not
            assert place.effects(tea) == {}
            wait_until(lambda: place.effects(tea) == once(1, 2, 3))
            (place.folder / "go").touch()
        finally:
            os.kill(frozen, signal.SIGCONT)
        place.visits(tea, "", "")
        wait_until(lambda: place.effects(tea) == once(1, 2, 3, 4, 5))
        time.sleep(1)
        assert alive(frozen)
        assert place.effects(tea) == once(1, 2, 3, 4, 5)


def test_a_frozen_worker_that_wakes_in_time_finishes_and_the_one_that_waited_repeats_nothing(place):
    tea = place.store("tea")
    settings = {"THREEPEAT_WORKER_LEASE_SECONDS": "1", "THREEPEAT_WORKER_DEADLINE_SECONDS": "600"}
    with place.worker("--processes", "2", **settings):
        place.visits(tea, "wait", "", "")
        frozen = place.marked("wait")
        os.kill(frozen, signal.SIGSTOP)
        wait_until(lambda: place.backends("Lock") == 1)  # the lease is over: the other one tries to take over
        (place.folder / "go").touch()
        os.kill(frozen, signal.SIGCONT)
        wait_until(lambda: place.effects(tea) == once(1, 2, 3))
        time.sleep(1)
        assert place.effects(tea) == once(1, 2, 3)
    assert not place.lines("worker died")


def test_metrics_speak_for_all_processes_also_for_those_that_died(place):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    tea, cake = place.store("tea"), place.store("cake")
    with place.worker("--processes", "2", "--metrics-port", str(port)):
        place.visits(cake, "", "", "")
        wait_until(lambda: place.effects(cake) == once(1, 2, 3))
        place.visits(tea, "leave")
        wait_until(lambda: place.effects(tea) == once(1))

        def told(line):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                return line in answer.read().decode()

        wait_until(lambda: told('threepeat_events_handled_total{plugin="trouble"} 4.0'))
        wait_until(lambda: told('threepeat_worker_ended_total{plugin="trouble",reason="died"} 1.0'))


SCRIPT = """
import os, sys, time
from threepeat.worker.supervisor import Supervisor

def main(name, watch):
    with open(sys.argv[1], "a") as file:
        file.write(f"{time.monotonic()} {name}\\n")
    if sys.argv[2] == "dies":
        os._exit(1)
    with watch.busy(tenant="tea", plugin="points"):
        time.sleep(600)

if __name__ == "__main__":
    import signal
    supervisor = Supervisor(main, processes=1, deadline=600, grace=0.5)
    signal.signal(signal.SIGTERM, lambda *_: supervisor.stop())
    supervisor.run()
"""


@contextmanager
def scripted(folder, what):
    (folder / "script.py").write_text(textwrap.dedent(SCRIPT))
    command = [sys.executable, str(folder / "script.py"), str(folder / "began"), what]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "NO_COLOR": "1"})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_one_that_dies_again_and_again_is_replaced_ever_more_slowly(tmp_path):
    began = tmp_path / "began"
    with scripted(tmp_path, "dies") as process:
        wait_until(lambda: began.exists() and began.read_text().count("\n") >= 5)
        process.terminate()
        assert process.wait(10) == 0
    announced = re.findall(r"will be replaced.*seconds=([\d.]+)", (tmp_path / "log").read_text())
    assert [float(seconds) for seconds in announced[:4]] == [0, 0.5, 1, 2]
    lines = [line.split() for line in began.read_text().splitlines()]
    times = [float(moment) for moment, _ in lines]
    for gap, least in zip(itertools.pairwise(times), (0, 0.5, 1, 2), strict=False):
        assert gap[1] - gap[0] >= least
    assert len({name for _, name in lines}) == 1  # whoever replaces it is known under its name


def test_no_pause_is_longer_than_the_longest():
    place = supervisor._Place("one")
    for _ in range(2000):
        place.began = time.monotonic()
        supervisor.Supervisor._postpone(place)
    assert place.not_before - time.monotonic() <= supervisor.LONGEST_PAUSE_SECONDS
    place.began = time.monotonic() - supervisor.QUICK_SECONDS - 1
    supervisor.Supervisor._postpone(place)
    assert place.not_before <= time.monotonic()  # it lived long enough: the next comes at once


def test_one_that_does_not_come_to_an_end_is_killed_after_the_grace_time(tmp_path):
    with scripted(tmp_path, "stays") as process:
        wait_until((tmp_path / "began").exists)
        time.sleep(0.2)
        began = time.monotonic()
        process.terminate()
        assert process.wait(5) == 0
        assert time.monotonic() - began < 3


def test_a_watch_names_the_innermost_plugin_and_counts_from_the_outermost_call():
    watch = ChildWatch()
    assert watch.look() is None
    with watch.busy(tenant="tea", plugin="tiers"):
        time.sleep(0.05)
        with watch.busy(tenant="tea", plugin="points"):
            inner = watch.look()
        outer = watch.look()
    assert watch.look() is None
    assert (inner.tenant, inner.plugin, outer.plugin) == ("tea", "points", "tiers")
    assert 0.05 <= inner.seconds <= outer.seconds < 1


def test_a_watch_is_clear_again_after_an_error_and_takes_names_of_any_length():
    watch = ChildWatch()
    with suppress(ValueError), watch.busy(tenant="t" * 300, plugin="茶" * 300):
        found = watch.look()
        raise ValueError
    assert watch.look() is None
    assert found.tenant == "t" * 64
    assert re.fullmatch("茶+.?", found.plugin)


def test_a_watch_that_nobody_reads_does_nothing():
    with Watch().busy(tenant="tea", plugin="points"):
        pass
