"""Logs of a test run: plain tracebacks, without local variables."""

import logging
import os
from collections.abc import Iterator

import pytest
import structlog

# Tables are as wide as they need to be, whoever looks.
os.environ["COLUMNS"] = "250"

structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)
ASKED = {"welcome"}
"""One that is like many."""
FIRST = "test_journey.py"
"""Takes so long that a run would wait for it at the end."""
LOGS, ROOT = structlog.get_config(), logging.getLogger()
HANDLERS, LEVEL = ROOT.handlers[:], ROOT.level


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every plugin of ours keeps every rule: one is asked in each run, the others among the proofs."""
    for item in items:
        if item.path.name == "test_conformance.py" and item.path.parents[1].name not in ASKED:
            item.add_marker("long")
    items.sort(key=lambda item: item.path.name != FIRST)


@pytest.fixture(autouse=True)
def _logs_as_they_are() -> Iterator[None]:
    """A command that runs in a test, or in what a file shares, sends the logs to a stream that ends with it."""
    _restore()
    yield
    _restore()


def _restore() -> None:
    structlog.configure(**LOGS)
    ROOT.handlers[:] = HANDLERS
    ROOT.setLevel(LEVEL)
