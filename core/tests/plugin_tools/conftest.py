"""An environment of its own for a plugin that somebody has just begun."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from typer.testing import CliRunner

from threepeat.cli.app import app

STRANGERS = ("threepeat", "schemathesis")
"""Other plugins, and what pytest would load although no plugin asks for it."""


class Workshop:
    """A new plugin's project, and an environment that has core and nothing else of Threepeat."""

    def __init__(self, folder: Path, name: str):
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
        subprocess.run([*install, *options, "-e", self.project], check=True, env=self.plain())

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
    return lambda name: Workshop(tmp_path_factory.mktemp("workshop"), name)
