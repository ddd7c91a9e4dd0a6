import logging
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from threepeat.database import embedded
from threepeat.database.embedded import EmbeddedError, EmbeddedServer

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run the server as another account")


def processes(data: Path) -> set[int]:
    """The postmasters of a folder and their children, seen from /proc rather than through the module."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int(entry.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])
            if os.fsencode(data / "postgresql") in entry.joinpath("cmdline").read_bytes().split(b"\0"):
                found.add(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found | {pid for pid, parent in parents.items() if parent in found}


def wait_for(condition: Callable[[], bool], seconds: float = 15) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds
        time.sleep(0.02)
    return time.monotonic() - began


def run_script(data: Path, body: str, **options: object) -> subprocess.Popen[str]:
    head = "import os, sys\nfrom pathlib import Path\nfrom threepeat.database.embedded import EmbeddedServer\n"
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            head + "server = EmbeddedServer(Path(sys.argv[1]))\n" + textwrap.dedent(body),
            str(data),
        ],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(embedded.__file__).parents[2],
        **options,
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(dir="/tmp", prefix="threepeat-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(folder / "data")
    yield server
    # Another object, so that this also stops what the test's own object no longer knows about.
    EmbeddedServer(folder / "data").stop()
    wait_for(lambda: processes(folder / "data") == set(), 5)


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_start_and_stop_are_idempotent_and_leave_no_process(server: EmbeddedServer, folder: Path) -> None:
    data = folder / "data"
    assert not server.status().running
    server.stop()
    assert not data.exists()

    server.start()
    first = server.status()
    server.start()
    assert server.status() == first
    assert first.running
    assert first.data == data
    assert first.version is not None
    assert first.version.startswith("18.")
    assert first.pid in processes(data)
    assert len(processes(data)) > 1

    query(server.admin_url, "CREATE TABLE kept (n int)")
    server.stop()
    server.stop()
    wait_for(lambda: processes(data) == set(), 5)
    stopped = server.status()
    assert (stopped.running, stopped.pid, stopped.version) == (False, None, None)
    assert not (data / "postgresql" / "postmaster.pid").exists()

    server.start()
    assert query(server.admin_url, "SELECT count(*) FROM kept") == [(0,)]


def test_settings_permissions_and_passwords(server: EmbeddedServer, folder: Path) -> None:
    data = folder / "data"
    server.start()
    expected = {
        "listen_addresses": "",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "max_connections": "100",
        "shared_buffers": "256MB",
        "wal_compression": "pglz",
        "max_wal_size": "2GB",
        "jit": "off",
        "TimeZone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        "log_min_messages": "log",
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
        "server_encoding": "UTF8",
    }
    assert {name: query(server.admin_url, f"SHOW {name}")[0][0] for name in expected} == expected
    locale = "SELECT datlocprovider::text, datlocale FROM pg_database WHERE datname = 'template1'"
    assert query(server.admin_url, locale) == [("b", "C.UTF-8")]

    assert stat.S_IMODE((data / "postgres.password").stat().st_mode) == 0o600
    assert stat.S_IMODE((data / "postgresql").stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "socket").stat().st_mode) == 0o700
    if os.geteuid() == 0:
        owners = {(data / name).stat().st_uid for name in ("postgresql", "postgresql.log", "socket")}
        assert owners != {0}
        assert len(owners) == 1

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url("postgres", "wrong", "postgres"))

    word = "p@ss/w:rd?&=%+ é#"
    query(server.admin_url, f"CREATE ROLE \"o'dd role\" LOGIN PASSWORD '{word}'")
    url = server.url("o'dd role", word, "postgres")
    assert query(url, "SELECT current_user") == [("o'dd role",)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url("o'dd role", word + "x", "postgres"))
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT current_user")) == "o'dd role"
    engine.dispose()
    stored = "SELECT rolpassword ~ '^SCRAM-SHA-256' FROM pg_authid WHERE rolpassword IS NOT NULL"
    assert query(server.admin_url, stored) == [(True,), (True,)]

    (data / "postgres.password").write_text("wrong\n")
    with pytest.raises(EmbeddedError, match="refuses the password"):
        server.start()


def test_two_processes_start_at_once(server: EmbeddedServer, folder: Path) -> None:
    body = "server.start()\nprint(server.status().pid, flush=True)\nsys.stdin.read()"
    starters = [run_script(folder / "data", body, stdin=subprocess.PIPE) for _ in range(2)]
    pids = {int(starter.stdout.readline()) for starter in starters if starter.stdout}
    for starter in starters:
        starter.communicate("")
        assert starter.returncode == 0
    assert len(pids) == 1
    # The servers of processes that ended without a stop go on, and any process may stop them.
    assert server.status().pid in pids
    assert query(server.admin_url, "SELECT 1") == [(1,)]
    server.stop()
    assert not server.status().running
    wait_for(lambda: processes(folder / "data") == set(), 5)


def test_supervision_survives_kill(server: EmbeddedServer, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = folder / "data"
    with server.supervised() as running:
        assert running is server
        query(server.admin_url, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        other = EmbeddedServer(data)
        for _ in range(2):
            old = server.status().pid
            assert old is not None
            with psycopg.connect(server.admin_url) as busy:
                os.kill(old, signal.SIGKILL)
                with pytest.raises(psycopg.OperationalError):
                    busy.execute("SELECT pg_sleep(10)")
            assert wait_for(lambda old=old: other.status().pid not in {None, old}) < 5
            wait_for(lambda: other.status().version is not None)
            # Not even a zombie is left.
            assert not Path(f"/proc/{old}").exists()
            assert query(server.admin_url, "SELECT count(*) FROM kept") == [(1000,)]
    wait_for(lambda: processes(data) == set(), 5)
    assert {record.levelno for record in caplog.records} == {logging.WARNING}

    server.start()
    assert query(server.admin_url, "SELECT count(*) FROM kept") == [(1000,)]


def test_supervision_leaves_the_server_of_another_process_alone(server: EmbeddedServer, folder: Path) -> None:
    starter = run_script(folder / "data", "server.start()")
    starter.communicate()
    before = server.status().pid
    assert before is not None
    with server.supervised():
        pass
    assert server.status().pid == before


def test_sigterm_and_forked_children(server: EmbeddedServer, folder: Path) -> None:
    body = """
        import time
        with server.supervised():
            child = os.fork()
            if child == 0:
                sys.exit(0)
            os.waitpid(child, 0)
            print(server.status().pid, flush=True)
            time.sleep(60)
    """
    script = run_script(folder / "data", body, env=os.environ | {"PYTHONWARNINGS": "ignore"})
    assert script.stdout is not None
    assert int(script.stdout.readline()) == server.status().pid
    script.terminate()
    script.communicate(timeout=20)
    assert script.returncode == 128 + signal.SIGTERM
    wait_for(lambda: processes(folder / "data") == set(), 5)


def test_stale_pid_file_naming_a_live_process(server: EmbeddedServer, folder: Path) -> None:
    data = folder / "data"
    server.start()
    query(server.admin_url, "CREATE TABLE kept (n int)")
    old = server.status().pid
    assert old is not None
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: processes(data) == set() and not server.status().running)

    owner = (data / "postgresql").stat()
    account = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    # In a container, numbers repeat: a stranger of the same account now has the old postmaster's.
    with subprocess.Popen(["sleep", "60"], **account) as stranger:
        try:
            for path in (data / "postgresql" / "postmaster.pid", data / "socket" / ".s.PGSQL.5432.lock"):
                path.write_text(path.read_text().replace(str(old), str(stranger.pid), 1))
            assert not server.status().running
            server.start()
            assert server.status().pid != stranger.pid
            assert query(server.admin_url, "SELECT count(*) FROM kept") == [(0,)]
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_long_data_path(folder: Path) -> None:
    data = folder / "long" / ("x" * 60) / ("y" * 60) / "data"
    server = EmbeddedServer(data)
    with server.supervised():
        assert query(server.admin_url, "SELECT 1") == [(1,)]
        assert not (data / "socket").exists()
        assert server.admin_url == EmbeddedServer(data).admin_url
        sockets = Path(query(server.admin_url, "SHOW unix_socket_directories")[0][0])
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    wait_for(lambda: processes(data) == set(), 5)
    sockets.rmdir()


def test_interrupted_initdb_is_begun_again_and_foreign_files_are_kept(
    server: EmbeddedServer, folder: Path
) -> None:
    data = folder / "data"
    (data / "postgresql.new" / "base").mkdir(parents=True)
    (data / "postgresql").mkdir()
    foreign = data / "postgresql" / "foreign"
    foreign.touch()
    with pytest.raises(EmbeddedError, match="no PostgreSQL cluster"):
        server.start()
    foreign.unlink()
    server.start()
    assert not (data / "postgresql.new").exists()
    server.stop()
    (data / "postgresql" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match="made by PostgreSQL 17"):
        server.start()


def test_failing_start_reports_the_log(
    server: EmbeddedServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_LAUNCH_SECONDS", 0.5)
    server.start()
    server.stop()
    with (folder / "data" / "postgresql" / "postgresql.conf").open("a") as conf:
        conf.write("no_such_setting = 1\n")
    with pytest.raises(EmbeddedError, match="no_such_setting"):
        server.start()


def test_unusable_data_folder(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(EmbeddedError, match="use a folder"):
        EmbeddedServer(folder / "file").start()


@root_only
def test_a_folder_of_roots_own_is_stood_in_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(embedded, "_SHARED", folder / "shared")
    server = EmbeddedServer(closed / "data")
    server.start()
    try:
        assert query(server.admin_url, "SELECT 1") == [(1,)]
        assert EmbeddedServer(closed / "data").status().pid == server.status().pid
        assert server.status().data.parent == folder / "shared"
    finally:
        server.stop()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert list(closed.iterdir()) == []


@root_only
def test_unreachable_programs_are_copied_once(
    server: EmbeddedServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Path(embedded._programs(embedded._Account())).parents[1]
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    for name in (package.name, f"{package.name}.libs"):
        (closed / name).symlink_to(package.with_name(name))
    shared = folder / "shared"
    monkeypatch.syspath_prepend(closed)
    monkeypatch.setattr(embedded, "_SHARED", shared)
    server.start()
    command = Path(f"/proc/{server.status().pid}/cmdline").read_bytes()
    assert command.startswith(os.fsencode(shared / "postgresql-"))
    assert query(server.admin_url, "SELECT 1") == [(1,)]
    server.stop()
    before = sorted(path.stat().st_ino for path in shared.rglob("*"))
    server.start()
    assert sorted(path.stat().st_ino for path in shared.rglob("*")) == before
    assert len(list(shared.iterdir())) == 1


@root_only
def test_backup_unpacked_by_root(server: EmbeddedServer, folder: Path) -> None:
    server.start()
    query(server.admin_url, "CREATE TABLE kept (n int)")
    server.stop()
    pgdata = folder / "data" / "postgresql"
    owner = pwd.getpwuid(pgdata.stat().st_uid).pw_name
    for path in (pgdata, *pgdata.rglob("*")):
        os.chown(path, 0, 0, follow_symlinks=False)
    server.start()
    assert query(server.admin_url, "SELECT count(*) FROM kept") == [(0,)]
    assert pgdata.owner() == owner
