"""An installation is backed up, lives on, is lost, and is restored: on another server, and beside the old one.

Everything goes through the command line and HTTP, as an operator and a shop would do it.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psycopg
import pytest

from threepeat.database.config import DatabaseConfig, connect
from threepeat.database.embedded import EmbeddedServer
from threepeat.database.programs import Programs, environment, target
from threepeat.database.restoring import marked
from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.tenancy import keys
from threepeat.testing.fixtures import serving
from threepeat.worker.loop import Worker

STORES = ("tea", "cake")
MEMBERS = tuple(f"member-{number:02}" for number in range(20))
CANARY = "canary-7f3a91"
ERASED = "ann"

TABLES = """
    SELECT c.oid::regclass::text FROM pg_class c WHERE relkind = 'r'
      AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)' ORDER BY 1
"""
DIGEST = (
    """SELECT count(*), md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE "C"), '')) FROM {} t"""
)
SEQUENCES = "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2"
PROTECTION = """
    SELECT format('%s|%s|%s|%s|%s|%s', tablename, policyname, roles, cmd, qual, with_check) FROM pg_policies
    UNION ALL SELECT format('%s|%s|%s', oid::regclass, relrowsecurity, relforcerowsecurity) FROM pg_class
        WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
    UNION ALL SELECT format('%s|%s|%s', c.oid::regclass, grantee::regrole, privilege_type)
        FROM pg_class c, aclexplode(relacl)
        WHERE relkind IN ('r', 'S') AND privilege_type <> 'MAINTAIN' -- which not every release knows
          AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
    UNION ALL SELECT format('%s|%s|%s', nspname, grantee::regrole, privilege_type)
        FROM pg_namespace, aclexplode(nspacl) WHERE nspname !~ '^pg_|^information|^public'
