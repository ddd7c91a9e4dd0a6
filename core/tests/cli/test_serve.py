"""`threepeat serve` with several processes is one server: what it was told holds in each of them."""

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress

import httpx2
import psutil
import psycopg
import pytest
from psycopg import sql

from threepeat.cli.cores import can_be_kept
from threepeat.cli.demo import free_port

QUOTELESS = "payment without its quote"
"""What a worker logs of an order that names a quote nobody made."""


@pytest.fixture
def serve(cluster, platform, tmp_path):
    """Serves the platform's database; yields its port and its log."""

    @contextmanager
    def run(*options, form):
        port, log = free_port(), tmp_path / "serve.log"
        environment = cluster.environment(platform.database.urls.app.database, tmp_path)
        command = [sys.executable, "-m", "threepeat.cli", "--log-format", form, "serve", "--port", str(port)]
        with log.open("wb") as written:
            served = subprocess.Popen([*command, *options], env=environment, stdout=written, stderr=written)
        try:
            yield port, log
        finally:
            served.terminate()
            served.wait(30)

    return run


@pytest.fixture
def closed(cluster, platform):
    """Nobody is let into the platform's database until the block ends."""
    if platform.database.urls.app_pooled:
        pytest.skip("a pooler's connections stay open when the database is closed")

    def let_in(whether):
        name, statement = platform.database.urls.app.database, "ALTER DATABASE {} ALLOW_CONNECTIONS {}"
        with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Literal(whether)))

    @contextmanager
    def run():
        let_in(False)
        try:
            yield
        finally:
            let_in(True)

    return run


@pytest.fixture
def threepeat(cluster, platform, tmp_path):
    """Runs another command on the platform's database to its end."""

    def run(*arguments, **environment):
        return subprocess.run(
            [sys.executable, "-m", "threepeat.cli", *arguments],
            env=cluster.environment(platform.database.urls.app.database, tmp_path) | environment,
            capture_output=True,
            check=False,
            text=True,
        )

    return run


def until(holds):
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def refused(port):
    """Whether somebody answers that a credential is missing, which is logged."""
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/v1/me").status_code == 401
    except httpx2.TransportError:
        return False


def test_every_process_of_the_api_logs_as_it_was_told(serve):
    with serve("--processes", "2", form="json") as (port, log):
        until(lambda: refused(port))
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [line["status"] for line in lines if line.get("route") == "/v1/me"] == [401]


def test_the_workers_beside_it_log_as_it_was_told(serve, tenant, send):
    send(tenant, "order.paid", "ann", order_id="1", total=100, currency="CNY", reservation_id="unknown")
    with serve("--workers", "1", form="text") as (_port, log):
        until(lambda: QUOTELESS in log.read_text("utf-8"))
    (line,) = [line for line in log.read_text("utf-8").splitlines() if QUOTELESS in line]
    assert not line.startswith("{")


def test_workers_beside_it_that_are_killed_are_started_again(serve, tenant, send):
    with serve("--workers", "1", form="json") as (port, log):
        until(lambda: refused(port))
        server = next(one for one in psutil.process_iter() if str(port) in cmdline(one))
        workers = [one for one in server.children() if "worker" in cmdline(one)]
        for one in workers:
            one.kill()
        send(tenant, "order.paid", "ann", order_id="1", total=100, currency="CNY", reservation_id="unknown")
        until(lambda: QUOTELESS in log.read_text("utf-8"))
    assert len(workers) == 1
    assert "a process beside this one has ended" in log.read_text("utf-8")
    assert not psutil.pid_exists(server.pid)


@pytest.mark.skipif(not can_be_kept(), reason="this system does not let a process choose its core")
def test_each_process_has_a_core_of_its_own_and_leaves_it_to_who_comes_after_it(serve):
    def cores():
        return sorted(tuple(one.cpu_affinity()) for one in answering())

    def answering():
        return [one for one in server.children() if "spawn_main" in "".join(cmdline(one))]

    free = sorted(os.sched_getaffinity(0))
    want = sorted((free[number % len(free)],) for number in range(2))
    with serve("--processes", "2", "--workers", "1", "--cpu-affinity", form="text") as (port, _log):
        until(lambda: refused(port))
        server = next(one for one in psutil.process_iter() if str(port) in cmdline(one))
        until(lambda: cores() == want)
        (worker,) = [one for one in server.children() if "worker" in cmdline(one)]
        assert sorted(worker.cpu_affinity()) == free
        killed = answering()[0]
        killed.kill()
        until(lambda: cores() == want and killed not in answering())


@pytest.mark.skipif(not can_be_kept(), reason="this system does not let a process choose its core")
def test_without_being_told_nobody_keeps_to_a_core(serve):
    with serve("--processes", "2", form="text") as (port, _log):
        until(lambda: refused(port))
        server = next(one for one in psutil.process_iter() if str(port) in cmdline(one))
        assert {tuple(sorted(one.cpu_affinity())) for one in server.children()} == {
            tuple(sorted(os.sched_getaffinity(0)))
        }


def cmdline(process):
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def test_a_server_that_starts_before_its_database_waits_for_it(serve, closed):
    with ExitStack() as stack:
        with closed():
            port, log = stack.enter_context(serve(form="text"))
            until(lambda: "the database cannot be reached yet" in log.read_text("utf-8"))
        until(lambda: refused(port))


def test_a_worker_says_why_it_does_not_wait_any_longer(threepeat, closed, tenant, send):
    send(tenant, "order.paid", "ann", order_id="1", total=100, currency="CNY")
    with closed():
        ended = threepeat("worker", "--drain", THREEPEAT_WAIT_SECONDS="0.1")
    assert ended.returncode == 1
    said = " ".join(ended.stderr.split())
    assert "error the database cannot be reached: connection failed" in said
    assert "Traceback" not in said
    assert threepeat("worker", "--drain").stdout == "1 events passed\n"


def test_other_commands_do_not_wait_and_say_so_in_one_line(threepeat, closed):
    with closed():
        began = time.monotonic()
        ended = threepeat("doctor", THREEPEAT_WAIT_SECONDS="600")
    assert time.monotonic() - began < 60
    assert (ended.returncode, "Traceback" in ended.stderr) == (1, False)
    assert "error the database cannot be reached" in ended.stderr
