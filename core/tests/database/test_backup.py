"""One file holds the whole database, for whoever it is restored for, and a restore is all of it or nothing."""

import secrets
import stat
import subprocess
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine, make_url

from threepeat.database import backup, programs, restoring
from threepeat.database.backup import (
    LEFT_OUT,
    back_up,
    is_empty,
    not_all_rows,
    others,
    read_archive,
    release,
    restore,
)
from threepeat.database.checks import BootError
from threepeat.database.config import DatabaseConfig, Urls, driver_url
from threepeat.database.engine import Database
from threepeat.database.programs import BackupError, Programs
from threepeat.database.roles import Passwords, bootstrap
from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.sdk.migrations import Roles
from threepeat.tenancy.keyring import new_line


class Ground:
    """A migrated database with two stores in it."""

    def __init__(self, cluster, name, folder):
        self.cluster, self.name = cluster, name
        config = cluster.config(name, folder)
        self.owner = driver_url(config.owner_url)
        platform = Platform.open(config, keys=KeyConfig(keys=new_line()), upgrade=True)
        for slug in ("tea", "cake"):
            open_store(platform, slug, enable=("points",), by="test")
        platform.database.dispose()
        with self.connected() as connection:
            self.server = release(connection)

    @contextmanager
    def connected(self):
        engine = create_engine(self.owner)
        with engine.connect() as connection:
            yield connection
        engine.dispose()

    def run(self, statement, database=None):
        roles = self.cluster.roles
        url = make_url(self.cluster.admin_url).set(database=database or self.name)
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as admin:
            admin.execute(statement.format(app=roles.app, owner=roles.owner, ops=roles.ops))

    def dump(self, file, say=lambda _: None):
        return back_up(self.owner, self.server, file, say)


@pytest.fixture(scope="module")
def ground(cluster, tmp_path_factory):
    with cluster.database() as name:
        yield Ground(cluster, name, tmp_path_factory.mktemp("ground"))


@pytest.fixture(scope="module")
def file(ground, tmp_path_factory):
    made = tmp_path_factory.mktemp("backup") / "a.backup"
    ground.dump(made)
    return made


class Target:
    """An empty database of an installation with roles of its own."""

    def __init__(self, cluster):
        self.prefix = f"other{secrets.token_hex(3)}"
        self.name = f"{self.prefix}_db"
        self.cluster, self.roles = cluster, Roles.prefixed(self.prefix)
        self.passwords = Passwords(*(secrets.token_urlsafe(18) for _ in range(3)))
        bootstrap(cluster.admin_url, self.name, self.roles, self.passwords)
        self.urls = Urls(*(driver_url(self.url(role)) for role in ("app", "owner", "ops")), self.roles)

    def url(self, role):
        user, password = getattr(self.roles, role), getattr(self.passwords, role)
        made = make_url(self.cluster.admin_url).set(username=user, password=password, database=self.name)
        return made.render_as_string(hide_password=False)

    def config(self, folder):
        return DatabaseConfig(
            data=folder,
            app_url=self.url("app"),
            owner_url=self.url("owner"),
            ops_url=self.url("ops"),
            role_prefix=self.prefix,
        )

    @contextmanager
    def connected(self, role="owner"):
        database = Database(self.urls)
        with getattr(database, role).connect() as connection:
            yield connection
        database.dispose()

    def is_empty(self):
        with self.connected() as connection:
            return is_empty(connection)

    def restore(self, ground, file, say=lambda _: None):
        restore(self.urls.owner, self.roles, ground.server, file, say)

    def drop(self):
        with psycopg.connect(self.cluster.admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self.name)))
            for role in (self.roles.app, self.roles.ops, self.roles.owner):
                admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


@pytest.fixture
def target(cluster):
    made = Target(cluster)
    yield made
    made.drop()


