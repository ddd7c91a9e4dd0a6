"""A schema can be made, taken back and made again, and is what the models say."""

import re
import traceback
from collections.abc import Callable, Iterator

from threepeat.database import migrate
from threepeat.database.config import connect
from threepeat.database.engine import Database
from threepeat.database.erasable import faults
from threepeat.database.lint import holes
from threepeat.database.migrate import Source
from threepeat.testing.conformance.bench import Bench, NotApplicable
from threepeat.testing.conformance.schemas import catalogue, differences, metadata_of, unfinished, unlike

TITLE = "Migrations go up, down and up again, make what the models say, and keep every table with its tenant."
FIX = (
    "Make tables with create_tenant_table and indexes with create_tenant_index of threepeat.sdk.migrations, let"
    " each downgrade undo all that its upgrade does, and add a revision for whatever changes in models.py."
)
REVISION = re.compile(r"^revision\b[^=]*=\s*['\"]([^'\"]+)", re.MULTILINE)


class _StuckError(Exception):
    """A migration failed; the message is the finding."""


def check(bench: Bench) -> Iterator[str]:
    """Take the plugin's schema up, down and up in a database of its own."""
    installed = bench.installed
    source = Source.of_package(installed.id, installed.package)
    package = type(installed.plugin).__module__.partition(".")[0]
    metadata = metadata_of(package)
    if not source.versions.is_dir():
        for table in (name for one in metadata for name in one.tables):
            yield f"{table} is in the models, and the package has no folder migrations/versions"
        if not metadata:
            raise NotApplicable("it has no tables")
        return
    with bench.cluster.database() as name:
        database = Database(connect(bench.cluster.config(name, bench.data)))
        try:
            yield from _there_and_back(database, source)
            if metadata:
                with database.owner.connect() as connection:
                    yield from unfinished(differences(connection, installed.id, metadata), installed.id)
            yield from _closed(database, installed.id)
        except _StuckError as stuck:
            yield str(stuck)
        finally:
            database.dispose()


def _there_and_back(database: Database, source: Source) -> Iterator[str]:
    roles, schema = database.urls.roles, source.schema

    def up() -> None:
        migrate.upgrade(database.owner, roles, [source])

    def down() -> None:
        migrate.downgrade(database.owner, roles, source)

    def seen() -> dict[str, list[str]]:
        with database.owner.connect() as connection:
            return catalogue(connection, schema)

    _run(up, source, "up")
    first = seen()
    _run(down, source, "down")
    kept = ("alembic_version", "alembic_version_pkc")
    left = [one for kind, rows in seen().items() if kind != "schemas" for one in rows if not _names(one, kept)]
    yield from (f"{schema}: after the way down {one} is left" for one in left)
    _run(up, source, "up again")
    yield from (f"{schema}: after up, down and up {one}" for one in unlike(first, seen()))


def _names(row: str, kept: tuple[str, ...]) -> bool:
    return any(f"'{one}'" in row for one in kept)


def _run(step: Callable[[], None], source: Source, way: str) -> None:
    try:
        step()
    except Exception as error:
        said = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        raise _StuckError(f"{_where(error, source)} fails on the way {way}: {said}") from error


def _where(error: BaseException, source: Source) -> str:
    """The revision whose code was running, by the file that the error passed through."""
    files = {one.name: one for one in source.versions.iterdir() if one.name.endswith(".py")}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        name = frame.filename.replace("\\", "/").rpartition("/")[2]
        if name in files and "versions" in frame.filename:
            found = REVISION.search(files[name].read_text("utf-8"))
            return f"the revision {found[1] if found else name} ({name}:{frame.lineno})"
    return f"the migration of {source.schema}"


def _closed(database: Database, schema: str) -> Iterator[str]:
    with database.app.connect() as connection:
        for hole in (*holes(connection, database.urls.roles), *faults(connection, database.urls.roles)):
            if hole.schema == schema:
                yield str(hole)
