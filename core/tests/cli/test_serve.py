"""`threepeat serve` with several processes is one server: what it was told holds in each of them."""

import json
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx2
import pytest

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
