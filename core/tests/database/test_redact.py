"""A log says what went wrong and where, and never whom it was about."""

import io
import logging
from collections.abc import Iterator

import psycopg
import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from threepeat.cli.logs import configure
from threepeat.database.redact import brief, trail
from threepeat.events.platform import Platform

SECRET = "ann@example.org"


def fail(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 - it is what is looked at
        return caught


def test_an_error_is_its_type_and_its_line():
    said = brief(fail(ValueError(SECRET)))
    assert said.startswith("ValueError at database/test_redact.py:")
    assert SECRET not in said


def test_an_error_that_was_never_raised_is_its_type():
    assert brief(ValueError(SECRET)) == "ValueError"
    assert trail(ValueError(SECRET)) == []


def test_an_error_of_the_database_has_its_state_and_our_line(platform: Platform):
    with platform.database.app.begin() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text("SELECT CAST(:word AS bigint)"), {"word": SECRET})
    said = brief(caught.value)
    assert said.startswith("DataError 22P02 at database/test_redact.py:")
    assert all("sqlalchemy" not in place and "psycopg" not in place for place in trail(caught.value))


def test_an_error_tells_no_values_of_its_statement(platform: Platform):
    with platform.database.app.begin() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text("SELECT 1 / CAST(:zero AS int), CAST(:word AS text)"), {"zero": 0, "word": SECRET})
    assert SECRET not in str(caught.value)


def test_only_the_last_frames_are_told():
    def deep(left: int) -> None:
        if left == 0:
            raise ValueError(SECRET)
        deep(left - 1)

    with pytest.raises(ValueError, match=SECRET) as caught:
        deep(100)
    assert len(trail(caught.value)) == 12


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What `threepeat` would write to standard error, in both formats, one after the other."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    yield stream
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("form", ["json", "text"])
def test_whatever_is_logged_tells_no_message_of_an_error(written: io.StringIO, form: str):
    configure(form, "info")
    logging.getLogger().handlers[0].setStream(written)  # type: ignore[attr-defined]
    try:
        try:
            raise psycopg.errors.UniqueViolation(SECRET)
        except psycopg.Error as error:
            raise RuntimeError(SECRET) from error
    except RuntimeError as error:
        structlog.get_logger("a").error("by structlog", exc_info=error)
        structlog.get_logger("a").exception("at hand")
        logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=error)
        logging.getLogger("b").exception("by the standard library")
    said = written.getvalue()
    assert said.count("RuntimeError at database/test_redact.py:") == 4
    assert said.count("UniqueViolation 23505 at database/test_redact.py:") == 4
    assert SECRET not in said
    assert "Traceback" not in said
