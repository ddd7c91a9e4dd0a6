"""`threepeat db backup`, `db restore` and `db discard`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from threepeat.cli.serve import leaving_in_order
from threepeat.database import beside, restoring
from threepeat.database.backup import (
    Archive,
    Say,
    analyse,
    back_up,
    is_empty,
    not_all_rows,
    others,
    read_archive,
    release,
)
from threepeat.database.backup import restore as read_back
from threepeat.database.checks import BootError
from threepeat.database.config import DATABASE, DatabaseConfig, Urls, connect
from threepeat.database.embedded import EmbeddedServer
from threepeat.database.engine import Database
from threepeat.database.programs import BackupError
from threepeat.database.roles import Passwords, bootstrap
from threepeat.events import erasure_list
from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.recovery import Recovery, recover

RESTORED = f"{DATABASE}_restored"

console = Console(stderr=True)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; it must not be there yet.")],
) -> None:
    """Write the whole database into one file, while everything goes on.

    Neither the secret keys nor the list of erasures are in it: keep both apart from it.
    """
    config = DatabaseConfig()
    urls = connect(config)
    with _opened(urls) as database, database.owner.connect() as owner:
        server, hidden = release(owner), not_all_rows(owner, urls.roles.owner)
        if is_empty(owner):
            raise BackupError(f"there is nothing in the database {urls.owner.database}")
        if restoring.marked(owner) is not None:
            raise BackupError("a backup is being restored into the database: bring that to its end first")
    if hidden:
        raise BackupError(
            f"the owner role {urls.roles.owner} does not see every row of {', '.join(hidden)}, so they would be "
            "dumped in part: give each a policy for it with USING (true), as `create_tenant_table` does"
        )
    began = time.monotonic()
    with leaving_in_order(), _progress("backup") as say:
        size = back_up(urls.owner, server, file, say)
    typer.echo(f"{file}: {size / 1e6:,.1f} MB in {time.monotonic() - began:.1f} seconds")
    typer.echo("Not in it, and needed to restore it; keep both elsewhere:")
    typer.echo(f"  the secret keys: {_keys_place(config)}")
    typer.echo(f"  the list of erasures, always in its newest state: {_list_of(config)}")


def restore(
    file: File,
    erasures: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="The list of erasures; repeat it for several machines."),
    ] = None,
    no_erasures: Annotated[
        bool, typer.Option("--no-erasures", help="Nobody was erased since the backup: there is no list.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Embedded server: keep the database in use under another name.")
    ] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Open the restored database though not every promise is kept in it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Restore a backup into an empty database, erase again what was erased since, and check everything.

    Nothing can serve from the restored database before that is done and green; exit 1 if it is not. Run again, it
    goes on with what it has restored. No database that holds anything is ever written to.
    """
    config = DatabaseConfig()
    lines = _erasures(config, erasures or [], none=no_erasures)
    keys = _keys(config)
    archive = read_archive(file)
    with leaving_in_order():
        urls = connect(config)
        place = _Beside(config, urls, replace=replace) if config.embedded else _InPlace(urls)
        place.check(archive)
        if not (yes or typer.confirm(f"Restore the backup of {archive.made_at} {place.words}?")):
            raise typer.Exit(1)
        began = time.monotonic()
        place.prepare(archive)
        _fill(place.urls, archive, file)
        _remember(config, lines)
        recovery = _recover(config, place.urls, keys, archive, lines)
        _report(recovery, time.monotonic() - began)
        if recovery.erased is None or (recovery.faults and not anyway):
            typer.echo("The restored database stays closed. Put right what is wrong and run the same again.")
            if recovery.erased is not None:
                typer.echo("To open it as it is, run it with --anyway.")
            raise typer.Exit(1)
        place.open()
    if recovery.faults:
        raise typer.Exit(1)


