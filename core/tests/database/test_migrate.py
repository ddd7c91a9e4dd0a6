import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, Table, text

from threepeat.database import migrate
from threepeat.database.config import connect
from threepeat.database.engine import Database
from threepeat.database.lint import holes
from threepeat.database.migrate import CORE, Source, State, Status
from threepeat.testing.conformance import schemas
from threepeat.testing.fixtures import Cluster

PACKAGES = {
    point.name: point.module.partition(".")[0] for point in sorted(entry_points(group="threepeat.plugins"))
}
SOURCES = [CORE, *(Source.of_package(name, files(package)) for name, package in PACKAGES.items())]

STEP = """
import sqlalchemy as sa
from alembic import op
from threepeat.sdk.migrations import create_tenant_table, drop_table

revision = "{revision}"
down_revision = {before!r}

def upgrade():
    create_tenant_table("t{revision}", sa.Column("note", sa.Text), key=())
    {then}

def downgrade():
    drop_table("t{revision}")
"""


def step(folder: Path, revision: str, before: str | None = None, then: str = "pass") -> None:
    folder.mkdir(exist_ok=True)
    body = STEP.format(revision=revision, before=before, then=then)
    (folder / f"{revision}_step.py").write_text(body)


@pytest.fixture
def bare(cluster: Cluster, tmp_path: Path) -> Iterator[Database]:
    """A database with nothing in it."""
    with cluster.database("template0") as name:
        database = Database(connect(cluster.config(name, tmp_path)))
        yield database
        database.dispose()


@pytest.fixture
def migrated(cluster: Cluster, tmp_path: Path) -> Iterator[Database]:
    with cluster.database() as name:
        database = Database(connect(cluster.config(name, tmp_path)))
        yield database
        database.dispose()


