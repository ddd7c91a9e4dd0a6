from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import Connection, create_engine, text

from threepeat.database.checks import BootError
from threepeat.database.config import driver_url
from threepeat.database.lint import DIRECTORY, Hole, holes
from threepeat.events.platform import KeyConfig, Platform
from threepeat.plugins import Registry
from threepeat.sdk.migrations import CURRENT_TENANT
from threepeat.tenancy import keys, members, switches, tenants
from threepeat.tenancy.keyring import new_line
from threepeat.testing.fixtures import Cluster, serving
from threepeat.worker.loop import Worker

TIED = f"tenant_id = {CURRENT_TENANT}"


@dataclass(frozen=True)
class Place:
    """A database whose superuser plants what a careless migration would."""

    cluster: Cluster
    name: str
    keys: str = field(default_factory=new_line)

    @contextmanager
    def admin(self) -> Iterator[Connection]:
        url = driver_url(self.cluster.admin_url).set(database=self.name)
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def run(self, connection: Connection, ddl: str) -> None:
        roles = self.cluster.roles
        for statement in ddl.split(";"):
            if statement.strip():
                named = statement.replace("{app}", roles.app).replace("{owner}", roles.owner)
                connection.execute(text(named.replace("{tied}", TIED).replace(":", "\\:")))

    def plant(self, ddl: str) -> None:
        with self.admin() as connection:
            self.run(connection, ddl)
            connection.commit()

    def open(self, data: Path) -> Platform:
        return Platform.open(self.cluster.config(self.name, data), keys=KeyConfig(keys=self.keys))


@pytest.fixture(scope="module")
def good(cluster: Cluster) -> Iterator[Place]:
    """Shared, because every hole in it is rolled back."""
    with cluster.database() as name:
        yield Place(cluster, name)


@pytest.fixture
def place(cluster: Cluster) -> Iterator[Place]:
    with cluster.database() as name:
        yield Place(cluster, name)


def found_with(place: Place, ddl: str) -> list[str]:
    with place.admin() as connection:
        place.run(connection, ddl)
        return [str(hole) for hole in holes(connection, place.cluster.roles)]


def test_a_migrated_database_has_no_holes(good: Place):
    with good.admin() as connection:
        assert holes(connection, good.cluster.roles) == []


def test_the_app_itself_sees_no_holes_either(platform: Platform):
    with platform.database.app.connect() as connection:
        assert holes(connection, platform.database.urls.roles) == []


def test_the_lint_looks_at_every_table_but_the_directory(good: Place):
    """A lint that looks at nothing finds nothing: take every policy away and every table must be named."""
    with good.admin() as connection:
        tables = connection.execute(
            text(
                "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('core', 'orders', 'points')"
                " AND tablename <> 'alembic_version'"
            )
        ).all()
        tenant_tables = {(s, t) for s, t in tables if not (s == "core" and t in DIRECTORY)}
        for schema, table in tenant_tables:
            connection.execute(text(f"DROP POLICY tenant ON {schema}.{table}"))
        named = {(hole.schema, hole.relation) for hole in holes(connection, good.cluster.roles)}
    assert len(tenant_tables) >= 15
    assert named == tenant_tables
    assert {f"core.{name}" for name in DIRECTORY} <= {f"{schema}.{table}" for schema, table in tables}


CLOSED = """
    ALTER TABLE points.planted ENABLE ROW LEVEL SECURITY;
    ALTER TABLE points.planted FORCE ROW LEVEL SECURITY;
    ALTER TABLE points.planted OWNER TO {owner};
    CREATE POLICY tenant ON points.planted TO {app} USING ({tied}) WITH CHECK ({tied});
    CREATE POLICY everywhere ON points.planted TO {owner} USING (true) WITH CHECK (true);
    GRANT SELECT, INSERT, UPDATE, DELETE ON points.planted TO {app};
"""
TABLE = "CREATE TABLE points.planted (tenant_id bigint NOT NULL, id bigint, PRIMARY KEY (tenant_id, id));" + CLOSED
PARTED = (
    "CREATE TABLE points.planted (tenant_id bigint NOT NULL, id bigint, PRIMARY KEY (tenant_id, id))"
    " PARTITION BY HASH (tenant_id);"
    "CREATE TABLE points.part PARTITION OF points.planted FOR VALUES WITH (MODULUS 1, REMAINDER 0);" + CLOSED
)


