"""What the tests of `threepeat plugin` share: an environment for a new plugin, a platform, and rules to ask."""

import os
import subprocess
import sys
import sysconfig
from contextlib import contextmanager
from importlib import reload
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from typer.testing import CliRunner

from threepeat.cli.app import app
from threepeat.cli.plugin import checking
from threepeat.events.platform import KeyConfig, Platform
from threepeat.plugins import Registry
from threepeat.testing.conformance import rules
from threepeat.testing.conformance.bench import Bench
from threepeat.testing.conformance.project import Project

TOYS = Path(__file__).parent / "toys"
STRANGERS = ("threepeat", "schemathesis")
"""Other plugins, and what pytest would load although no plugin asks for it."""


class Workshop:
    """A new plugin's project, and an environment that has core and nothing else of Threepeat."""

    def __init__(self, folder: Path, name: str, *, editable: bool = True):
        self.project, self.environment = folder / "project", folder / "environment"
        made = CliRunner().invoke(app, ["plugin", "new", name, "--defaults", "--output", str(self.project)])
        assert made.exit_code == 0, made.output
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self.environment], check=True)
        site = next(self.environment.glob("lib/python*/site-packages"))
        for one in Path(sysconfig.get_path("purelib")).iterdir():
            if not any(word in one.name for word in STRANGERS) or "threepeat_core" in one.name:
                (site / one.name).symlink_to(one)
        (self.environment / "bin/ruff").symlink_to(Path(sysconfig.get_path("scripts"), "ruff"))
        install = [sys.executable, "-m", "pip", "--python", self.environment / "bin/python", "install", "--quiet"]
        options = ["--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index"]
        what = ["-e", self.project] if editable else [self.project]
        subprocess.run([*install, *options, *what], check=True, env=self.plain())

    @staticmethod
    def plain():
        """The environment without what this test run has set in it."""
        left_out = ("PYTEST_", "THREEPEAT_", "COV_")
        return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}

    def run(self, *command, folder=None):
        """Run a Python module in the project, as `python -m …`."""
        return subprocess.run(
            [self.environment / "bin/python", "-m", *command],
            cwd=folder or self.project,
            env=self.plain(),
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def workshop(tmp_path_factory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("workshop"), "thanks")


@pytest.fixture(scope="session")
def make_workshop(tmp_path_factory):
    return lambda name, **given: Workshop(tmp_path_factory.mktemp("workshop"), name, **given)


@pytest.fixture
def toys():
    return TOYS


@pytest.fixture
def visits(monkeypatch):
    monkeypatch.syspath_prepend(TOYS)
    import visits_toy

    reload(visits_toy)
    yield Registry.load([("visits", visits_toy.plugin)])
    sys.modules.pop("visits_toy", None)


@pytest.fixture
def place(cluster, tmp_path, monkeypatch):
    """A database, in which one store has the tactic and members have ordered."""
    with cluster.database() as name:
        environment = cluster.environment(name, tmp_path)
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        yield Place(cluster.config(name, tmp_path), KeyConfig(keys=environment["THREEPEAT_KEYS"]))


class Place:
    def __init__(self, config, keys):
        self.config, self.keys = config, keys

    def opened(self, registry):
        return Platform.open(self.config, registry=registry, keys=self.keys, upgrade=True)

    def ask(self, query, **binds):
        engine = create_engine(make_url(self.config.ops_url).set(drivername="postgresql+psycopg"))
        try:
            with engine.connect() as ops:
                return [tuple(row) for row in ops.execute(text(query), binds)]
        finally:
            engine.dispose()


@pytest.fixture
def asked(monkeypatch):
    """Runs the command with rules of the test's own, on no bench at all."""

    @contextmanager
    def on_no_bench(_cluster, project, _data):
        yield Bench(project, None, "", None, None, None, None)

    @contextmanager
    def no_cluster():
        yield None

    def run(*given, arguments=(), exempt=()):
        monkeypatch.setattr(rules, "RULES", given)
        monkeypatch.setattr(checking, "project", lambda _target: Project("toy", exempt=dict(exempt)))
        return CliRunner().invoke(app, ["plugin", "check", *arguments])

    monkeypatch.setattr(Bench, "open", on_no_bench)
    monkeypatch.setattr("threepeat.testing.cluster.cluster_for_tests", no_cluster)
    return run
