"""The whole life of a stranger's plugin, from nothing to its last row, with built wheels only.

`python tests/journey/journey.py` says each step and its seconds, and ends with 1 at the first that fails.

Two environments are made, the developer's and the operator's. Threepeat itself comes into both as wheels that are
built here; what those stand on is linked from the environment that runs this script, so no index is asked and
nothing is downloaded: the same bytes as in `constraints.txt`, without a second installation. Nothing of this
repository's folders is on the path of either.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DEVELOPERS = ("core",)
OPERATORS = ("core", "tenants", "plugins/orders", "plugins/points")
STORE = "tea-house"
PLUGIN = "thanks"
WAIT_SECONDS = 60
DAY = timedelta(days=1)
SHOWN = timedelta(seconds=15)
"""So long a thanks that is shown for a day is still shown when its order arrives."""


class JourneyError(Exception):
    """A step did not do what it must; the message says what happened instead."""


class Environment:
    """A virtual environment with third-party packages linked into it, and an empty folder to work in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.work.mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
        self.python = folder / "env/bin/python"
        (site,) = (folder / "env").glob("lib/python*/site-packages")
        for one in Path(sysconfig.get_path("purelib")).iterdir():
            # Schemathesis is a pytest plugin of this repository's own tests, which no plugin's developer has.
            if "threepeat" not in one.name and "schemathesis" not in one.name:
                (site / one.name).symlink_to(one)
        (folder / "env/bin/ruff").symlink_to(Path(sysconfig.get_path("scripts"), "ruff"))

    def pip(self, *arguments: str | Path) -> None:
        """Run pip on this environment; it reaches no index."""
        run([sys.executable, "-m", "pip", "--python", self.python, *arguments, "--quiet", *QUIET], self.work)

    def install(self, *arguments: str | Path) -> None:
        """Install wheels or a folder, without what they stand on: that is there."""
        self.pip("install", "--no-index", "--no-deps", "--no-build-isolation", "--force-reinstall", *arguments)

    def module(self, *command: str | Path, folder: Path | None = None, **environment: str) -> str:
        """Run `python -m …` and return what it printed."""
        return run([self.python, "-m", *command], folder or self.work, environment)

    def threepeat(self, *command: str, **environment: str) -> str:
        """Run `threepeat …` and return what it printed."""
        return run([self.folder / "env/bin/threepeat", *command], self.work, environment)


QUIET = ("--disable-pip-version-check", "--no-input")