@pytest.mark.parametrize(
    "ddl",
    [
        TABLE,
        PARTED,
        TABLE + "CREATE POLICY less ON points.planted AS RESTRICTIVE TO {app} USING (id > 0)",
        TABLE + "CREATE INDEX planted_id ON points.planted (tenant_id, id) WHERE id > 0",
        TABLE
        + "CREATE TABLE points.child (tenant_id bigint REFERENCES core.tenant (id), id bigint,"
        + "  FOREIGN KEY (tenant_id, id) REFERENCES points.planted (tenant_id, id));"
        + CLOSED.replace("planted", "child"),
        (
            "CREATE VIEW points.fine WITH (security_invoker = true) AS SELECT * FROM points.lot;"
            "GRANT SELECT ON points.fine TO {app}"
        ),
        "CREATE VIEW points.ungranted AS SELECT * FROM points.lot",
        "CREATE MATERIALIZED VIEW points.ungranted AS SELECT * FROM points.lot",
        "CREATE FUNCTION points.fine() RETURNS bigint LANGUAGE sql AS 'SELECT 1'",
        (
            "CREATE FUNCTION points.closed() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';"
            "REVOKE EXECUTE ON FUNCTION points.closed() FROM PUBLIC"
        ),
    ],
)
def test_what_is_closed_is_not_called_a_hole(good: Place, ddl: str):
    assert found_with(good, ddl) == []