"""


class Installation:
    """A database, its data folder and its keys, worked on by the command line."""

    def __init__(self, folder, environment):
        self.folder = folder
        self.environment = {"NO_COLOR": "1", "COLUMNS": "200", **environment}

    def outcome(self, *arguments):
        command = [sys.executable, "-m", "threepeat.cli", "--log-level", "warning", *map(str, arguments)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def run(self, *arguments):
        code, printed = self.outcome(*arguments)
        assert code == 0, printed
        return printed

    def config(self):
        given = {name.removeprefix("THREEPEAT_").lower(): value for name, value in self.environment.items()}
        wanted = ("data", "app_url", "owner_url", "ops_url", "app_pooled", "role_prefix")
        return DatabaseConfig(**{name: given[name] for name in wanted if name in given})

    @contextmanager
    def opened(self):
        platform = Platform.open(self.config(), keys=KeyConfig(keys=self.environment["THREEPEAT_KEYS"]))
        try:
            yield platform
        finally:
            platform.database.dispose()

    @property
    def prefix(self):
        return self.environment.get("THREEPEAT_ROLE_PREFIX", "threepeat")

    @property
    def owner(self):
        """URL of the role that sees every row and owns everything."""
        return connect(self.config()).owner

    @property
    def owner_url(self):
        return self.owner.set(drivername="postgresql").render_as_string(hide_password=False)

    def state(self):
        """Digests of all rows, the sequences, and what keeps tenants apart, with neutral names of the roles."""
        with psycopg.connect(self.owner_url) as connection:
            tables = [name for (name,) in connection.execute(TABLES)]
            rows = {table: connection.execute(DIGEST.format(table)).fetchone() for table in tables}
            protection = sorted(
                line.replace(f"{self.prefix}_", "X_") for (line,) in connection.execute(PROTECTION)
            )
            return rows, connection.execute(SEQUENCES).fetchall(), protection

    def contains(self, words):
        """Whether these words stand anywhere in the database: in what a dump shows."""
        programs, owner = Programs.find(18), self.owner
        command = programs.command("pg_dump", "--enable-row-security", f"--dbname={target(owner)}")
        done = subprocess.run(command, env=environment(owner), capture_output=True, check=True)
        assert b"CREATE TABLE core.event" in done.stdout
        return words.encode() in done.stdout


class Source(Installation):
    """The installation that is lost: two stores, served over HTTP and by worker processes."""

    def __init__(self, folder, environment):
        super().__init__(folder, environment)
        self.run("db", "upgrade")
        self.ids, self.keys = {}, {}
        with self.opened() as platform:
            for slug in STORES:
                store = open_store(platform, slug, enable=("points",), holdout=0, by="test")
                self.ids[slug] = store.id
                with platform.database.tenant(store.id) as scope:
                    scopes = ["ingest", "manage", "read"]
                    self.keys[slug] = keys.create_key(scope, platform.keyring, "shop", scopes, by="test")

    def live(self, client, name, members=MEMBERS):
        """Every member of both stores buys twice and returns a part; the same ids in both stores."""
        for slug in STORES:
            events = []
            for number, member in enumerate(members):
                for part in ("a", "b"):
                    order = f"{name}-{number}-{part}"
                    events.append(paid(slug, member, order))
                refund = f"{name}-{number}-r"
                data = {"refund_id": refund, "order_id": f"{name}-{number}-a", "amount": 2000, "currency": "CNY"}
                events.append(event("order.refunded", member, refund, data))
            answer = post(client, self.keys[slug], "/v1/events", events)
            assert answer.json()["accepted"] == len(events), answer.text

    def wait_until_served(self):
        behind = "SELECT 1 FROM core.stream s JOIN core.cursor c USING (tenant_id) WHERE c.position < s.head"
        until = time.monotonic() + 60
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            while connection.execute(f"{behind} UNION ALL SELECT 1 FROM core.outbox").fetchone():
                assert time.monotonic() < until
                time.sleep(0.1)

    @contextmanager
    def working(self):
        command = [sys.executable, "-m", "threepeat.cli", "--log-level", "warning", "worker", "--processes", "2"]
        process = subprocess.Popen(command, env=self.environment)
        try:
            yield
            self.wait_until_served()
        finally:
            process.terminate()
            assert process.wait(30) == 0


def words_of(slug, member):
    """What nothing but one member's orders of one store says."""
    return f"{CANARY} {slug} {member}"


def paid(slug, member, order):
    lines = [{"sku": "s", "name": words_of(slug, member), "quantity": 1, "amount": 5000}]
    data = {"order_id": order, "total": 5000, "currency": "CNY", "lines": lines}
    return event("order.paid", member, order, data)


def event(kind, member, name, data):
    return {"specversion": "1.0", "source": "shop", "id": name, "type": kind, "subject": member, "data": data}


def post(client, key, path, body, **headers):
    kind = "application/cloudevents-batch+json" if path == "/v1/events" else "application/json"
    sent = {"Authorization": f"Bearer {key}", "Content-Type": kind, **headers}
    return client.post(path, json=body, headers=sent)


