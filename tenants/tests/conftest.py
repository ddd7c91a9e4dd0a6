"""Commands, run in this process as their user runs them."""

import pytest
from typer.testing import CliRunner

from threepeat.cli.app import app


class Terminal:
    """Runs `threepeat` with an environment of its own.

    Args:
        level: The least log level that is printed.
    """

    def __init__(self, environment, level="error"):
        self.environment = {**environment, "COLUMNS": "200"}
        self.level = level

    def __call__(self, *arguments, code=0, typed=None, **more):
        """What a command printed, if it ended with a code."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**self.environment, **more}.items():
                patch.setenv(name, value)
            done = CliRunner().invoke(app, ["--log-level", self.level, *arguments], input=typed)
        assert done.exit_code == code, (done.output, done.exception)
        assert "Traceback" not in done.output
        return done.output


@pytest.fixture(scope="session")
def terminal():
    """Makes terminals: `terminal(environment)`."""
    return Terminal