NO_TENANT = "the table has no tenant_id and is not in the directory list"
NO_POLICY = "no policy ties it to the tenant"
HOLES: dict[str, tuple[str, list[str]]] = {
    "a table without tenant_id": (
        "CREATE TABLE points.planted (id bigint)",
        [f"points.planted: {NO_POLICY}", f"points.planted: {NO_TENANT}"],
    ),
    "a table without tenant_id in core": (
        "CREATE TABLE core.planted (id bigint PRIMARY KEY)",
        [
            f"core.planted: {NO_POLICY}",
            "core.planted: the index or key planted_pkey does not begin with tenant_id",
            f"core.planted: {NO_TENANT}",
        ],
    ),
    "a table without tenant_id in a schema of nobody": (
        "CREATE TABLE public.planted (id bigint)",
        [f"public.planted: {NO_POLICY}", f"public.planted: {NO_TENANT}"],
    ),
    "a table with the name of a directory table elsewhere": (
        "CREATE TABLE points.tenant (id bigint)",
        [f"points.tenant: {NO_POLICY}", f"points.tenant: {NO_TENANT}"],
    ),
    "row-level security off": (
        "ALTER TABLE points.lot DISABLE ROW LEVEL SECURITY",
        ["points.lot: row-level security is off"],
    ),
    "row-level security off in core": (
        "ALTER TABLE core.event DISABLE ROW LEVEL SECURITY",
        ["core.event: row-level security is off"],
    ),
    "row-level security not forced": (
        "ALTER TABLE points.lot NO FORCE ROW LEVEL SECURITY",
        ["points.lot: row-level security is not forced on the owner"],
    ),
    "no policy": ("DROP POLICY tenant ON points.lot", [f"points.lot: {NO_POLICY}"]),
    "only a policy for reading": (
        "DROP POLICY tenant ON points.lot;CREATE POLICY tenant ON points.lot FOR SELECT TO {app} USING ({tied})",
        [f"points.lot: {NO_POLICY}", "points.lot: the policy tenant opens it to the app beyond its tenant"],
    ),
    "only a restrictive policy": (
        (
            "DROP POLICY tenant ON points.lot;"
            "CREATE POLICY tenant ON points.lot AS RESTRICTIVE TO {app} USING ({tied}) WITH CHECK ({tied})"
        ),
        [f"points.lot: {NO_POLICY}"],
    ),
    "a policy for somebody else": (
        (
            "DROP POLICY tenant ON points.lot;"
            "CREATE POLICY tenant ON points.lot TO {owner} USING ({tied}) WITH CHECK ({tied})"
        ),
        [f"points.lot: {NO_POLICY}"],
    ),
    "another policy that lets the app see all": (
        "CREATE POLICY more ON points.lot TO {app} USING (true)",
        ["points.lot: the policy more opens it to the app beyond its tenant"],
    ),
    "another policy that lets everybody see all": (
        "CREATE POLICY more ON points.lot USING (true)",
        ["points.lot: the policy more opens it to the app beyond its tenant"],
    ),
    "another policy for a role that the app is in": (
        (
            "CREATE ROLE {app}_group; GRANT {app}_group TO {app};"
            "CREATE POLICY more ON points.lot FOR SELECT TO {app}_group USING (true)"
        ),
        ["points.lot: the policy more opens it to the app beyond its tenant"],
    ),
    "another policy that lets the app write all": (
        "CREATE POLICY more ON points.lot FOR INSERT TO {app} WITH CHECK (true)",
        ["points.lot: the policy more opens it to the app beyond its tenant"],
    ),
    "a policy with another expression": (
        "ALTER POLICY tenant ON points.lot USING ({tied} OR tenant_id = 0)",
        [f"points.lot: {NO_POLICY}", "points.lot: the policy tenant opens it to the app beyond its tenant"],
    ),
    "a policy that trusts another setting": (
        (
            "ALTER POLICY tenant ON points.lot USING"
            " (tenant_id = (SELECT NULLIF(current_setting('threepeat.tenants', true), '')::bigint))"
        ),
        [f"points.lot: {NO_POLICY}", "points.lot: the policy tenant opens it to the app beyond its tenant"],
    ),
    "a policy that checks nothing that is written": (
        "ALTER POLICY tenant ON points.lot WITH CHECK (true)",
        [f"points.lot: {NO_POLICY}", "points.lot: the policy tenant opens it to the app beyond its tenant"],
    ),
    "an index that begins with something else": (
        "CREATE INDEX planted ON points.lot (member_id, tenant_id)",
        ["points.lot: the index or key planted does not begin with tenant_id"],
    ),
    "an index on an expression": (
        "CREATE INDEX planted ON points.lot ((tenant_id + 0))",
        ["points.lot: the index or key planted does not begin with tenant_id"],
    ),
    "a unique key across tenants": (
        "ALTER TABLE points.lot ADD CONSTRAINT planted UNIQUE (order_id)",
        ["points.lot: the index or key planted does not begin with tenant_id"],
    ),
    "a primary key across tenants": (
        "ALTER TABLE points.lot DROP CONSTRAINT lot_pkey, ADD CONSTRAINT planted PRIMARY KEY (id)",
        ["points.lot: the index or key planted does not begin with tenant_id"],
    ),
    "a foreign key without tenant_id": (
        "ALTER TABLE points.account ADD UNIQUE (tenant_id, debt);" + TABLE + "CREATE UNIQUE INDEX one"
        " ON points.planted (id); ALTER TABLE points.lot ADD CONSTRAINT planted FOREIGN KEY (member_id)"
        " REFERENCES points.planted (id)",
        [
            "points.lot: the foreign key planted does not begin with tenant_id",
            "points.planted: the index or key one does not begin with tenant_id",
        ],
    ),
    "a foreign key of the tenant to another id": (
        TABLE + "CREATE UNIQUE INDEX one ON points.planted (id);"
        "ALTER TABLE points.lot ADD CONSTRAINT planted FOREIGN KEY (tenant_id) REFERENCES points.planted (id)",
        [
            "points.lot: the foreign key planted does not begin with tenant_id",
            "points.planted: the index or key one does not begin with tenant_id",
        ],
    ),
    "a function with its owner's rights": (
        "CREATE FUNCTION points.planted() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        ["points.planted: the function runs with its owner's rights"],
    ),
    "a view with its owner's rights": (
        "CREATE VIEW points.planted AS SELECT * FROM points.lot; GRANT SELECT ON points.planted TO {app}",
        ["points.planted: the view runs with its owner's rights"],
    ),
    "a view of which one column is granted": (
        "CREATE VIEW points.planted AS SELECT * FROM points.lot; GRANT SELECT (id) ON points.planted TO {app}",
        ["points.planted: the view runs with its owner's rights"],
    ),
    "a view for everybody": (
        (
            "CREATE VIEW points.planted WITH (security_invoker = false) AS SELECT * FROM points.lot;"
            "GRANT SELECT ON points.planted TO PUBLIC"
        ),
        ["points.planted: the view runs with its owner's rights"],
    ),
    "a view with the name of the version table": (
        (
            "CREATE VIEW public.alembic_version AS SELECT * FROM points.lot;"
            "GRANT SELECT ON public.alembic_version TO {app}"
        ),
        ["public.alembic_version: the view runs with its owner's rights"],
    ),
    "a materialized view": (
        (
            "CREATE MATERIALIZED VIEW points.planted AS SELECT * FROM points.lot;"
            "GRANT SELECT ON points.planted TO {app}"
        ),
        ["points.planted: a materialized view knows no policy"],
    ),
    "a materialized view of which one column is granted": (
        (
            "CREATE MATERIALIZED VIEW points.planted AS SELECT * FROM points.lot;"
            "GRANT SELECT (id) ON points.planted TO {app}"
        ),
        ["points.planted: a materialized view knows no policy"],
    ),
    "a foreign table": (
        (
            "CREATE FOREIGN DATA WRAPPER far; CREATE SERVER away FOREIGN DATA WRAPPER far;"
            "CREATE FOREIGN TABLE points.planted (tenant_id bigint) SERVER away;"
            "GRANT SELECT ON points.planted TO {app}"
        ),
        ["points.planted: a foreign table knows no policy"],
    ),
    "a trigger": (
        (
            "CREATE TRIGGER planted BEFORE UPDATE ON points.lot FOR EACH ROW"
            " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
        ),
        ["points.lot: the trigger planted runs behind the statement's back"],
    ),
    "a rule": (
        "CREATE TABLE points.planted (LIKE points.entry);"
        + CLOSED
        + "CREATE RULE planted AS ON INSERT TO points.entry"
        " DO ALSO INSERT INTO points.planted SELECT * FROM points.entry",
        ["points.entry: the rule planted runs with its owner's rights"],
    ),
    "truncating": (
        "GRANT TRUNCATE ON points.lot TO {app}",
        ["points.lot: the app may truncate it, reference it or put triggers on it"],
    ),
    "triggers of the app": (
        "GRANT TRIGGER ON points.lot TO {app}",
        ["points.lot: the app may truncate it, reference it or put triggers on it"],
    ),
    "references to a column": (
        "GRANT REFERENCES (id) ON points.lot TO PUBLIC",
        ["points.lot: the app may truncate it, reference it or put triggers on it"],
    ),
    "a partition of its own": (
        PARTED + "GRANT SELECT ON points.part TO {app}",
        ["points.part: the app reaches a partition past its parent's policy"],
    ),
    "one column of a partition": (
        PARTED + "GRANT UPDATE (id) ON points.part TO {app}",
        ["points.part: the app reaches a partition past its parent's policy"],
    ),
    "a table of the app": (
        "ALTER TABLE points.lot OWNER TO {app}",
        [
            "points.lot: the app may truncate it, reference it or put triggers on it",
            "points.lot: the app role owns it",
        ],
    ),
    "a child table that inherits rows but no policy": (
        TABLE + "CREATE TABLE points.child () INHERITS (points.planted); GRANT SELECT ON points.child TO {app}",
        [f"points.child: {NO_POLICY}", "points.child: row-level security is off"],
    ),
}