def discard(
    name: Annotated[str | None, typer.Argument(help="Which one; without it they are listed.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Drop a database that `db restore --replace` has kept. Later erasures do not reach into it."""
    config = DatabaseConfig()
    if not config.embedded:
        raise BackupError("THREEPEAT_APP_URL names a server of yours: drop databases there")
    connect(config)
    server = EmbeddedServer(config.data)
    names = beside.kept(server.admin_url, DATABASE)
    if name is None:
        typer.echo("\n".join(names) or "nothing is kept")
        return
    if name not in names:
        raise BackupError(f"there is no kept database {name!r}; `threepeat db discard` lists them")
    if not (yes or typer.confirm(f"Drop {name} for good?")):
        raise typer.Exit(1)
    beside.drop(server.admin_url, name)


class _InPlace:
    """The empty database of a server of the operator's own."""

    words = "into the database of THREEPEAT_OWNER_URL"

    def __init__(self, urls: Urls) -> None:
        self.urls = urls

    def check(self, archive: Archive) -> None:
        with _opened(self.urls) as database, database.owner.connect() as owner:
            if not is_empty(owner) and restoring.marked(owner) != archive.token:
                raise BackupError(
                    f"the database {self.urls.owner.database} is not empty, and a restore overwrites nothing: "
                    "make another one with `threepeat db create … --name NAME` and set the URLs to it"
                )
            if count := others(owner):
                also = ", then let the pooler close its own" if self.urls.app_pooled else ""
                raise BackupError(
                    f"the database has {count} other connections: stop everything that uses it{also}"
                )

    def prepare(self, archive: Archive) -> None:
        del archive

    def open(self) -> None:
        with _opened(self.urls) as database, database.owner.begin() as owner:
            restoring.end(owner)
        typer.echo(f"The database {self.urls.owner.database} is open.")


class _Beside:
    """A new database on the embedded server, which takes the place of the one in use in the end."""

    def __init__(self, config: DatabaseConfig, urls: Urls, *, replace: bool) -> None:
        self._current = urls
        self._replace = replace
        self._admin_url = EmbeddedServer(config.data).admin_url
        app, owner, ops = (url.set(database=RESTORED) for url in (urls.app, urls.owner, urls.ops))
        self.urls = Urls(app, owner, ops, urls.roles)

    @property
    def words(self) -> str:
        return "in place of the database in use, which is kept" if self._replace else "into the embedded server"

    def check(self, archive: Archive) -> None:
        del archive
        with _opened(self._current) as database, database.owner.connect() as owner:
            self._was_empty = is_empty(owner)
            if not self._was_empty and not self._replace:
                raise BackupError(
                    "the database is not empty, and a restore overwrites nothing: with --replace the restored "
                    "one takes its place, and it is kept under another name"
                )
            if count := others(owner):
                raise BackupError(
                    f"the database has {count} other connections: stop `threepeat serve`, `worker` and `demo`"
                )

    def prepare(self, archive: Archive) -> None:
        names = (str(url.password) for url in (self._current.owner, self._current.app, self._current.ops))
        passwords = Passwords(*names)
        bootstrap(self._admin_url, RESTORED, self.urls.roles, passwords)
        with _opened(self.urls) as database, database.owner.connect() as owner:
            another = not is_empty(owner) and restoring.marked(owner) != archive.token
        if another:  # of an earlier attempt with another backup
            beside.drop(self._admin_url, RESTORED)
            bootstrap(self._admin_url, RESTORED, self.urls.roles, passwords)

    def open(self) -> None:
        kept = beside.put_in_place(self._admin_url, RESTORED, DATABASE)
        if self._was_empty:
            beside.drop(self._admin_url, kept)
        else:
            typer.echo(f"What was in use before is kept as {kept}: `threepeat db discard` drops it.")
        typer.echo("The restored database is in place.")


def _fill(urls: Urls, archive: Archive, file: Path) -> None:
    began = time.monotonic()
    with _opened(urls) as database:
        with database.owner.begin() as owner:
            server, empty = release(owner), is_empty(owner)
            restoring.begin(owner, archive.token)
        if empty:
            try:
                with _progress("restore") as say:
                    read_back(urls.owner, urls.roles, server, file, say)
            finally:
                with database.owner.begin() as owner:
                    if is_empty(owner):
                        restoring.end(owner)
        with console.status("statistics"), database.owner.begin() as owner:
            analyse(owner)
    if empty:
        typer.echo(f"restored in {time.monotonic() - began:.1f} seconds")
    else:
        typer.echo("this backup was restored already; going on from there")


def _recover(config: DatabaseConfig, urls: Urls, keys: KeyConfig, archive: Archive, lines: list[str]) -> Recovery:
    admitted = restoring.admitted(urls, archive.token)
    settings = config.model_copy(
        update={
            f"{role}_url": getattr(admitted, role)
            .set(drivername="postgresql")
            .render_as_string(hide_password=False)
            for role in ("app", "owner", "ops")
        }
        | {"app_pooled": admitted.app_pooled}
    )
    try:
        platform = Platform.open(settings, keys=keys, upgrade=True)
    except BootError as error:
        return Recovery(None, 0, 0, [str(error)])
    try:
        with console.status("erasures and checks"):
            return recover(platform, lines)
    finally:
        platform.database.dispose()


def _report(recovery: Recovery, seconds: float) -> None:
    if recovery.erased is not None:
        typer.echo(f"{recovery.erased} erasures carried out again")
    typer.echo(f"{recovery.checks} checks in {recovery.tenants} tenants, {len(recovery.faults)} faults")
    for fault in recovery.faults:
        typer.echo(f"  {fault}")
    typer.echo(f"{seconds:.1f} seconds in all")


def _erasures(config: DatabaseConfig, given: list[Path], *, none: bool) -> list[str]:
    """The lines of the erasure lists, this machine's own among them; none only if that was said."""
    own = _list_of(config)
    files = [*([own] if own.exists() else []), *(file for file in given if file.resolve() != own.resolve())]
    if not files and not none:
        raise BackupError(
            f"the list of erasures is not here ({own}): name it with --erasures, or say --no-erasures if nobody "
            "was erased since the backup; without it erased people would be back"
        )
    lines: list[str] = []
    for file in files:
        found = file.read_text(errors="replace").splitlines()
        try:
            erasure_list.read(found)
        except ValueError as error:
            raise BackupError(f"{file}: {error}") from error
        lines += found
    return lines


def _remember(config: DatabaseConfig, lines: list[str]) -> None:
    """Put what other machines have listed on this one's list: the next restore needs it too."""
    own = _list_of(config)
    known = {entry.id for entry in erasure_list.read(own.read_text().splitlines())} if own.exists() else set()
    for entry in erasure_list.read(lines):
        if entry.id not in known:
            erasure_list.append(own, entry)


def _list_of(config: DatabaseConfig) -> Path:
    return config.erasures or config.data / "erasures.jsonl"


def _keys(config: DatabaseConfig) -> KeyConfig:
    """The keys of the installation that the backup comes from; here they must not be made."""
    keys = KeyConfig()
    file = keys.keys_file or config.data / "keys"
    if keys.keys is None and not file.exists():
        raise BackupError(
            f"the secret keys are not here ({file}): put back the ones that were in use when the backup was made; "
            "under others every API key is void and no sealed setting opens"
        )
    return KeyConfig(keys=keys.keys, keys_file=file)


def _keys_place(config: DatabaseConfig) -> str:
    keys = KeyConfig()
    return "THREEPEAT_KEYS" if keys.keys is not None else str(keys.keys_file or config.data / "keys")


@contextmanager
def _opened(urls: Urls) -> Iterator[Database]:
    database = Database(urls)
    try:
        yield database
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or error
        raise BackupError(f"the database {urls.owner.database}: {str(reason).splitlines()[0]}") from error
    finally:
        database.dispose()


@contextmanager
def _progress(what: str) -> Iterator[Say]:
    with console.status(what) as status:
        yield lambda detail: status.update(f"{what}: {detail}")
