"""The whole database into one file and back, as `pg_dump` and `pg_restore` read and write it.

The owner's role dumps and restores. Row-level security is forced on it, so its own policy has to show it every
row: a table that would be dumped in part is refused. The file holds the names of the roles of its installation;
what it says about them, the policies and the grants, is put into the names of the roles that it is restored for.
"""

import contextlib
import os
import re
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO

from sqlalchemy import URL, Connection, text

from threepeat.database.programs import BackupError, Programs, environment, installed, said, target
from threepeat.sdk.migrations import Roles

HEADER_LINES = 60
NEW_SETTING = b"SET transaction_timeout = 0;\n"
BLOCK = 1 << 20

LEFT_OUT = ("operator_session", "operator_link", "staff_session", "staff_link", "sign_in_failure")
"""Tables whose rows a backup does not hold: it would bring back a sign-in that was ended since."""

NOT_ALL_ROWS = text("""
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (
        SELECT coalesce(bool_or(p.polpermissive AND pg_get_expr(p.polqual, p.polrelid) = 'true'), false) AS open,
               coalesce(bool_or(NOT p.polpermissive), false) AS narrowed
        FROM pg_policy p
        WHERE p.polrelid = c.oid AND p.polcmd IN ('*', 'r') AND p.polroles && array_append(
            (SELECT array_agg(r.oid) FROM pg_roles r WHERE pg_has_role(:role, r.oid, 'MEMBER')), 0::oid)
    ) policies
    WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND (policies.narrowed OR NOT policies.open)
    ORDER BY 1
""")
CONTENTS = text("""
    SELECT n.nspname FROM pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')
    UNION ALL
    SELECT c.relname FROM pg_class c WHERE c.relnamespace = to_regnamespace('public')
    LIMIT 1
""")
OTHERS = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
""")

RELEASE = text("SELECT CAST(current_setting('server_version_num') AS integer) / 10000")

DUMPING = re.compile(r'dumping contents of table "(.+)"')
SCHEMA = re.compile(r"^\d+; \d+ \d+ SCHEMA - core (\S+)$", re.MULTILINE)
ABOUT_ROLES = re.compile(r"^\d+; \d+ \d+ (?:POLICY|ACL|DEFAULT ACL) .*$", re.MULTILINE)
FROM_SERVER = re.compile(r"Dumped from database version: (\d+)")
BY_PROGRAM = re.compile(r"Dumped by pg_dump version: (\d+)")
MADE_AT = re.compile(r"Archive created at (.+)")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Archive:
    """What a backup says of itself.

    Attributes:
        made_at: When, as its writer put it.
        roles: The roles of the installation that it comes from.
        server: Release of the server that it comes from.
        program: Release of the `pg_dump` that wrote it.
        contents: Its table of contents, an entry a line.
    """

    made_at: str
    roles: Roles
    server: int
    program: int
    contents: str

    @property
    def token(self) -> str:
        """Tells this backup from every other."""
        return sha256(self.contents.encode()).hexdigest()[:32]


def not_all_rows(connection: Connection, role: str) -> list[str]:
    """The tables of which a role does not see every row."""
    return list(connection.execute(NOT_ALL_ROWS, {"role": role}).scalars())


def is_empty(connection: Connection) -> bool:
    """Whether nothing was made in a database yet."""
    return connection.execute(CONTENTS).first() is None


def others(connection: Connection) -> int:
    """How many other connections the database has."""
    return int(connection.execute(OTHERS).scalar_one())


def release(connection: Connection) -> int:
    """The server's major version."""
    return int(
        connection.execute(text("SELECT current_setting('server_version_num')::integer / 10000")).scalar_one()
    )


def analyse(owner: Connection) -> None:
    """Gather the statistics, which a backup does not hold: without them even simple queries take minutes."""
    owner.execute(text("ANALYZE"))


def back_up(owner: URL, server: int, file: Path, say: Say) -> int:
    """Dump the database into a new file that its owner alone may read; while others go on reading and writing.

    Args:
        owner: URL of the owner role.
        server: The server's release.
        file: It appears when it is complete, and not before.
        say: Is told which table is being written.

    Returns:
        The file's size in bytes.

    Raises:
        BackupError: There is such a file already, the folder cannot be written to, or `pg_dump` is missing or
            failed.
    """
    if file.exists():
        raise BackupError(f"{file} is there already: choose another name")
    programs = Programs.find(server)
    dump = programs.command(
        *("pg_dump", "--format=custom", "--enable-row-security", "--no-password", "--verbose"),
        *(f"--exclude-table-data=core.{table}" for table in LEFT_OUT),
        f"--dbname={target(owner)}",
    )
    try:
        handle, draft = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    except OSError as error:
        raise BackupError(f"cannot write to {file.parent}: {error.strerror}") from error
    try:
        # By name, not as its standard output: only then the table of contents says where each table is.
        _dump([*dump, f"--file={draft}"], owner, say)
        os.fsync(handle)
        say("reading it back")
        programs.output("pg_restore", f"--file={os.devnull}", draft)
        Path(draft).rename(file)
    finally:
        os.close(handle)
        Path(draft).unlink(missing_ok=True)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return file.stat().st_size


