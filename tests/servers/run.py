"""Runs the suite on the PostgreSQL of an operator: another major than the embedded one, and through PgBouncer.

The embedded server is the newest major that we support, so `make test` proves that one. This starts the oldest,
with PgBouncer in transaction mode in front, both on the loopback address and in a folder that goes at the end, and
runs pytest three times: embedded, on the server, and with the app role's connections through the pooler.
"""

import argparse
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import psycopg

from threepeat.cli.demo import free_port
from threepeat.testing.cluster import memory

OURS = ("DATABASE_URL", "THREEPEAT_TEST_POOLER")
LEGS = ("embedded", "server", "pooler")
BINARIES = Path("/usr/lib/postgresql/15/bin")
INSTALL = "install PostgreSQL 15 and PgBouncer (Debian 12: apt-get install postgresql-15 pgbouncer)"
ADMIN = "postgres"
READY_SECONDS = 30.0

SERVER = """
listen_addresses = '127.0.0.1'
max_connections = 400
shared_buffers = 256MB
jit = off
timezone = 'UTC'
lc_messages = 'C'
log_min_messages = log
"""
# A pool of its own for each database and role: tests make databases all the time.
POOLER = """
[databases]
* = host=127.0.0.1 port={server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
pool_mode = transaction
auth_type = scram-sha-256
auth_file = {folder}/users.txt
auth_user = {admin}
auth_query = SELECT usename, passwd FROM pg_catalog.pg_shadow WHERE usename = $1
max_client_conn = 1000
default_pool_size = 20
server_idle_timeout = 30
query_wait_timeout = 30
log_connections = 0
log_disconnections = 0
"""


class ServersError(RuntimeError):
    """Something is missing or does not start; the message says what to do."""


@dataclass(frozen=True)
class Account:
    """Who the servers run as: PostgreSQL refuses root."""

    uid: int
    gid: int

    @classmethod
    def unprivileged(cls) -> "Account":
        """This account, unless it is root's."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        for name in ("postgres", "nobody"):
            with suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(entry.pw_uid, entry.pw_gid)
        raise ServersError("PostgreSQL does not run as root: create a system account named postgres")

    def write(self, path: Path, text: str, *, more: bool = False) -> None:
        """Put text into a file that only this account may read."""
        with path.open("a" if more else "w") as file:
            file.write(text)
        path.chmod(0o600)
        os.chown(path, self.uid, self.gid)

    def start(self, command: Sequence[object], folder: Path, log: Path) -> "subprocess.Popen[bytes]":
        """Start a program in a session of its own: an interrupt from the keyboard is ours to pass on."""
        root = os.geteuid() == 0
        with log.open("ab") as output:
            return subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                start_new_session=True,
                user=self.uid if root else None,
                group=self.gid if root else None,
                extra_groups=[] if root else None,
            )


@dataclass(frozen=True)
class Programs:
    """What is started."""

    binaries: Path
    pgbouncer: Path

    @classmethod
    def find(cls, binaries: Path, pgbouncer: str) -> "Programs":
        """See that they are there.

        Raises:
            ServersError: One is not.
        """
        found = shutil.which(pgbouncer, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        missing = [str(binaries / name) for name in ("initdb", "postgres") if not (binaries / name).exists()]
        if found is None:
            missing.append(pgbouncer)
        if missing or found is None:
            raise ServersError(
                f"{', '.join(missing)} not found: {INSTALL}, or name them with --binaries and --pgbouncer"
            )
        return cls(binaries, Path(found))

    def versions(self) -> Iterator[str]:
        """What they say of themselves."""
        for program in (self.binaries / "postgres", self.pgbouncer):
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
            yield said.splitlines()[0]


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL."""

    port: int
    password: str

    @property
    def url(self) -> str:
        """The superuser's URL."""
        return f"postgresql://{ADMIN}:{self.password}@127.0.0.1:{self.port}/postgres"


@contextmanager
def server(programs: Programs, account: Account, folder: Path) -> Iterator[Server]:
    """Run PostgreSQL as long as the block lasts."""
    made = Server(free_port(), secrets.token_urlsafe(18))
    data, log = folder / "data", folder / "postgresql.log"
    account.write(folder / "password", made.password)
    command = (
        programs.binaries / "initdb",
        f"--pgdata={data}",
        f"--pwfile={folder / 'password'}",
        f"--username={ADMIN}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
    )
    if account.start(command, folder, log).wait() != 0:
        raise ServersError(f"initdb failed:\n{log.read_text()}")
    account.write(data / "postgresql.conf", SERVER, more=True)
    command = (programs.binaries / "postgres", "-D", data, "-k", folder, "-p", made.port)
    with running(account.start(command, folder, log), signal.SIGINT):
        answering(made.url, log)
        yield made