def catalogue(url, roles):
    """Everything that PostgreSQL knows of the schemas, with the roles called by their part."""
    queries = {
        "policies": "SELECT schemaname, tablename, policyname, permissive, roles::text, cmd, qual, with_check"
        " FROM pg_policies",
        "relations": "SELECT c.oid::regclass::text, c.relkind::text, c.relrowsecurity, c.relforcerowsecurity,"
        " pg_get_userbyid(c.relowner), obj_description(c.oid, 'pg_class') FROM pg_class c WHERE {ours}",
        "grants on relations": "SELECT c.oid::regclass::text, grantee::regrole::text, grantor::regrole::text,"
        " privilege_type, is_grantable FROM pg_class c, aclexplode(c.relacl) WHERE {ours}",
        "grants on schemas": "SELECT nspname, grantee::regrole::text, privilege_type FROM pg_namespace,"
        " aclexplode(nspacl) WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND grantee <> 0",
        "columns": "SELECT c.oid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull,"
        " attidentity::text, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, attnum) FROM pg_class c"
        " JOIN pg_attribute a ON attrelid = c.oid LEFT JOIN pg_attrdef d ON adrelid = c.oid AND adnum = attnum"
        " WHERE {ours} AND attnum > 0 AND NOT attisdropped",
        "constraints": "SELECT k.conrelid::regclass::text, conname, pg_get_constraintdef(k.oid)"
        " FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid WHERE {ours} AND contype <> 'n'",
        "indexes": "SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indrelid"
        " WHERE {ours}",
        "functions": "SELECT pg_get_functiondef(p.oid), pg_get_userbyid(p.proowner) FROM pg_proc p"
        " WHERE pronamespace::regnamespace::text !~ '^(pg_|information_schema)'",
        "sequences": "SELECT schemaname, sequencename, data_type::text, start_value, increment_by, last_value"
        " FROM pg_sequences",
    }
    ours = "c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'"
    names = {roles.app: "APP", roles.owner: "OWNER", roles.ops: "OPS"}

    def plain(value):
        for name, part in names.items():
            value = value.replace(name, part) if isinstance(value, str) else value
        return value

    with psycopg.connect(url) as connection:
        return {
            what: sorted(repr([plain(value) for value in row]) for row in connection.execute(q.format(ours=ours)))
            for what, q in queries.items()
        }


def rows(url):
    """Table → a digest of all its rows."""
    with psycopg.connect(url) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT c.oid::regclass::text FROM pg_class c WHERE relkind = 'r'"
                " AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)' ORDER BY 1"
            )
        ]
        digest = """SELECT count(*), md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE "C"), ''))
                    FROM {} t"""
        return {table: connection.execute(digest.format(table)).fetchone() for table in tables}


def admin_url(cluster, database):
    return make_url(cluster.admin_url).set(database=database).render_as_string(hide_password=False)


def test_a_restore_is_the_same_database_for_roles_of_other_names(ground, file, target, tmp_path):
    target.restore(ground, file)
    here, there = (admin_url(ground.cluster, name) for name in (ground.name, target.name))
    before, after = catalogue(here, ground.cluster.roles), catalogue(there, target.roles)
    assert before == after
    assert all(before.values())
    assert rows(here) == rows(there)
    assert rows(here)["core.tenant"][0] == 2
    platform = Platform.open(target.config(tmp_path), keys=KeyConfig(keys=new_line()))
    assert not platform.registry.quarantined
    platform.database.dispose()


def test_a_backup_brings_nobodys_sign_in_back(ground, target, tmp_path):
    """Sessions and links that were ended since would work again; the people are there."""
    ground.run("""
        INSERT INTO core.operator (login, name, created_by) VALUES ('op', 'Op', 'test');
        INSERT INTO core.operator_session (id, operator_id, secret_hash, expires_at, seen_at)
            SELECT 's', id, '\\x00', 'infinity', now() FROM core.operator;
        INSERT INTO core.staff (tenant_id, email, name, role, created_by)
            SELECT id, 'a@example.com', 'A', 'owner', 'test' FROM core.tenant WHERE slug = 'tea';
        INSERT INTO core.staff_session (tenant_id, id, staff_id, secret_hash, expires_at, seen_at)
            SELECT tenant_id, 's', id, '\\x00', 'infinity', now() FROM core.staff;
        INSERT INTO core.staff_link (tenant_id, id, staff_id, secret_hash, expires_at, created_by)
            SELECT tenant_id, 's', id, '\\x00', 'infinity', 'test' FROM core.staff
    """)
    ground.dump(tmp_path / "b.backup")
    target.restore(ground, tmp_path / "b.backup")
    found = rows(admin_url(ground.cluster, target.name))
    assert [found[f"core.{table}"][0] for table in ("operator", "staff")] == [1, 1]
    assert {found[f"core.{table}"][0] for table in LEFT_OUT} == {0}
    ground.run("TRUNCATE core.staff, core.operator CASCADE")


