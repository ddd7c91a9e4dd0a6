"""Errors as RFC 9457 problems: what went wrong, where, and what to do."""

import json
from collections.abc import Mapping, MutableMapping, Sequence
from math import ceil
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import Counter
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from threepeat.database.redact import brief, trail
from threepeat.events.incoming import Malformed
from threepeat.http import faults
from threepeat.sdk.errors import Refused
from threepeat.tenancy.errors import CapReached, Conflict, Invalid, NotAllowed, NotFound, Stale
from threepeat.tenancy.keys import Denied

CONTENT_TYPE = "application/problem+json"
MOST_ERRORS = 20
"""Fields that one problem names; a body may be wrong in thousands."""

REFUSED = Counter("threepeat_http_refused_total", "Requests that were turned away, by the reason.", ["reason"])

logger = structlog.get_logger(__name__)


class FieldProblem(BaseModel):
    """One field that is not acceptable."""

    field: str = Field(description="Path of the field in the request.")
    detail: str


class Problem(BaseModel):
    """An RFC 9457 problem."""

    type: str = Field(description="`urn:threepeat:problem:{code}`, stable for programs.")
    title: str
    status: int
    detail: str = Field(description="What happened and what to do, for people.")
    errors: list[FieldProblem] = []


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """Build a problem response."""
    body = {
        "type": f"urn:threepeat:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        **more,
    }
    if errors:
        body["errors"] = list(errors)
    # json escapes what is no valid Unicode, such as half a surrogate pair in a field name.
    return Response(json.dumps(body), status, media_type=CONTENT_TYPE, headers=dict(headers or {}))


def busy(detail: str) -> Response:
    """A 503 that says when to come back."""
    return problem(503, "busy", "Try again soon", detail, headers={"Retry-After": "1"})


def rate_limited(detail: str, *, seconds: float = 1, policy: str = "", remaining: str = "") -> Response:
    """A 429 that says when to come back.

    Args:
        detail: Whose limit it is.
        seconds: When the next request may pass.
        policy: The `RateLimit-Policy` field, if it was a rate.
        remaining: The `RateLimit` field.
    """
    headers = {"Retry-After": str(max(1, ceil(seconds)))}
    if policy:
        headers |= {"RateLimit-Policy": policy, "RateLimit": remaining}
    return problem(429, "rate-limited", "Too many at once", detail, headers=headers)


def too_large(detail: str) -> Response:
    """A 413 that says how much is allowed."""
    return problem(413, "too-large", "The body is too large", detail)


def too_slow(seconds: float) -> Response:
    """A 408; the rest of the body is not waited for."""
    detail = f"Send the whole body within {seconds:g} seconds; in smaller parts if need be."
    return problem(408, "too-slow", "The body took too long", detail, headers={"Connection": "close"})


def unsupported(detail: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """A 415 that says what is taken instead."""
    return problem(415, "unsupported", "The body's form is not supported", detail, headers=headers)


def refused(scope: MutableMapping[str, Any], reason: str) -> None:
    """Count a request that is turned away, and say why in its log line."""
    REFUSED.labels(reason).inc()
    scope.setdefault("threepeat.log", {})["refused"] = reason


def install(app: FastAPI) -> None:
    """Make every error of the app a problem."""
    for kind, answer in (
        (Denied, lambda _: denied()),
        (NotFound, lambda e: problem(404, "not-found", "Not found", str(e))),
        (NotAllowed, lambda e: problem(403, "not-allowed", "Not allowed", str(e))),
        (Stale, lambda e: problem(409, "stale", "Somebody else saved first", str(e))),
        (Conflict, lambda e: problem(409, e.code, "Not as things stand", str(e), **e.more)),
        (CapReached, _cap),
        (Invalid, invalid),
        (Refused, lambda e: problem(409, e.code, "Refused", e.reason)),
        (Malformed, malformed),
        (RequestValidationError, _validation),
        (UnicodeEncodeError, lambda _: invalid(Invalid("request", "holds text that is not valid Unicode"))),
        (HTTPException, lambda e: problem(e.status_code, "http", e.detail, e.detail, headers=e.headers)),
        (Exception, unexpected),
    ):
        app.add_exception_handler(kind, _handler(answer))
    for fault, reply in (
        (DataError, _unstorable),
        (PoolTimeoutError, _exhausted),
        (PoolTimeout, _exhausted),
        (DBAPIError, _database),
        (OperationalError, _database),
    ):
        app.add_exception_handler(fault, reply)


def _handler(answer: Any) -> Any:
    async def handle(_request: Request, error: Exception) -> Response:
        response: Response = answer(error)
        return response

    return handle


def denied() -> Response:
    """A 401 that is the same for every bad credential."""
    return problem(
        401,
        "denied",
        "Not signed in",
        "Send a valid API key or member token as `Authorization: Bearer …`.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _cap(error: CapReached) -> Response:
    return problem(409, "cap-reached", "All slots are taken", str(error), cap=error.cap, enabled=error.enabled)


def malformed(error: Malformed) -> Response:
    """A 400 for a body as a whole."""
    return problem(400, "malformed", "The body cannot be read", str(error))


def invalid(error: Invalid) -> Response:
    """A 422 that names the field."""
    return problem(
        422,
        "invalid",
        "A value is not acceptable",
        str(error),
        errors=[{"field": found.field, "detail": found.reason} for found in error.errors[:MOST_ERRORS]],
    )


def _validation(error: RequestValidationError) -> Response:
    every = error.errors()
    errors = [
        {
            "field": ".".join(str(part) for part in found["loc"][1:]) or str(found["loc"][0]),
            "detail": found["msg"],
        }
        for found in every[:MOST_ERRORS]
    ]
    detail = "; ".join(f"{found['field']}: {found['detail']}" for found in errors)
    if len(every) > MOST_ERRORS:
        detail += f"; and {len(every) - MOST_ERRORS} more"
    return problem(422, "invalid", "A value is not acceptable", detail, errors=errors)


async def _unstorable(request: Request, _error: Exception) -> Response:
    """A value that PostgreSQL refuses; one with a NUL in the address can be named."""
    given = (*request.path_params.items(), *request.query_params.multi_items())
    name = next((name for name, value in given if "\0" in str(value)), None)
    if name is not None:
        return invalid(Invalid(name, "holds a NUL character"))
    return invalid(Invalid("request", "holds a value that cannot be stored"))


async def _exhausted(request: Request, _error: Exception) -> Response:
    refused(request.scope, "pool")
    return busy("all database connections are in use; nothing was changed")


async def _database(request: Request, error: Exception) -> Response:
    cause = faults.cause(error)
    fault = faults.read(cause)
    logger.warning("database fault", kind=type(cause).__name__, sqlstate=fault.sqlstate, fault=fault.reason)
    if fault.reason == "ours":
        return unexpected(error)
    if fault.reason == "unstorable":
        return await _unstorable(request, error)
    if fault.reason == "race":
        return problem(409, "changed", "Somebody else was faster", "Read it again and repeat what is wanted.")
    refused(request.scope, fault.reason)
    return busy(fault.detail)


def unexpected(error: Exception) -> Response:
    """A 500 that tells nothing; the log says where it was."""
    logger.error("unexpected error", error=brief(error), trail=trail(error))
    return problem(500, "unexpected", "Something broke on our side", "It is logged; nothing was changed.")