def plain(environment: dict[str, str] | None = None) -> dict[str, str]:
    """The environment variables of a process, without those that are about Threepeat, Python or pytest."""
    left_out = ("PYTEST_", "THREEPEAT_", "PYTHON", "DATABASE_URL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {**kept, "COLUMNS": "160", **(environment or {})}


def run(command: list[str | Path], folder: Path, environment: dict[str, str] | None = None) -> str:
    """Run a program to its end.

    Raises:
        JourneyError: It failed; the message holds what it said.
    """
    done = subprocess.run(command, cwd=folder, env=plain(environment), capture_output=True, text=True, check=False)
    if done.returncode:
        words = " ".join(map(str, command))
        raise JourneyError(f"{words} ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


class Service:
    """The operator's running platform, as its clients see it."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.variables = {"THREEPEAT_DATA": str(environment.work / "data"), "THREEPEAT_LOG_LEVEL": "warning"}
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.key = ""
        self._process: subprocess.Popen[bytes] | None = None

    def threepeat(self, *command: str) -> str:
        """A command of the operator's."""
        return self.environment.threepeat(*command, **self.variables)

    def start(self) -> None:
        """Serve the API with a worker beside it, and wait until it answers."""
        log = (self.environment.work / "serve.log").open("ab")
        command = [
            self.environment.folder / "env/bin/threepeat",
            "serve",
            "--port",
            str(self.port),
            "--workers",
            "1",
        ]
        self._process = subprocess.Popen(
            command, cwd=self.environment.work, env=plain(self.variables), stdout=log, stderr=log
        )
        log.close()
        until(self._answers, "the API answers")

    def stop(self) -> None:
        """End it as a supervisor of services does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(WAIT_SECONDS)
            self._process = None

    def restart(self) -> None:
        """What every change of the installed plugins needs."""
        self.stop()
        self.start()

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise JourneyError(f"it ended: {(self.environment.work / 'serve.log').read_text()[-4000:]}")
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2):
                return True
        except OSError:
            return False

    def call(self, method: str, path: str, body: Any = None, *, token: str = "", status: int = 200) -> Any:
        """A request of the merchant's server, or of a member with their token.

        Raises:
            JourneyError: The answer has another status.
        """
        request = urllib.request.Request(
            self.url + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {token or self.key}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                found, said = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            found, said = error.code, error.read()
        if found != status:
            raise JourneyError(f"{method} {path} answered {found}: {said.decode()[:2000]}")
        return json.loads(said) if said else None

    def order(self, number: int, *, ago: timedelta = timedelta()) -> None:
        """Ann pays for an order, or has paid for it so long ago."""
        data = {"order_id": f"o-{number}", "total": 12_800, "currency": "CNY"}
        event = {"specversion": "1.0", "id": f"e-{number}", "source": "journey", "type": "order.paid"}
        paid_at = (datetime.now(UTC) - ago).isoformat()
        self.call("POST", "/v1/events", {**event, "subject": "ann", "time": paid_at, "data": data})

    def card(self) -> dict[str, Any]:
        """What Ann's phone shows of the tactic."""
        token = self.call("POST", "/v1/members/ann/token")["token"]
        found: dict[str, Any] = self.call("GET", f"/v1/me/{PLUGIN}/card", token=token)
        return found

    def states(self) -> dict[str, str]:
        """The store's tactics and whether each is on."""
        found = self.call("GET", "/v1/tactics")["tactics"]
        return {one["id"]: one["state"] for one in found}

    def listed(self) -> dict[str, dict[str, Any]]:
        """What `threepeat plugin list` tells, by plugin."""
        return {one["id"]: one for one in json.loads(self.threepeat("plugin", "list", "--json"))}


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something.

    Raises:
        JourneyError: It does not come about.
    """
    end = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > end:
            raise JourneyError(f"after {WAIT_SECONDS} seconds it is still not so that {what}")
        time.sleep(0.1)


def expect(found: object, wanted: object, what: str) -> None:
    """Hold something to what it must be.

    Raises:
        JourneyError: It is something else.
    """
    if found != wanted:
        raise JourneyError(f"{what}: {found!r} instead of {wanted!r}")


class Journey:
    """The steps, each with its seconds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, words: str) -> Iterator[None]:
        """A step: its words, and when it is done its seconds."""
        began = time.monotonic()
        print(f"{words} … ", end="", flush=True)
        try:
            yield
        except BaseException:
            print("failed", flush=True)
            raise
        self.seconds[words] = time.monotonic() - began
        print(f"{self.seconds[words]:.1f} s", flush=True)

    def go(self) -> None:
        """All of it.

        Raises:
            JourneyError: A step failed.
        """
        wheels = self.folder / "wheels"
        with self.step("Threepeat's own wheels are built"):
            for member in OPERATORS:
                source = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", wheels]
                run([sys.executable, "-m", "pip", *source, ROOT / member, "--quiet", *QUIET], self.folder)
        with self.step("the developer's environment is made"):
            developer = Environment(self.folder / "developer")
            developer.install(*(wheel(wheels, name) for name in DEVELOPERS))
        built = self._write(developer)
        with self.step("the operator's environment is made"):
            operator = Environment(self.folder / "operator")
            operator.install(*(wheel(wheels, name) for name in OPERATORS))
        service = Service(operator)
        try:
            self._live(service, built)
        finally:
            service.stop()

    def _write(self, developer: Environment) -> Path:
        project = developer.work / f"threepeat-{PLUGIN}"
        with self.step(f"threepeat plugin new {PLUGIN}"):
            developer.threepeat("plugin", "new", PLUGIN, "--defaults", "--author", "A Stranger")
            developer.install("--editable", project)
        with self.step("its first pytest is green"):
            said = developer.module("pytest", "-q", folder=project)
            expect(bool(re.search(r"\d+ passed", said)) and "skipped" not in said, True, said)
        with self.step("mypy, ruff and threepeat plugin check find nothing"):
            developer.module("mypy", folder=project)
            developer.module("ruff", "check", ".", folder=project)
            told = json.loads(
                developer.module("threepeat.cli", "plugin", "check", "--json", "--strict", folder=project)
            )
            expect(told["passed"], True, "the outcome of the check")
        with self.step("its wheel is built"):
            developer.module("hatchling", "build", "-t", "wheel", folder=project)
        return next((project / "dist").glob("*.whl"))

    def _live(self, service: Service, built: Path) -> None:
        with self.step("a platform runs, with a store on it"):
            service.start()
            service.threepeat("tenant", "create", STORE, "--enable", "points")
            scopes = ("--scope", "ingest", "--scope", "manage", "--scope", "read")
            service.key = service.threepeat("key", "create", STORE, *scopes).strip()
            expect(PLUGIN in service.states(), False, "the plugin is there before it is installed")
        with self.step("the wheel is installed, and audited"):
            service.environment.install(built)
            service.restart()
            service.threepeat("plugin", "audit", PLUGIN)
            service.threepeat("doctor")
            listed = service.listed()[PLUGIN]
            expect((listed["state"], listed["conflict"], listed["stores"]), ("ok", None, 0), "how it is listed")
        with self.step("the operator forbids it, and then allows it"):
            service.threepeat("tactic", "forbid", STORE, PLUGIN)
            service.call("POST", f"/v1/tactics/{PLUGIN}/enable", status=403)
            service.threepeat("tactic", "allow", STORE, PLUGIN)
        with self.step("the merchant switches it on"):
            settings = {"settings": {"every": 2, "days": 1}, "holdout_percent": 0}
            service.call("PUT", f"/v1/tactics/{PLUGIN}/settings", settings)
            service.call("POST", f"/v1/tactics/{PLUGIN}/enable")
            expect(service.states()[PLUGIN], "enabled", "its state")
        with self.step("events have their effect"):
            for number in (1, 2, 3):
                service.order(number, ago=DAY - SHOWN)
            until(lambda: service.card()["orders"] == 3, "three orders are counted")
            thanked = service.card()
            expect((thanked["thanks"], thanked["thanked"], thanked["left"]), (1, True, 1), "the card")
        self._leave_and_return(service, built, {**thanked, "thanked": False})

    def _leave_and_return(self, service: Service, built: Path, before: dict[str, Any]) -> None:
        with self.step("it is swapped out, and keeps what it owes"):
            service.call("POST", "/v1/tactics/points/disable")
            until(lambda: service.states()["points"] in {"off", "closing"}, "points gives its slot back")
            service.call("POST", "/v1/tactics/points/enable", {"replace": PLUGIN})
            service.order(4)
            owes = service.call("GET", f"/v1/tactics/{PLUGIN}/consequences")["owes"]
            expect((service.states()[PLUGIN], owes), ("closing", ["1 card shows a thanks"]), "what it owes")
            expect(service.card()["thanked"], True, "whether the card shows the thanks")
        with self.step("its obligations end, and it is off"):
            until(lambda: not service.card()["thanked"], "the thanks has had its day")
            service.call("POST", f"/v1/tactics/{PLUGIN}/disable")  # asks now what core asks every minute
            expect(service.states()[PLUGIN], "off", "its state")
        with self.step("it is uninstalled, and its data is kept"):
            service.environment.pip("uninstall", "--yes", f"threepeat-{PLUGIN}")
            service.restart()
            expect(PLUGIN in service.states(), False, "the plugin is there without its code")
            kept = service.listed()[PLUGIN]
            expect(kept["state"], "not installed, its data is kept", "how it is listed")
        with self.step("it is installed again, and its data is back"):
            service.environment.install(built)
            service.restart()
            service.call("POST", f"/v1/tactics/{PLUGIN}/enable")
            expect(service.card(), before, "the card")
            service.order(5)
            until(lambda: service.card()["orders"] == 4, "it goes on counting where it was")
            expect(service.card()["thanks"], 2, "the second thanks")
            service.threepeat("verify")
        with self.step("switched off, uninstalled and purged, only a file is left"):
            service.call("POST", f"/v1/tactics/{PLUGIN}/disable")
            service.environment.pip("uninstall", "--yes", f"threepeat-{PLUGIN}")
            service.restart()
            service.threepeat("plugin", "purge", PLUGIN, "--export", "left.zip", "--yes")
            expect(PLUGIN in service.listed(), False, "something is left of it")
            expect((service.environment.work / "left.zip").is_file(), True, "the file is there")


def wheel(folder: Path, member: str) -> Path:
    """The wheel that was built of a distribution of this repository."""
    return next(folder.glob(f"threepeat_{Path(member).name}-*.whl"))


def main() -> int:
    """Go, and say how long it took."""
    parser = argparse.ArgumentParser(description="The whole life of a stranger's plugin, with built wheels only.")
    parser.add_argument("--keep", type=Path, help="Work in this folder, which must not be there, and keep it.")
    keep: Path | None = parser.parse_args().keep
    folder = keep or Path(tempfile.mkdtemp(prefix="threepeat-journey-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # the embedded PostgreSQL runs under an account of its own
    journey = Journey(folder)
    began = time.monotonic()
    try:
        journey.go()
    except JourneyError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(journey.seconds)} steps in {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
