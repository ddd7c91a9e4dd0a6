"""What is hostile costs a server little memory, at its peak too; measured on a process of its own."""

import gzip
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.plugins import Registry
from threepeat.tenancy import keys
from threepeat.testing.fixtures import Cluster

MOST_GROWTH = 50 * 1024 * 1024
LARGE = 8 * 1024 * 1024
BATCH = "application/cloudevents-batch+json"
EVENT = (
    b'{"specversion":"1.0","id":"%d","source":"s","type":"page.viewed","subject":"m","data":{"page":"p","x":%b}}'
)


def batch(count: int, size: int, *, first: int = 0) -> bytes:
    """Good events with so many bytes of data each."""
    text = b'"%b"' % (b"x" * size)
    return b"[" + b",".join(EVENT % (number, text) for number in range(first, first + count)) + b"]"


class Server:
    """A server process, and a key of a store in it."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, key: str) -> None:
        self.process, self.url, self.warm = process, url, 0
        self.headers = {"Authorization": f"Bearer {key}"}

    def memory(self, what: str) -> int:
        """`VmRSS`, or `VmHWM` for the peak since `forget_peak`; in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(what))

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def head(self, length: int) -> bytes:
        """The beginning of a request with events."""
        own = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\n{own}Content-Type: {BATCH}\r\n"
        return f"{head}Content-Length: {length}\r\n\r\n".encode()

    def put(self, body: bytes, **headers: str) -> httpx2.Response:
        headers = self.headers | {"Content-Type": "application/json"} | headers
        return httpx2.put(f"{self.url}/v1/members/m1", content=body, headers=headers, timeout=60)

    def events(self, body: bytes, **headers: str) -> httpx2.Response:
        headers = self.headers | {"Content-Type": BATCH} | headers
        return httpx2.post(f"{self.url}/v1/events", content=body, headers=headers, timeout=60)


@pytest.fixture(scope="module")
def server(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("memory")
    with cluster.database() as name, ExitStack() as stack:
        environment = cluster.environment(name, folder)
        config = cluster.config(name, folder)
        platform = Platform.open(config, registry=Registry([]), keys=KeyConfig(keys=environment["THREEPEAT_KEYS"]))
        stack.callback(platform.database.dispose)
        tenant = open_store(platform, "memory", by="test")
        with platform.database.tenant(tenant.id) as scope:
            key = keys.create_key(scope, platform.keyring, "test", ["ingest", "manage"], by="test")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        rates = {f"THREEPEAT_HTTP_{who}_EVENTS": "0" for who in ("KEY", "TENANT")}
        command = [sys.executable, "-m", "threepeat.cli", "--log-level", "error", "serve", "--port", str(port)]
        process = subprocess.Popen(command, env=environment | rates)
        try:
            made = Server(process, f"http://127.0.0.1:{port}", key)
            for _ in range(600):
                try:
                    httpx2.get(f"{made.url}/readyz").raise_for_status()
                    break
                except httpx2.HTTPError:
                    time.sleep(0.1)
            for number in range(20):
                assert made.put(b"{}").status_code == 200
                assert made.events(batch(1000, 200 if number else 8000, first=number * 1000)).status_code == 200
            made.warm = made.memory("VmRSS")
            yield made
        finally:
            process.terminate()
            process.wait(15)


CALLS: dict[str, bytes] = {
    "deep": b"[" * 500_000 + b"]" * 500_000,
    "wide": b"{" + b",".join(b'"%d":0' % n for n in range(100_000)) + b"}",
    "many empty arrays": b"[" + b",".join([b"[]"] * 340_000) + b"]",
    "9,999 unknown fields": b"{" + b",".join(b'"f%d":0' % n for n in range(9_999)) + b"}",
    "long text": b'{"x":"' + b"x" * 1_000_000 + b'"}',
    "long digits": b"1" * 1_000_000,
    "too large": b'{"x":"' + b"x" * LARGE + b'"}',
}
EVENTS: dict[str, bytes] = {
    "deep": b"[" * (LARGE // 2) + b"]" * (LARGE // 2),
    "many empty arrays": b"[" + b",".join([b"[]"] * (LARGE // 3 - 1)) + b"]",
    "many numbers": b"[" + b",".join([b"0"] * (LARGE // 2 - 1)) + b"]",
    "long text": b'["' + b"x" * (LARGE - 4) + b'"]',
    "a thousand that are not known": batch(1000, 8000).replace(b"page.viewed", b"page.eaten "),
    "a thousand deep ones": b"[" + b",".join(EVENT % (n, b"[" * 900 + b"]" * 900) for n in range(1000)) + b"]",
    "a wide one": b"[" + EVENT % (1, b"[" + b",".join([b"[]"] * 85_000) + b"]") + b"]",
    "a wide text": b'["' + "👩".encode() + b"x" * (LARGE - 8) + b'"]',
    "thirty wide ones": b"["
    + b",".join(EVENT % (n, b"{" + b",".join(b'"%d":0' % k for k in range(25_000)) + b"}") for n in range(30))
    + b"]",
}


def growth(server: Server, ask: Callable[[], httpx2.Response]) -> tuple[int, int]:
    """The answer's status, and by how much the peak of memory lies above what the server had when it was warm."""
    server.forget_peak()
    status = ask().status_code
    return status, server.memory("VmHWM") - server.warm


def test_the_measure_sees_what_is_held(server: Server) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    with ExitStack() as stack:
        for _ in range(4):
            sender = stack.enter_context(socket.create_connection((host, int(port))))
            sender.sendall(server.head(LARGE) + b" " * (LARGE - 1))
        time.sleep(0.5)
        assert server.memory("VmRSS") - server.warm > LARGE


@pytest.mark.parametrize("name", CALLS)
def test_a_hostile_call_costs_little_memory(server: Server, name: str) -> None:
    status, grown = growth(server, lambda: server.put(CALLS[name]))
    print(f"{name}: {status}, {grown / 1e6:.1f} MB")
    assert 400 <= status < 500
    assert grown < MOST_GROWTH


@pytest.mark.parametrize("name", EVENTS)
def test_hostile_events_cost_little_memory(server: Server, name: str) -> None:
    status, grown = growth(server, lambda: server.events(EVENTS[name]))
    print(f"{name}: {status}, {grown / 1e6:.1f} MB")
    assert status < 500
    assert grown < MOST_GROWTH


def test_a_bomb_is_not_even_unpacked(server: Server) -> None:
    # A gigabyte once unpacked: the parts of a gzip body follow each other.
    bomb = gzip.compress(b"[") + gzip.compress(b" " * (1 << 24), 9) * 64 + gzip.compress(b"]")
    for ask in (server.put, server.events):
        status, grown = growth(server, lambda ask=ask: ask(bomb, **{"Content-Encoding": "gzip"}))
        assert (status, grown < MOST_GROWTH) == (415, True)


def test_fifty_who_send_slowly_cost_what_they_have_sent(server: Server) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    server.forget_peak()
    with ExitStack() as stack:
        senders = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(50)]
        for sender in senders:
            sender.sendall(server.head(LARGE) + b" " * 100_000)
        time.sleep(0.5)
        assert server.put(b"{}").status_code == 200
    assert server.memory("VmHWM") - server.warm < MOST_GROWTH
