"""Errors as RFC 9457 problems: what went wrong, where, and what to do."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from threepeat.events.incoming import Malformed
from threepeat.sdk.errors import Refused
from threepeat.tenancy.errors import CapReached, Invalid, NotAllowed, NotFound, Stale
from threepeat.tenancy.keys import Denied

CONTENT_TYPE = "application/problem+json"

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


class TooLarge(HTTPException):
    """The body is larger than the limit; an HTTPException, because FastAPI hides others that reading raises."""

    def __init__(self, most: int) -> None:
        super().__init__(413, f"Send at most {most} bytes at a time.")


def too_large(error: TooLarge) -> Response:
    """A 413 that says how much is allowed."""
    return problem(413, "too-large", "The body is too large", error.detail)


def install(app: FastAPI) -> None:
    """Make every error of the app a problem."""
    for kind, answer in (
        (Denied, _denied),
        (NotFound, lambda e: problem(404, "not-found", "Not found", str(e))),
        (NotAllowed, lambda e: problem(403, "not-allowed", "Not allowed", str(e))),
        (Stale, lambda e: problem(409, "stale", "Somebody else saved first", str(e))),
        (CapReached, _cap),
        (Invalid, _invalid),
        (Refused, lambda e: problem(409, e.code, "Refused", e.reason)),
        (Malformed, lambda e: problem(400, "malformed", "The body cannot be read", str(e))),
        (RequestValidationError, _validation),
        (DataError, lambda _: _invalid(Invalid("request", "holds a value that cannot be stored"))),
        (UnicodeEncodeError, lambda _: _invalid(Invalid("request", "holds text that is not valid Unicode"))),
        (PoolTimeoutError, lambda _: busy("all database connections are in use")),
        (PoolTimeout, lambda _: busy("all database connections are in use")),
        (DBAPIError, _database),
        (OperationalError, _database),
        (TooLarge, too_large),
        (HTTPException, lambda e: problem(e.status_code, "http", e.detail, e.detail, headers=e.headers)),
        (Exception, _unexpected),
    ):
        app.add_exception_handler(kind, _handler(answer))


def _handler(answer: Any) -> Any:
    async def handle(_request: Request, error: Exception) -> Response:
        response: Response = answer(error)
        return response

    return handle


def _denied(_error: Exception) -> Response:
    return problem(
        401,
        "denied",
        "Not signed in",
        "Send a valid API key or member token as `Authorization: Bearer …`.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _cap(error: CapReached) -> Response:
    return problem(409, "cap-reached", "All slots are taken", str(error), cap=error.cap, enabled=error.enabled)


def _invalid(error: Invalid) -> Response:
    return problem(
        422,
        "invalid",
        "A value is not acceptable",
        str(error),
        errors=[{"field": error.field, "detail": error.reason}],
    )


def _validation(error: RequestValidationError) -> Response:
    errors = [
        {
            "field": ".".join(str(part) for part in found["loc"][1:]) or str(found["loc"][0]),
            "detail": found["msg"],
        }
        for found in error.errors()
    ]
    detail = "; ".join(f"{found['field']}: {found['detail']}" for found in errors)
    return problem(422, "invalid", "A value is not acceptable", detail, errors=errors)


def _database(error: DBAPIError | OperationalError) -> Response:
    logger.warning("database fault", error=str(error).partition("\n")[0])
    return busy("the database did not answer in time; nothing was changed")


def _unexpected(error: Exception) -> Response:
    logger.error("unexpected error", exc_info=error)
    return problem(500, "unexpected", "Something broke on our side", "It is logged; nothing was changed.")