@contextmanager
def client_of(installation):
    with (
        installation.opened() as platform,
        serving(platform) as url,
        httpx2.Client(base_url=url, timeout=60) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def source(cluster, tmp_path_factory):
    with cluster.database() as name:
        folder = tmp_path_factory.mktemp("source")
        yield Source(folder, cluster.environment(name, folder))


@pytest.fixture(scope="module")
def saved(source):
    """What stood in the source when it was backed up, and the answer to a command of before."""
    with client_of(source) as client, source.working():
        source.live(client, "first", (*MEMBERS, ERASED))
        source.wait_until_served()
        key = source.keys["tea"]
        asked = {"Idempotency-Key": "switch-off"}
        answer = post(client, key, "/v1/tactics/points/disable", None, **asked)
        assert answer.status_code == 200, answer.text
        post(client, key, "/v1/tactics/points/enable", None)
        member = client.get("/v1/members/member-01", headers={"Authorization": f"Bearer {key}"}).json()
    file = source.folder / "saved.backup"
    printed = source.run("db", "backup", file)
    assert "THREEPEAT_KEYS" in printed
    assert str(source.folder / "erasures.jsonl") in printed
    return Saved(file, source.state(), answer.content, member)


class Saved:
    def __init__(self, file, state, answer, member):
        self.file, self.state, self.answer, self.member = file, state, answer, member


@pytest.fixture
def fresh_server(source):
    """Another machine: an embedded server that does not exist yet, with the keys of the source."""
    folder = Path(tempfile.mkdtemp(prefix="threepeat-restore-"))
    folder.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("THREEPEAT_")}
    data = folder / "data"
    yield Installation(
        data, {**kept, "THREEPEAT_DATA": str(data), "THREEPEAT_KEYS": source.environment["THREEPEAT_KEYS"]}
    )
    EmbeddedServer(data).stop()
    shutil.rmtree(folder)


@pytest.fixture
def fresh_database(source, cluster, tmp_path):
    """A new and empty database on the same server, with the same roles and keys."""
    with cluster.database("template0") as name:
        environment = cluster.environment(name, tmp_path)
        yield Installation(tmp_path, {**environment, "THREEPEAT_KEYS": source.environment["THREEPEAT_KEYS"]})


def restore(installation, file, *arguments):
    return installation.outcome("db", "restore", file, "--yes", *arguments)


def test_everything_is_as_it_was_on_another_server_and_goes_on_from_there(source, saved, fresh_server):
    code, printed = restore(fresh_server, saved.file, "--no-erasures")
    assert code == 0, printed
    assert "2 tenants, 0 faults" in printed
    assert fresh_server.state() == saved.state
    assert saved.state[0]["points.entry"][0] >= 3 * 2 * len(MEMBERS)

    with psycopg.connect(fresh_server.owner_url) as connection:
        analysed = "SELECT reltuples FROM pg_class WHERE oid = 'core.event'::regclass"
        assert connection.execute(analysed).fetchone()[0] == saved.state[0]["core.event"][0]

    foreign = foreign_rows(fresh_server, source.ids)
    assert len(foreign) > 25
    assert set(foreign.values()) == {0}

    with client_of(fresh_server) as client, fresh_server.opened() as platform:
        key = source.keys["tea"]
        asked = {"Authorization": f"Bearer {key}"}
        assert client.get("/v1/members/member-01", headers=asked).json() == saved.member
        # The tactic is on; only the stored answer of the command that was sent before says otherwise.
        again = post(client, key, "/v1/tactics/points/disable", None, **{"Idempotency-Key": "switch-off"})
        assert again.content == saved.answer
        repeated = paid("tea", "member-00", "first-0-a")
        assert post(client, key, "/v1/events", [repeated]).json()["duplicate"] == 1
        before = ids(fresh_server)
        source.live(client, "second", ("new-1", "new-2"))
        store = open_store(platform, "third", enable=("points",), by="test")
        Worker(platform).drain()
        after = ids(fresh_server)
        assert store.id > before["tenant"]
        assert after["newest"] == before["newest"] + 2 * len(STORES)
    assert "0 violated" in fresh_server.run("verify")

    # A second restore takes nothing away.
    code, printed = restore(fresh_server, saved.file, "--no-erasures")
    assert code == 1
    assert "not empty" in printed
    with psycopg.connect(fresh_server.owner_url), pytest.raises(AssertionError, match="1 other connections"):
        fresh_server.run("db", "restore", saved.file, "--yes", "--no-erasures", "--replace")
    code, printed = restore(fresh_server, saved.file, "--no-erasures", "--replace")
    assert code == 0, printed
    assert fresh_server.state() == saved.state
    (kept,) = fresh_server.run("db", "discard").split()
    assert kept in printed
    fresh_server.run("db", "discard", kept, "--yes")
    assert "nothing is kept" in fresh_server.run("db", "discard")