def test_the_comparison_sees_a_missing_policy_grant_flag_row_and_sequence(ground, file, target):
    target.restore(ground, file)
    there = admin_url(ground.cluster, target.name)
    whole, digests = catalogue(there, target.roles), rows(there)
    for what, damage in {
        "policies": "DROP POLICY tenant ON core.member",
        "grants on relations": f"REVOKE INSERT ON core.member FROM {target.roles.app}",
        "relations": "ALTER TABLE core.event NO FORCE ROW LEVEL SECURITY",
        "sequences": "SELECT setval('core.member_id', 4711)",
    }.items():
        ground.run(damage, target.name)
        changed = catalogue(there, target.roles)
        assert [name for name, found in whole.items() if found != changed[name]] == [what]
        whole = changed
    ground.run("UPDATE core.tenant SET name = 'Tee' WHERE slug = 'tea'", target.name)
    assert [table for table, digest in rows(there).items() if digest != digests[table]] == ["core.tenant"]


def test_the_file_is_private_and_says_where_it_comes_from(ground, file):
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    archive = read_archive(file)
    assert archive.roles == ground.cluster.roles
    assert archive.server == ground.server
    assert "UTC" in archive.made_at or archive.made_at[:2] == "20"


def test_two_backups_are_told_apart(ground, file, tmp_path):
    ground.run("COMMENT ON SCHEMA core IS 'changed'")
    ground.dump(tmp_path / "b")
    ground.run("COMMENT ON SCHEMA core IS NULL")
    assert read_archive(tmp_path / "b").token != read_archive(file).token == read_archive(file).token


def test_the_tables_are_told_as_they_are_written(ground, tmp_path):
    told = []
    assert ground.dump(tmp_path / "a", told.append) == (tmp_path / "a").stat().st_size
    assert {"core.event", "points.entry", "orders.header"} <= set(told)


def test_no_file_is_overwritten_and_none_is_left_half_written(ground, tmp_path):
    (tmp_path / "a").write_text("precious")
    with pytest.raises(BackupError, match="choose another name"):
        ground.dump(tmp_path / "a")
    assert (tmp_path / "a").read_text() == "precious"

    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ground.dump(tmp_path / "b", interrupted)
    with pytest.raises(BackupError, match=r"pg_dump failed.*nobody"):
        back_up(ground.owner.set(username="nobody"), ground.server, tmp_path / "c", lambda _: None)
    with pytest.raises(BackupError, match="cannot write to"):
        ground.dump(tmp_path / "nowhere" / "d")
    assert [left.name for left in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("spoil", "mend"),
    [
        (
            "DROP POLICY everywhere ON points.entry",
            "CREATE POLICY everywhere ON points.entry TO {owner}, {ops} USING (true) WITH CHECK (true)",
        ),
        (
            "CREATE POLICY less ON points.entry AS RESTRICTIVE TO {owner} USING (tenant_id = 1)",
            "DROP POLICY less ON points.entry",
        ),
        (
            "CREATE POLICY less ON points.entry AS RESTRICTIVE USING (tenant_id = 1)",
            "DROP POLICY less ON points.entry",
        ),
        (
            "ALTER POLICY everywhere ON points.entry USING (tenant_id > 1)",
            "ALTER POLICY everywhere ON points.entry USING (true)",
        ),
    ],
)
def test_a_table_that_a_role_does_not_see_all_of_is_named(ground, spoil, mend):
    roles = ground.cluster.roles
    with ground.connected() as connection:
        assert not_all_rows(connection, roles.owner) == not_all_rows(connection, roles.ops) == []
    ground.run(spoil)
    try:
        with ground.connected() as connection:
            assert not_all_rows(connection, roles.owner) == ["points.entry"]
    finally:
        ground.run(mend)


def test_the_app_role_sees_all_of_no_tenants_table(ground):
    with ground.connected() as connection:
        hidden = not_all_rows(connection, ground.cluster.roles.app)
    assert {"core.member", "core.event", "points.entry"} <= set(hidden)
    assert "core.tenant" not in hidden