@pytest.mark.parametrize("name", HOLES)
def test_a_planted_hole_is_named(good: Place, name: str):
    ddl, expected = HOLES[name]
    assert found_with(good, ddl) == expected


LEAKS = {
    "a rule": (
        HOLES["a rule"][0],
        (
            "INSERT INTO points.entry"
            " (tenant_id, member_id, reference, kind, points, occurred_at, available, expense)"
            " VALUES (1, 1, 'mine', 'earned', 1, now(), 1, -1)"
        ),
        "SELECT count(*) FROM points.planted WHERE tenant_id = 2",
    ),
    "a granted column of a materialized view": (
        (
            "CREATE MATERIALIZED VIEW points.planted AS SELECT tenant_id FROM points.entry;"
            "GRANT SELECT (tenant_id) ON points.planted TO {app}"
        ),
        "SELECT 1",
        "SELECT count(*) FROM points.planted WHERE tenant_id = 2",
    ),
}


@pytest.mark.parametrize("name", LEAKS)
def test_the_less_known_holes_are_holes_indeed(good: Place, name: str):
    ddl, act, look = LEAKS[name]
    with good.admin() as connection:
        connection.execute(
            text(
                "INSERT INTO points.entry"
                " (tenant_id, member_id, reference, kind, points, occurred_at, available, expense)"
                " VALUES (2, 2, 'theirs', 'earned', 1, now(), 1, -1)"
            )
        )
        good.run(connection, ddl)
        connection.execute(text("SELECT set_config('threepeat.tenant', '1', true)"))
        connection.execute(text(f"SET LOCAL ROLE {good.cluster.roles.app}"))
        assert connection.execute(text("SELECT count(*) FROM points.entry")).scalar_one() == 0
        connection.execute(text(act))
        connection.execute(text("RESET ROLE"))
        assert connection.execute(text(look)).scalar_one() == 1