def foreign_rows(installation, stores):
    """Table → how many rows of another store, or of any while it is in none, the app role sees."""
    found = {}
    with installation.opened() as platform, platform.database.app.connect() as connection:
        tables = list(connection.exec_driver_sql(TABLES).scalars())
        for table in tables:
            has = "SELECT 1 FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'tenant_id'"
            secured = "SELECT relrowsecurity FROM pg_class WHERE oid = %s::regclass"
            if not connection.exec_driver_sql(has, (table,)).first():
                continue
            if not connection.exec_driver_sql(secured, (table,)).scalar_one():
                continue
            count = f"SELECT count(*) FROM {table}"
            seen = connection.exec_driver_sql(count).scalar_one()
            for own in stores.values():
                connection.exec_driver_sql("SELECT set_config('threepeat.tenant', %s, true)", (str(own),))
                seen += connection.exec_driver_sql(f"{count} WHERE tenant_id <> {own}").scalar_one()
            found[table] = seen
            connection.rollback()
    return found


def ids(installation):
    with psycopg.connect(installation.owner_url) as connection:
        (tenant,) = connection.execute("SELECT max(id) FROM core.tenant").fetchone()
        (newest,) = connection.execute("SELECT max(id) FROM core.member").fetchone()
        return {"tenant": tenant, "newest": newest}


@pytest.mark.long
def test_who_was_erased_after_the_backup_does_not_come_back(source, saved, fresh_database, fresh_server):
    with client_of(source) as client:
        asked = {"Authorization": f"Bearer {source.keys['tea']}"}
        answer = client.delete(f"/v1/members/{ERASED}", headers=asked)
        assert answer.status_code == 202, answer.text
    listed = source.folder / "erasures.jsonl"

    code, printed = restore(fresh_database, saved.file)
    assert code == 1
    assert "the list of erasures is not here" in printed
    code, printed = restore(fresh_database, saved.file, "--erasures", listed)
    assert code == 0, printed
    assert "1 erasures carried out again" in printed
    assert not fresh_database.contains(words_of("tea", ERASED))
    assert fresh_database.contains(words_of("tea", "member-01"))
    assert fresh_database.contains(words_of("cake", ERASED))  # the same name, but another person
    with client_of(fresh_database) as client:
        refused = client.put(f"/v1/members/{ERASED}", headers=asked, json={})
        assert refused.status_code == 409, refused.text
        assert client.get("/v1/members/member-01", headers=asked).json() == saved.member
    assert "0 violated" in fresh_database.run("verify")
    assert (fresh_database.folder / "erasures.jsonl").read_text().count(ERASED) == 0
    assert len((fresh_database.folder / "erasures.jsonl").read_text().splitlines()) >= 1

    # Without the list the person would be back, so the comparison above is able to fail.
    assert restore(fresh_server, saved.file, "--no-erasures")[0] == 0
    assert fresh_server.contains(words_of("tea", ERASED))


@pytest.mark.usefixtures("saved")
@pytest.mark.long
def test_a_backup_under_fire_is_of_one_moment(source, fresh_database):
    """Orders come in and are served all the while; the log that is restored has no gap and nothing half done."""
    file = source.folder / f"{secrets.token_hex(4)}.backup"
    stop = threading.Event()
    rounds = []

    with client_of(source) as client, source.working():

        def write():
            while not stop.is_set():
                rounds.append(len(rounds))
                source.live(client, f"fire-{len(rounds)}", MEMBERS[:5])
                time.sleep(0.02)

        writer = threading.Thread(target=write)
        writer.start()
        while len(rounds) < 3:
            time.sleep(0.05)
        source.run("db", "backup", file)
        stop.set()
        writer.join()
    assert len(rounds) > 4
    code, printed = restore(fresh_database, file, "--no-erasures")
    assert code == 0, printed
    heads = "SELECT sum(head) FROM core.stream"
    with psycopg.connect(fresh_database.owner_url) as restored, psycopg.connect(source.owner_url) as live:
        (then,), (now,) = restored.execute(heads).fetchone(), live.execute(heads).fetchone()
    assert then < now  # more came after it
    with fresh_database.opened() as platform:
        Worker(platform).drain()
    assert "0 violated" in fresh_database.run("verify")


