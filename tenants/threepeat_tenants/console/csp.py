"""Where browsers report what the content security policy kept out; each report is a mistake or an attack."""

import json
import re
import time
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from prometheus_client import Counter

from threepeat.http.problems import too_large

MOST_BYTES = 16 * 1024
LOG_SECONDS = 1.0
DIRECTIVE = re.compile(r"[a-z-]{1,30}")

REPORTS = Counter("threepeat_console_csp_reports_total", "Violations that browsers report.", ["directive"])

logger = structlog.get_logger(__name__)
router = APIRouter()
_said = {"at": -LOG_SECONDS}


@router.post("/csp-report")
async def report(request: Request) -> Response:
    """Count a report and log it, at most one in a second."""
    body = await request.body()
    if len(body) > MOST_BYTES:
        return too_large(f"Send at most {MOST_BYTES} bytes.")
    for found in _reports(body):
        directive = _text(found, "effective-directive") or _text(found, "violated-directive").partition(" ")[0]
        known = directive if DIRECTIVE.fullmatch(directive) else "other"
        REPORTS.labels(known if known.endswith(("-src", "-uri", "-action", "-ancestors")) else "other").inc()
        if time.monotonic() - _said["at"] >= LOG_SECONDS:
            _said["at"] = time.monotonic()
            logger.warning("csp violation", directive=known, blocked=_text(found, "blocked-uri")[:100])
    return Response(status_code=204)


def _reports(body: bytes) -> list[dict[str, Any]]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return []
    found = parsed.get("csp-report") if isinstance(parsed, dict) else None
    return [found] if isinstance(found, dict) else []


def _text(report: dict[str, Any], name: str) -> str:
    value = report.get(name)
    return value if isinstance(value, str) else ""