def test_what_is_not_a_backup_is_refused(ground, target, tmp_path, file):
    (tmp_path / "text").write_text("no backup")
    whole = file.read_bytes()
    (tmp_path / "head").write_bytes(whole[:200])
    for name in ("text", "head", "missing"):
        with pytest.raises(BackupError, match=name):
            target.restore(ground, tmp_path / name)
    found = Programs.find(ground.server)
    dumped = found.command("pg_dump", "--format=custom", f"--dbname={programs.target(target.urls.owner)}")
    with (tmp_path / "other").open("wb") as other:
        subprocess.run(dumped, stdout=other, env=programs.environment(target.urls.owner), check=True)
    with pytest.raises(BackupError, match="not one of Threepeat"):
        target.restore(ground, tmp_path / "other")
    assert target.is_empty()


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_a_damaged_backup_leaves_the_database_empty(ground, file, target, tmp_path, share):
    whole = file.read_bytes()
    (tmp_path / "cut").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BackupError):
        target.restore(ground, tmp_path / "cut")
    assert target.is_empty()
    target.restore(ground, file)
    assert not target.is_empty()


def test_an_interrupted_restore_leaves_the_database_empty(ground, file, target):
    def interrupted(what):
        if what == "policies and grants":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        target.restore(ground, file, interrupted)
    assert target.is_empty()


def test_a_restore_into_a_database_that_holds_something_changes_nothing(ground, file, target):
    ground.run("CREATE SCHEMA core CREATE TABLE precious (n integer)", target.name)
    with pytest.raises(BackupError, match=r"psql failed.*core"):
        target.restore(ground, file)
    with psycopg.connect(admin_url(ground.cluster, target.name)) as connection:
        assert connection.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'core'::regnamespace"
        ).fetchone() == (1,)


def test_an_older_server_is_refused_and_so_are_older_programs(ground, file, target, monkeypatch):
    with pytest.raises(BackupError, match=f"comes from PostgreSQL {ground.server}"):
        restore(target.urls.owner, target.roles, ground.server - 1, file, lambda _: None)
    newest = max(programs.installed(), key=lambda found: found.major)
    monkeypatch.setattr(programs, "installed", lambda: (Programs(newest.folder, ground.server - 1),))
    with pytest.raises(BackupError, match=f"of PostgreSQL {ground.server} or newer are not here"):
        ground.dump(file.with_name("b"))


def test_the_oldest_programs_that_will_do_are_taken(monkeypatch):
    made = tuple(Programs(Path(f"/{major}"), major) for major in (18, 15, 17))
    monkeypatch.setattr(programs, "installed", lambda: made)
    assert Programs.find(15).major == 15
    assert Programs.find(16).major == 17
    with pytest.raises(BackupError, match="postgresql-client-19"):
        Programs.find(19)


def test_no_password_stands_where_others_can_read_it():
    url = make_url("postgresql+psycopg://ann:s3cret@db:5432/shop?sslmode=require")
    assert programs.target(url) == "postgresql://ann@db:5432/shop?sslmode=require"
    assert programs.environment(url)["PGPASSWORD"] == "s3cret"


def test_a_database_that_is_being_restored_opens_for_the_restore_alone(ground, file, target, tmp_path):
    target.restore(ground, file)
    keys = KeyConfig(keys=new_line())
    archive = read_archive(file)
    database = Database(target.urls)
    with database.owner.begin() as owner:
        restoring.begin(owner, archive.token)
    with database.owner.connect() as owner:
        assert restoring.marked(owner) == archive.token
        assert others(owner) == 0
    with pytest.raises(BootError, match="a backup is being restored"):
        Platform.open(target.config(tmp_path), keys=keys)
    for token, opens in ((archive.token, True), ("another", False)):
        admitted = Database(restoring.admitted(target.urls, token))
        with admitted.app.connect() as connection:
            assert restoring.is_closed(connection) is not opens
        admitted.dispose()
    with database.owner.begin() as owner:
        restoring.end(owner)
    database.dispose()
    Platform.open(target.config(tmp_path), keys=keys).database.dispose()


def test_other_connections_are_counted(target):
    with target.connected("app"), target.connected() as owner:
        assert others(owner) == 1


def test_a_setting_that_older_servers_do_not_know_is_left_out(ground, file):
    poured = []

    class Sink:
        write = staticmethod(poured.append)

    found = Programs.find(ground.server)
    backup._pour(found.command("pg_restore", "--no-owner", "--file=-", file), Sink, lambda _: None)
    header = b"".join(poured[:40])
    assert b"SET statement_timeout = 0;" in header
    assert backup.NEW_SETTING not in b"".join(poured)