@pytest.mark.usefixtures("saved")
@pytest.mark.long
def test_a_restored_database_that_is_not_sound_stays_closed_until_it_is(source, fresh_database, tmp_path):
    file = tmp_path / "broken.backup"
    with source.opened() as platform, platform.database.ops.begin() as ops:
        ops.exec_driver_sql("UPDATE points.lot SET granted = granted + 1, remaining = remaining + 1")
    try:
        source.run("db", "backup", file)
    finally:
        with source.opened() as platform, platform.database.ops.begin() as ops:
            ops.exec_driver_sql("UPDATE points.lot SET granted = granted - 1, remaining = remaining - 1")
    for words in ("restored in", "restored already"):
        code, printed = restore(fresh_database, file, "--no-erasures")
        assert code == 1
        assert words in printed
        assert "points.journal is violated" in printed
    for command in (("doctor",), ("worker", "--drain")):
        code, printed = fresh_database.outcome(*command)
        assert code == 1, command
        assert "a backup is being restored" in printed

    urls = fresh_database.config()
    with psycopg.connect(urls.owner_url, autocommit=True) as connection:
        connection.execute("DROP POLICY tenant ON core.member")
    code, printed = restore(fresh_database, file, "--no-erasures", "--anyway")
    assert code == 1
    assert "core.member: no policy ties it to the tenant" in printed
    assert "stays closed" in printed

    with psycopg.connect(urls.owner_url, autocommit=True) as connection:
        (using,) = connection.execute(
            "SELECT qual FROM pg_policies WHERE policyname = 'tenant' AND tablename = 'identity'"
        ).fetchone()
        role = f"{fresh_database.prefix}_app"
        connection.execute(f"CREATE POLICY tenant ON core.member TO {role} USING {using} WITH CHECK {using}")
        connection.execute(f"ALTER POLICY everywhere ON points.entry TO {fresh_database.prefix}_owner")
    code, printed = restore(fresh_database, file, "--no-erasures", "--anyway")
    assert code == 1
    assert f"{fresh_database.prefix}_ops does not see every row of points.entry" in printed
    assert "stays closed" in printed

    with psycopg.connect(urls.owner_url, autocommit=True) as connection:
        both = ", ".join(f"{fresh_database.prefix}_{part}" for part in ("owner", "ops"))
        connection.execute(f"ALTER POLICY everywhere ON points.entry TO {both}")
    code, printed = restore(fresh_database, file, "--no-erasures", "--anyway")
    assert code == 1
    assert "points.journal is violated" in printed
    assert "is open" in printed
    with fresh_database.opened() as platform, platform.database.owner.connect() as owner:
        assert marked(owner) is None


@pytest.mark.long
def test_a_restore_needs_the_keys_of_then_and_asks_first(saved, fresh_database):
    without = Installation(fresh_database.folder, {**fresh_database.environment, "THREEPEAT_KEYS": ""})
    del without.environment["THREEPEAT_KEYS"]
    code, printed = restore(without, saved.file, "--no-erasures")
    assert code == 1
    assert "the secret keys are not here" in printed
    assert not (fresh_database.folder / "keys").exists()
    code, printed = fresh_database.outcome("db", "restore", saved.file, "--no-erasures")
    assert code == 1
    assert "Restore the backup of" in printed
    code, printed = restore(fresh_database, saved.file, "--no-erasures")
    assert code == 0, printed
