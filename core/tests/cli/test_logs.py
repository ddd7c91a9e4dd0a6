"""A line of the log is one line, whatever was sent; it says when in UTC."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from threepeat.cli.logs import configure

HOSTILE = "a\n2026-01-01T00:00:00Z [info ] signed in\r\x1b[31m\u2028\u0085"


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_is_sent_begins_no_line_of_its_own(form, capsys):
    configure(form, "info")
    structlog.get_logger("a").info("request", blocked=HOSTILE, **{"a\nb": 1} if form == "json" else {})
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert written.endswith("\n")
    assert not set("\r\u2028\u0085") & set(written)
    assert "\x1b[31m\u2028" not in written


def test_each_line_says_when_in_utc_and_how_grave_it_is(capsys):
    configure("json", "info")
    structlog.get_logger("a").warning("request", route="/v1/events", status=401, tenant="tea")
    line = json.loads(capsys.readouterr().err)
    at = datetime.fromisoformat(line.pop("timestamp"))
    assert at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
    assert line == {"event": "request", "level": "warning", "route": "/v1/events", "status": 401, "tenant": "tea"}
