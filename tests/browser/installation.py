"""An installation as an operator runs it: an embedded PostgreSQL, `threepeat serve` and `threepeat worker`."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

from threepeat.database.config import DatabaseConfig
from threepeat.database.embedded import EmbeddedServer
from threepeat.events.platform import Platform
from threepeat.tenancy import keys
from threepeat.tenancy.tenants import Tenant
from threepeat_tenants.accounts import links, operators, staff

PASSWORD = "a quiet morning by the sea"
READY_SECONDS = 60
BATCH = "application/cloudevents-batch+json"
BY = "test"
REPORTS = re.compile(r"^threepeat_console_csp_reports_total\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)


@dataclass
class Installation:
    """A running installation, and what only its operator can do.

    Attributes:
        url: Where its pages are.
        log: What its processes write.
    """

    platform: Platform
    url: str
    log: Path
    count: int = 0

    def operator(self, name: str = "Olga") -> str:
        """A new operator who has a password; returns the login."""
        self.count += 1
        login = f"op{self.count}"
        with self.platform.database.ops.begin() as ops:
            made = operators.add(ops, login=login, name=name, by=BY)
            token = links.make_operator_link(ops, self.platform.keyring, made.id, BY)
            links.redeem(ops, self.platform.keyring, token, PASSWORD)
        return login

    def person(self, tenant: Tenant, role: str, name: str = "Ben") -> tuple[int, str]:
        """A new member of staff who has a password; returns core's number and the login."""
        self.count += 1
        login = f"person{self.count}@example.com"
        with self.platform.database.tenant(tenant.id) as scope:
            made = staff.add(scope, role=role, name=name, email=login, phone=None, by=BY)
            token = links.make_staff_link(scope, self.platform.keyring, made.id, BY)
            links.redeem(scope, self.platform.keyring, token, PASSWORD)
        return made.id, login

    def key(self, tenant: Tenant, *scopes: str, name: str = "shop") -> str:
        """A new API key."""
        with self.platform.database.tenant(tenant.id) as scope:
            return keys.create_key(scope, self.platform.keyring, name, scopes, by=BY)

    def send(self, tenant: Tenant, events: list[dict[str, object]]) -> None:
        """Send events as the shop's server does; each has to be accepted."""
        bearer = f"Bearer {self.key(tenant, 'ingest')}"
        headers = {"Authorization": bearer, "Content-Type": BATCH}
        answer = httpx2.post(f"{self.url}/v1/events", json=events, headers=headers, timeout=30)
        if answer.status_code >= 300:
            raise AssertionError(answer.text)

    def csp_reports(self) -> float:
        """How many violations browsers have reported."""
        return sum(map(float, REPORTS.findall(httpx2.get(f"{self.url}/metrics", timeout=30).text)))


@contextmanager
def installation(site: Path | None = None, **environment: str) -> Iterator[Installation]:
    """Run one until the block ends.

    Args:
        site: A folder of further plugins.
        environment: Of its processes, besides.
    """
    folder = Path(tempfile.mkdtemp(prefix="threepeat-browser-"))
    folder.chmod(0o755)
    own = {"THREEPEAT_DATA": str(folder / "data"), "THREEPEAT_HTTP_PAGE_REQUESTS": "0", **environment}
    if site is not None:
        own["PYTHONPATH"] = str(site)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        with _environment(own, site):
            server = EmbeddedServer(DatabaseConfig().data)
            stack.enter_context(server.supervised())
            platform = Platform.open()
        stack.callback(platform.database.dispose)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        made = Installation(platform, f"http://127.0.0.1:{port}", folder / "log")
        log = stack.enter_context(made.log.open("ab"))
        given = {**_without_urls(), "THREEPEAT_LOG_LEVEL": "warning", **own}
        api = stack.enter_context(_process(["serve", "--port", str(port)], given, log))
        stack.enter_context(_process(["worker", "--processes", "2"], given, log))
        _wait_ready(made, api)
        yield made


@contextmanager
def another_server(one: Installation, site: Path, **environment: str) -> Iterator[str]:
    """Serve the same database once more, from processes with another environment; yields its URL."""
    folder = one.log.parent
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    given = {
        **_without_urls(),
        "THREEPEAT_DATA": str(folder / "data"),
        "THREEPEAT_HTTP_PAGE_REQUESTS": "0",
        "PYTHONPATH": str(site),
        **environment,
    }
    with one.log.open("ab") as log, _process(["serve", "--port", str(port)], given, log) as api:
        other = Installation(one.platform, f"http://127.0.0.1:{port}", one.log)
        _wait_ready(other, api)
        yield other.url


def _without_urls() -> dict[str, str]:
    urls = {"THREEPEAT_APP_URL", "THREEPEAT_OWNER_URL", "THREEPEAT_OPS_URL", "THREEPEAT_KEYS"}
    return {name: value for name, value in os.environ.items() if name not in urls}


@contextmanager
def _environment(own: Mapping[str, str], site: Path | None) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update({**{name: value for name, value in before.items() if name in _without_urls()}, **own})
    if site is not None:
        sys.path.insert(0, str(site))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        if site is not None:
            sys.path.remove(str(site))


@contextmanager
def _process(
    arguments: list[str], environment: Mapping[str, str], log: object
) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "threepeat.cli", *arguments]
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(made: Installation, api: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        with suppress(httpx2.HTTPError):
            if httpx2.get(f"{made.url}/readyz", timeout=2).status_code == 200:
                return
        if api.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"the API did not start: {made.log.read_text(errors='replace')[-2000:]}")