def _dump(command: list[str], owner: URL, say: Say) -> None:
    last: deque[bytes] = deque(maxlen=20)
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(owner),
    )
    with _ended(process):
        assert process.stderr is not None  # noqa: S101
        for line in process.stderr:
            last.append(line)
            if table := DUMPING.search(line.decode(errors="replace")):
                say(table[1])
    if process.returncode:
        raise BackupError(said("pg_dump", b"".join(last)))


def read_archive(file: Path) -> Archive:
    """What a backup says of itself.

    Raises:
        BackupError: It is none, or not one of Threepeat, or no program is there to read it.
    """
    if not file.is_file():
        raise BackupError(f"there is no file {file}")
    newest = max(installed(), key=lambda found: found.major, default=None) or Programs.find(0)
    try:
        listed = newest.output("pg_restore", "--list", file)
    except BackupError as error:
        raise BackupError(f"{file} is not a backup that can be read: {error}") from error
    owner, server, program = SCHEMA.search(listed), FROM_SERVER.search(listed), BY_PROGRAM.search(listed)
    made = MADE_AT.search(listed)
    if not (owner and server and program and made and owner[1].endswith("_owner")):
        raise BackupError(f"{file} is a dump, but not one of Threepeat's database by `threepeat db backup`")
    roles = Roles.prefixed(owner[1].removesuffix("_owner"))
    return Archive(made[1], roles, int(server[1]), int(program[1]), listed)


def restore(owner: URL, roles: Roles, server: int, file: Path, say: Say) -> None:
    """Restore a backup into an empty database, all of it or nothing.

    Args:
        owner: URL of the owner role to the empty database.
        roles: The installation's roles; they may have other names than in the backup.
        server: The server's release.
        file: The backup.
        say: Is told how far it is.

    Raises:
        BackupError: The file cannot be restored on this server, or a program is missing or failed; the
            database is as empty as before.
    """
    archive = read_archive(file)
    if server < archive.server:
        raise BackupError(
            f"{file} comes from PostgreSQL {archive.server}: it cannot be restored on PostgreSQL {server}"
        )
    programs = Programs.find(max(server, archive.program))
    about_roles = ABOUT_ROLES.findall(archive.contents)
    everything_else = ABOUT_ROLES.sub("", archive.contents)
    read = programs.command("pg_restore", "--no-owner", "--file=-")
    write = programs.command(
        *("psql", "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse"),
        *("--file=-", f"--dbname={target(owner)}"),
    )
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
        first, then = Path(folder, "first"), Path(folder, "then")
        first.write_text(everything_else)
        then.write_text("\n".join(about_roles))
        closing = programs.output("pg_restore", "--no-owner", "--file=-", f"--use-list={then}", file)
        psql = subprocess.Popen(
            write, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, env=environment(owner)
        )
        # A broken pipe: it has stopped at an error, and says which.
        with contextlib.suppress(BrokenPipeError), _ended(psql):
            assert psql.stdin is not None  # noqa: S101
            # Without the last line, for whatever reason, nothing of all this stands.
            psql.stdin.write(b"BEGIN;\n")
            _pour([*read, f"--use-list={first}", str(file)], psql.stdin, say)
            say("policies and grants")
            psql.stdin.write(_renamed(closing, archive.roles, roles).encode() + b"\nCOMMIT;\n")
        if psql.returncode:
            errors.seek(0)
            raise BackupError(said("psql", errors.read()))


def _pour(command: list[str], sink: IO[bytes], say: Say) -> None:
    poured = 0
    source = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
    )
    with _ended(source):
        assert source.stdout is not None  # noqa: S101
        for _ in range(HEADER_LINES):
            line = source.stdout.readline()
            # Servers before 17 do not know it; their default is no limit, as it would be here.
            if line != NEW_SETTING:
                sink.write(line)
        while block := source.stdout.read(BLOCK):
            sink.write(block)
            poured += len(block)
            say(f"{poured / 1e6:,.0f} MB")
    if source.returncode:
        raise BackupError("pg_restore failed: the file is damaged")


def _renamed(script: str, before: Roles, after: Roles) -> str:
    """A script of policies and grants for roles of other names."""
    names = {before.owner: after.owner, before.app: after.app, before.ops: after.ops}
    script = script.replace(NEW_SETTING.decode(), "")
    return re.sub(rf"\b({'|'.join(map(re.escape, names))})\b", lambda found: names[found[1]], script)


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """A program that has ended after the block, by force if the block failed."""
    with process:
        try:
            yield
        except BaseException:
            process.kill()
            raise