def test_a_hole_reads_as_a_sentence_with_its_place():
    assert str(Hole("points", "lot", "row-level security is off")) == "points.lot: row-level security is off"


CORE_HOLES = {
    "ALTER TABLE core.event DISABLE ROW LEVEL SECURITY": r"core\.event: row-level security is off",
    "CREATE POLICY more ON core.member USING (true)": r"core\.member: the policy more opens it",
    "CREATE TABLE public.stray (id bigint)": r"public\.stray: the table has no tenant_id",
}


@pytest.mark.parametrize("ddl", CORE_HOLES)
def test_a_hole_outside_of_the_plugins_stops_the_boot(place: Place, tmp_path: Path, ddl: str):
    place.open(tmp_path).database.dispose()
    place.plant(ddl)
    with pytest.raises(BootError, match=r"tenants are not closed against each other:\n(.*\n)*" + CORE_HOLES[ddl]):
        place.open(tmp_path)


def shop(platform: Platform) -> None:
    """A store with points on and one member."""
    with platform.database.ops.begin() as ops:
        made = tenants.create(ops, "shop", by="test")
    with platform.database.tenant(made.id) as scope:
        switches.open_services(scope, made, platform.registry, by="test", act=platform.act)
        switches.enable(scope, made, platform.registry, "points", by="test", act=platform.act)
        members.put(scope, platform.keyring, "ann")


@contextmanager
def member(platform: Platform) -> Iterator[httpx2.Client]:
    """What that member's phone asks."""
    with platform.database.ops.connect() as ops:
        made = tenants.by_slug(ops, "shop")
    with platform.database.tenant(made.id) as scope:
        ann = members.get(scope, "ann")
    token, _ = keys.sign_token(platform.keyring, made.id, ann.id, "ann", keys.MAX_TOKEN_LIFE)
    headers = {"Authorization": f"Bearer {token}"}
    with serving(platform) as url, httpx2.Client(base_url=url, headers=headers) as client:
        yield client


def test_a_hole_in_a_plugins_schema_quarantines_that_plugin_alone(place: Place, tmp_path: Path):
    whole = place.open(tmp_path)
    shop(whole)
    with member(whole) as client:
        assert client.get("/v1/me/points/balance").status_code == 200
        assert client.get("/v1/me").json()["tactics"] == [{"id": "points", "title": "Points"}]
    whole.database.dispose()

    place.plant("ALTER TABLE points.lot DISABLE ROW LEVEL SECURITY")
    platform = place.open(tmp_path)
    reason = platform.registry.quarantined["points"].reason
    assert reason == "its tables are open to other tenants: points.lot: row-level security is off"
    assert "orders" in platform.registry
    with member(platform) as client:
        for path in ("/v1/me/points/balance", "/v1/me/points/history"):
            assert client.get(path).status_code == 404
        assert client.get("/v1/me").status_code == 200
        assert client.get("/v1/me").json()["tactics"] == []
        assert client.get("/healthz").status_code == 200
    Worker(platform).drain()
    platform.database.dispose()

    place.plant("ALTER TABLE points.lot ENABLE ROW LEVEL SECURITY")
    healed = place.open(tmp_path)
    assert "points" in healed.registry
    healed.database.dispose()


def test_what_stands_on_a_quarantined_service_waits_with_it(place: Place, tmp_path: Path):
    place.plant(
        "CREATE VIEW orders.everyone AS SELECT * FROM orders.buyer; GRANT SELECT ON orders.everyone TO {app}"
    )
    users = {one.id for one in Registry.discover() if "orders" in one.manifest.requires}
    platform = place.open(tmp_path)
    assert "points" in users
    assert {name: one.reason for name, one in platform.registry.quarantined.items()} == {
        "orders": "its tables are open to other tenants: orders.everyone: the view runs with its owner's rights",
        **dict.fromkeys(users, "it requires 'orders', which is not installed or quarantined"),
    }
    platform.database.dispose()