@pytest.fixture(scope="module")
def whole(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One migrated database for the tests that leave it as it is."""
    with cluster.database() as name:
        database = Database(connect(cluster.config(name, tmp_path_factory.mktemp("data"))))
        yield database
        database.dispose()


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    """The migrations of a stranger's plugin `loyal`: two steps."""
    folder = tmp_path / "versions"
    step(folder, "0001")
    step(folder, "0002", "0001")
    return folder


def upgrade(database: Database, *sources: Source, revision: str = "head") -> list[Status]:
    return migrate.upgrade(database.owner, database.urls.roles, sources, revision=revision)


def states(database: Database, *sources: Source) -> dict[str, tuple[State, str | None]]:
    with database.owner.connect() as connection:
        found = migrate.status(connection, database.urls.roles, sources)
    return {one.schema: (one.state, one.current) for one in found}


def catalogue(database: Database) -> dict[str, list[str]]:
    """Everything that migrations make."""
    with database.owner.connect() as connection:
        return schemas.catalogue(connection)


def relations(database: Database, schema: str) -> set[str]:
    with database.owner.connect() as connection:
        rows = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = :s"), {"s": schema})
        return set(rows.scalars())


def test_a_bare_database_is_pending_and_an_upgraded_one_is_ok(bare: Database):
    assert states(bare, *SOURCES) == {source.schema: (State.PENDING, None) for source in SOURCES}
    before = upgrade(bare, *SOURCES)
    assert [(one.schema, one.state, one.current) for one in before] == [
        (source.schema, State.PENDING, None) for source in SOURCES
    ]
    after = states(bare, *SOURCES)
    assert {schema: state for schema, (state, _) in after.items()} == dict.fromkeys(after, State.OK)
    assert list(after) == [source.schema for source in SOURCES]
    with bare.app.connect() as connection:
        assert holes(connection, bare.urls.roles) == []


def test_upgrading_again_changes_nothing(bare: Database):
    upgrade(bare, *SOURCES)
    once = catalogue(bare)
    again = upgrade(bare, *SOURCES)
    assert {one.state for one in again} == {State.OK}
    assert catalogue(bare) == once
    assert {kind for kind, rows in once.items() if not rows} <= {"types"}


def test_a_schema_behind_its_code_is_pending(migrated: Database, versions: Path):
    loyal = Source("loyal", versions)
    upgrade(migrated, loyal, revision="0001")
    assert states(migrated, CORE, loyal)["loyal"] == (State.PENDING, "0001")
    assert upgrade(migrated, loyal)[0] == Status("loyal", State.PENDING, "0001", "0002")
    assert states(migrated, CORE, loyal)["loyal"] == (State.OK, "0002")


def test_a_schema_past_its_code_is_ahead(migrated: Database, versions: Path):
    loyal = Source("loyal", versions)
    upgrade(migrated, loyal)
    (versions / "0002_step.py").unlink()
    shutil.rmtree(versions / "__pycache__", ignore_errors=True)
    assert states(migrated, loyal)["loyal"] == (State.AHEAD, "0002")


def test_a_schema_whose_code_is_gone_is_dormant(migrated: Database, versions: Path):
    upgrade(migrated, Source("loyal", versions))
    found = states(migrated, CORE)
    assert found["loyal"] == (State.DORMANT, None)
    assert found["points"] == (State.DORMANT, None)
    assert found["core"][0] is State.OK


def test_a_plugin_without_tables_has_no_state(migrated: Database, tmp_path: Path):
    nothing = Source("nothing", tmp_path / "none")
    assert upgrade(migrated, nothing) == []
    migrate.downgrade(migrated.owner, migrated.urls.roles, nothing)
    assert "nothing" not in states(migrated, *SOURCES, nothing)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_plugin_goes_up_and_down_and_up(migrated: Database, name: str):
    source = next(source for source in SOURCES if source.schema == name)
    assert {state for state, _ in states(migrated, *SOURCES).values()} == {State.OK}
    first, tables = catalogue(migrated), relations(migrated, name)
    assert len(tables) > 1
    migrate.downgrade(migrated.owner, migrated.urls.roles, source)
    assert relations(migrated, name) == {"alembic_version"}
    assert states(migrated, source)[name] == (State.PENDING, None)
    assert catalogue(migrated) != first
    upgrade(migrated, source)
    assert relations(migrated, name) == tables
    assert catalogue(migrated) == first


def test_a_downgrade_can_stop_half_way(migrated: Database, versions: Path):
    loyal = Source("loyal", versions)
    upgrade(migrated, loyal)
    migrate.downgrade(migrated.owner, migrated.urls.roles, loyal, revision="0001")
    assert states(migrated, loyal)["loyal"] == (State.PENDING, "0001")
    assert relations(migrated, "loyal") == {"alembic_version", "t0001"}


def test_core_is_not_taken_back(migrated: Database):
    before = catalogue(migrated)
    with pytest.raises(RuntimeError, match="core is not taken back"):
        migrate.downgrade(migrated.owner, migrated.urls.roles, CORE)
    assert catalogue(migrated) == before
    assert states(migrated, CORE)["core"][0] is State.OK


def metadata_of(name: str) -> MetaData:
    (found,) = schemas.metadata_of(PACKAGES[name])
    return found


def differences(connection: Connection, schema: str, metadata: MetaData) -> list[Any]:
    return schemas.differences(connection, schema, [metadata])


@pytest.mark.parametrize("name", PACKAGES)
def test_a_plugins_migrations_make_what_its_models_say(whole: Database, name: str):
    with whole.owner.connect() as connection:
        assert differences(connection, name, metadata_of(name)) == []
    assert {table.schema for table in metadata_of(name).tables.values()} == {name}
    assert {table.name for table in metadata_of(name).tables.values()} | {"alembic_version"} == (
        relations(whole, name)
    )


DIFFERENCES = {
    "ALTER TABLE points.lot ADD COLUMN planted bigint": "remove_column",
    "ALTER TABLE points.lot DROP COLUMN rate": "add_column",
    "ALTER TABLE points.lot ALTER COLUMN rate TYPE integer": "modify_type",
    "ALTER TABLE points.lot ALTER COLUMN rate DROP NOT NULL": "modify_nullable",
    "ALTER TABLE points.lot ALTER COLUMN rate SET DEFAULT 7": "modify_default",
    "COMMENT ON TABLE points.lot IS NULL": "add_table_comment",
    "COMMENT ON TABLE points.lot IS 'not personal'": "add_table_comment",
    "COMMENT ON COLUMN points.lot.rate IS 'planted'": "modify_comment",
    "DROP INDEX points.entry_reference": "add_index",
    "CREATE INDEX planted ON points.lot (tenant_id, rate)": "remove_index",
    "CREATE TABLE points.planted (tenant_id bigint)": "remove_table",
    "DROP TABLE points.refund": "add_table",
    "ALTER TABLE points.lot DROP CONSTRAINT lot_remaining_check": "check",
    "ALTER TABLE points.lot ADD CONSTRAINT planted CHECK (rate > 0)": "check",
}


@pytest.mark.parametrize("ddl", DIFFERENCES)
def test_a_planted_difference_is_seen(whole: Database, ddl: str):
    with whole.owner.connect() as connection:
        connection.execute(text(ddl))
        found = differences(connection, "points", metadata_of("points"))
    kinds = {one[0][0] if isinstance(one, list) else one[0] for one in found}
    assert DIFFERENCES[ddl] in kinds


def test_a_difference_of_the_models_is_seen(whole: Database):
    changed = MetaData(schema="points")
    for table in metadata_of("points").tables.values():
        table.to_metadata(changed)
    Table("planted", changed)
    with whole.owner.connect() as connection:
        assert [one[0] for one in differences(connection, "points", changed)] == ["add_table"]


def test_two_runners_at_once_do_the_work_once(bare: Database, cluster: Cluster, tmp_path: Path):
    assert bare.owner.url.database is not None
    runners = [Database(connect(cluster.config(bare.owner.url.database, tmp_path))) for _ in range(4)]
    ready = threading.Barrier(len(runners))

    def run(database: Database) -> list[Status]:
        ready.wait()
        return upgrade(database, *SOURCES)

    with ThreadPoolExecutor(len(runners)) as pool:
        found = list(pool.map(run, runners))
    for database in runners:
        database.dispose()
    assert sorted({one.state for one in run} == {State.PENDING} for run in found) == [False, False, False, True]
    assert [{one.state for one in run} for run in found].count({State.OK}) == 3
    assert {state for state, _ in states(bare, *SOURCES).values()} == {State.OK}


def test_two_databases_of_one_process_are_upgraded_at_once(cluster: Cluster, tmp_path: Path):
    with ExitStack() as stack:
        names = [stack.enter_context(cluster.database("template0")) for _ in range(3)]
        databases = [Database(connect(cluster.config(name, tmp_path))) for name in names]
        for database in databases:
            stack.callback(database.dispose)
        pool = stack.enter_context(ThreadPoolExecutor(len(databases)))
        list(pool.map(lambda database: upgrade(database, *SOURCES), databases))
        for database in databases:
            assert {state for state, _ in states(database, *SOURCES).values()} == {State.OK}


def test_a_runner_waits_for_the_one_before_it(migrated: Database, versions: Path):
    loyal = Source("loyal", versions)
    with ThreadPoolExecutor(1) as pool, migrated.ops.connect() as other:
        other.execute(text("SELECT pg_advisory_lock(:key)"), {"key": migrate.LOCK})
        running = pool.submit(upgrade, migrated, loyal)
        with pytest.raises(TimeoutError):
            running.result(0.5)
        other.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": migrate.LOCK})
        assert running.result(10)[0].state is State.PENDING
    assert states(migrated, loyal)["loyal"] == (State.OK, "0002")


def locks(database: Database) -> int:
    with database.ops.connect() as connection:
        found: int = connection.execute(
            text(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        ).scalar_one()
        return found


@pytest.mark.parametrize(
    "then",
    [
        "raise RuntimeError('planted')",
        "op.execute('SELECT 1 / 0')",
        "op.execute('CREATE TABLE loyal.t0002 (id bigint)')",
    ],
)
def test_a_failing_migration_leaves_the_schema_as_it_was(migrated: Database, tmp_path: Path, then: str):
    folder = tmp_path / "versions"
    step(folder, "0001")
    loyal = Source("loyal", folder)
    upgrade(migrated, loyal)
    before = catalogue(migrated)
    step(folder, "0002", "0001")
    step(folder, "0003", "0002", then)
    with pytest.raises(Exception, match=r"planted|division by zero|already exists"):
        upgrade(migrated, loyal)
    assert catalogue(migrated) == before
    assert states(migrated, loyal)["loyal"] == (State.PENDING, "0001")
    assert locks(migrated) == 0
    step(folder, "0003", "0002")
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    upgrade(migrated, loyal)
    assert relations(migrated, "loyal") == {"alembic_version", "t0001", "t0002", "t0003"}


def test_a_failing_first_migration_leaves_no_schema_behind(migrated: Database, tmp_path: Path):
    step(tmp_path / "versions", "0001", then="raise RuntimeError('planted')")
    before = catalogue(migrated)
    with pytest.raises(RuntimeError, match="planted"):
        upgrade(migrated, Source("loyal", tmp_path / "versions"))
    assert catalogue(migrated) == before
    assert "loyal" not in states(migrated, CORE)


def test_what_was_upgraded_before_a_failure_stays(bare: Database, tmp_path: Path):
    step(tmp_path / "versions", "0001", then="raise RuntimeError('planted')")
    with pytest.raises(RuntimeError, match="planted"):
        upgrade(bare, CORE, Source("loyal", tmp_path / "versions"))
    assert states(bare, CORE)["core"][0] is State.OK


def test_a_migration_does_not_queue_behind_a_long_transaction_for_ever(migrated: Database, tmp_path: Path):
    """Whoever waits for a table's lock stops everybody behind it, so a runner gives up soon."""
    step(tmp_path / "versions", "0001", then="op.execute('ALTER TABLE points.lot ADD COLUMN planted bigint')")
    before = catalogue(migrated)
    with migrated.ops.connect() as reader:
        reader.execute(text("SELECT count(*) FROM points.lot"))
        with pytest.raises(Exception, match="lock timeout"):
            upgrade(migrated, Source("loyal", tmp_path / "versions"))
    assert catalogue(migrated) == before