@contextmanager
def pooler(programs: Programs, account: Account, folder: Path, behind: Server) -> Iterator[str]:
    """Run PgBouncer in front of it as long as the block lasts; yields host and port."""
    port = free_port()
    settings, log = folder / "pgbouncer.ini", folder / "pgbouncer.log"
    account.write(folder / "users.txt", f'"{ADMIN}" "{behind.password}"\n')
    account.write(settings, POOLER.format(server=behind.port, port=port, folder=folder, admin=ADMIN))
    with running(account.start((programs.pgbouncer, settings), folder, log), signal.SIGTERM):
        answering(Server(port, behind.password).url, log)
        yield f"127.0.0.1:{port}"


@contextmanager
def running(process: "subprocess.Popen[bytes]", end: signal.Signals) -> Iterator[None]:
    """A process that ends with the block."""
    try:
        yield
    finally:
        process.send_signal(end)
        try:
            process.wait(READY_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answering(url: str, log: Path) -> None:
    """Wait until a server lets us in.

    Raises:
        ServersError: It does not.
    """
    until = time.monotonic() + READY_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > until:
                raise ServersError(f"no answer: {error}\n{log.read_text()}") from error
            time.sleep(0.1)
        else:
            return


def suite(arguments: Sequence[str], report: Path, **environment: str) -> tuple[int, str]:
    """Run pytest to its end, even if we are to leave meanwhile; returns its exit status and what it counted."""
    clean = {name: value for name, value in os.environ.items() if name not in OURS}
    command = [sys.executable, "-m", "pytest", f"--junit-xml={report}", *arguments]
    run = subprocess.Popen(command, env={**clean, **environment})
    try:
        status = run.wait()
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt):  # which the keyboard has sent to pytest, too
            run.send_signal(signal.SIGINT)
        run.wait()
        raise
    return status, counted(report)


def counted(report: Path) -> str:
    """What a run of pytest came to, in one line."""
    if not report.exists():
        return "nothing was run"
    said = ET.parse(report).getroot()[0].attrib
    counts = ", ".join(f"{said[what]} {what}" for what in ("tests", "failures", "errors", "skipped"))
    return f"{counts}, {float(said['time']):.0f} s"


def leave(number: int, _frame: object) -> None:
    """End as after an interrupt: what was started is stopped."""
    raise SystemExit(128 + number)


def main() -> int:
    """Start what is needed, run what was asked for, and sum up."""
    signal.signal(signal.SIGTERM, leave)
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="Whatever else is given goes to pytest."
    )
    parser.add_argument("--binaries", type=Path, default=BINARIES, help="folder of PostgreSQL's programs")
    parser.add_argument("--pgbouncer", default="pgbouncer", help="the program PgBouncer")
    parser.add_argument("--only", choices=LEGS, action="append", help="run this one; may be repeated")
    given, arguments = parser.parse_known_args()
    legs = [leg for leg in LEGS if leg in (given.only or LEGS)]
    results: dict[str, tuple[int, str]] = {}
    try:
        with ExitStack() as stack:
            folder = Path(tempfile.mkdtemp(prefix="threepeat-servers-", dir=memory()))
            stack.callback(shutil.rmtree, folder)
            settings: dict[str, dict[str, str]] = {"embedded": {}}
            if legs != ["embedded"]:
                programs, account = Programs.find(given.binaries, given.pgbouncer), Account.unprivileged()
                print(*programs.versions(), sep="\n", flush=True)
                os.chown(folder, account.uid, account.gid)
                behind = stack.enter_context(server(programs, account, folder))
                front = stack.enter_context(pooler(programs, account, folder, behind))
                settings["server"] = {"DATABASE_URL": behind.url}
                settings["pooler"] = {"DATABASE_URL": behind.url, "THREEPEAT_TEST_POOLER": front}
            for leg in legs:
                print(f"\n==== {leg} ====", flush=True)
                results[leg] = suite(arguments, folder / f"{leg}.xml", **settings[leg])
    except ServersError as error:
        print(error, file=sys.stderr)
        return 1
    print()
    for leg, (status, said) in results.items():
        print(f"{leg:10}{'ok' if status == 0 else 'FAILED':8}{said}")
    return int(any(status for status, _ in results.values()))


if __name__ == "__main__":
    sys.exit(main())
