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


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A command that runs inside a test sends the logs to a stream that ends with it."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)
