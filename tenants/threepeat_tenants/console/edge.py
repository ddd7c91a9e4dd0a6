"""What every answer of the consoles passes: headers, compression, and errors as pages that people can read."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from threepeat.database.redact import brief, trail
from threepeat.http.lanes import HEALTH
from threepeat.http.problems import CONTENT_TYPE
from threepeat.sdk.wording import _
from threepeat.tenancy.errors import Invalid, TenancyError
from threepeat_tenants.console import paths
from threepeat_tenants.console.desk import Desk, Seen
from threepeat_tenants.console.page import Page
from threepeat_tenants.console.rendering import render

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; report-uri /csp-report"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
ZIPPED_FROM = 1000

TITLES = {
    400: _("This cannot be read"),
    403: _("Not allowed"),
    404: _("There is no such page"),
    405: _("There is no such page"),
    408: _("It took too long"),
    409: _("Not as things stand"),
    413: _("Too much at once"),
    415: _("This cannot be read"),
    422: _("A value is not acceptable"),
    429: _("Too many at once"),
    503: _("Try again soon"),
}
ADVICE = {
    400: _("Go back, open the page again and repeat it."),
    403: _("Your account may not do this, or the page was open for too long. Open it again and repeat it."),
    404: _("It may have moved, or the address was mistyped."),
    405: _("It may have moved, or the address was mistyped."),
    408: _("Nothing was changed. Try it again, on a better connection if need be."),
    409: _(
        "Somebody else was faster, or something has changed since. Read the page again and repeat what is wanted."
    ),
    413: _("Send less at a time."),
    415: _("Go back, open the page again and repeat it."),
    422: _("Go back and correct it."),
    429: _("Wait a moment and try again."),
    503: _("The server is busy. Nothing was changed; try again in a moment."),
}
BROKEN = _("Something broke on our side")
BROKEN_ADVICE = _("It is logged, and nothing was changed. Try again; if it stays, tell whoever runs this server.")
TOLD = frozenset({403, 404, 409, 422})
"""Where the reason itself helps."""
KEPT = ("retry-after", "allow", "connection", "strict-transport-security")
STOCK = frozenset({"Not Found"})
"""Reasons that say no more than the title."""

logger = structlog.get_logger(__name__)


def ours(path: str) -> bool:
    """Whether an address belongs to the consoles; the rest is the API's and the monitors'."""
    return path not in HEALTH and path != "/v1" and not path.startswith("/v1/")


class PageEdge:
    """Stands around the whole app, so that what is refused early is a page, too.

    Args:
        app: What comes behind.
        desk: Knows the visitor's language.
    """

    def __init__(self, app: ASGIApp, *, desk: Desk) -> None:
        self._app = app
        self._desk = desk
        self._zipped = GZipMiddleware(self._dress, minimum_size=ZIPPED_FROM, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or not ours(scope["path"]):
            await self._app(scope, receive, send)
        elif scope["path"].startswith("/static/"):
            await self._dress(scope, receive, send)  # compressed already
        else:
            await self._zipped(scope, receive, send)

    async def _dress(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["threepeat.seen"] = Seen()
        started: Message | None = None
        held = bytearray()

        async def dressed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith(CONTENT_TYPE):
                    started = message
                    return
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            elif started is not None:
                held.extend(message.get("body", b""))
                if not message.get("more_body"):
                    first, started = started, None
                    page = self._page(scope, int(first["status"]), bytes(held))
                    page.headers.update(_kept(first))
                    await page(scope, receive, dressed)
                return
            await send(message)

        await self._app(scope, receive, dressed)

    def _page(self, scope: Scope, status: int, body: bytes) -> Response:
        """The page for a problem."""
        problem: dict[str, Any] = json.loads(body)
        request = Request(scope)
        if status == 401:
            return self._sign_in(request)
        seen: Seen = scope["threepeat.seen"]
        page = seen.page or self._desk.page(request)
        detail, errors = _reasons(page, seen.error, problem)
        try:
            return render(
                page,
                "error.html",
                status=status,
                notice=None,
                code=status,
                title=page.say(TITLES.get(status, BROKEN)),
                advice=page.say(ADVICE.get(status, BROKEN_ADVICE)),
                detail=detail if status in TOLD else "",
                errors=errors,
                back=paths.before(request) or _home(seen.page, request.url.path),
            )
        except Exception as error:  # noqa: BLE001 - a page that says what failed may not fail itself
            logger.error("no page for an error", error=brief(error), trail=trail(error))
            return Response(str(status), status, media_type="text/plain")

    def _sign_in(self, request: Request) -> Response:
        """To where one signs in, and back afterwards."""
        where = sign_in_path(request.url.path)
        back = paths.here(request) if request.method in {"GET", "HEAD"} else paths.before(request)
        if back and back != "/":
            where += f"?next={quote(back, safe='')}"
        if "hx-request" in request.headers:
            # A script would swap the sign-in page into a corner of the one that is open.
            return Response(status_code=401, headers={"HX-Redirect": where})
        return RedirectResponse(where, 303)


def _reasons(page: Page, error: TenancyError | None, problem: dict[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    """Why it was refused, in the page's language: as a whole, and by field."""
    if isinstance(error, Invalid):
        return "", [(error.field, page.say(error.reason))]
    if error is not None and error.args:
        return page.say(error.args[0]), []
    detail = problem.get("detail", "")
    return (
        page.say(detail) if detail not in STOCK else "",
        [(found["field"], page.say(found["detail"])) for found in problem.get("errors", ())],
    )


def sign_in_path(path: str) -> str:
    """Where to sign in for a page."""
    parts = path.split("/")
    if parts[1] == "store" and len(parts) > 2 and parts[2]:
        return f"/store/{quote(parts[2], safe='')}/sign-in"
    return "/operator/sign-in" if parts[1] == "operator" else "/"


def _home(page: Page | None, path: str) -> str:
    """Where to go on from an error: the visitor's first page, as far as it is known whose it is."""
    return page.home if page else sign_in_path(path).removesuffix("/sign-in")


def _kept(first: Message) -> Mapping[str, str]:
    """What a program or a browser may need of the problem's headers."""
    found = {name.decode().lower(): value.decode("latin-1") for name, value in first["headers"]}
    return {name: found[name] for name in KEPT if name in found}
