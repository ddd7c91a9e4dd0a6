"""Calls this app's own API from a page: the whole road of a request, without a network."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import anyio.from_thread
import orjson
from starlette.types import ASGIApp, Message

SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Ask:
    """A request.

    Attributes:
        path: Percent-encoded, with the query.
        body: What is sent as JSON; None for no body.
        key: The `Idempotency-Key`, if it has one.
    """

    method: str
    path: str
    body: Any = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return 200 <= self.status < 300

    def data(self) -> Any:
        """The body as JSON; None if it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


def reason(data: Any) -> str:
    """Why a call was refused, as its problem says it; empty if it does not."""
    known = data if isinstance(data, dict) else {}
    return str(known.get("detail") or known.get("title") or "")


def calls(app: ASGIApp, token: str, asks: Sequence[Ask]) -> list[Answer]:
    """Make requests with a member's token, all at once, from the thread of a handler."""
    return anyio.from_thread.run(_all, app, token, asks)


async def _all(app: ASGIApp, token: str, asks: Sequence[Ask]) -> list[Answer]:
    return list(await asyncio.gather(*(_call(app, token, ask) for ask in asks)))


async def _call(app: ASGIApp, token: str, ask: Ask) -> Answer:
    path, _mark, query = ask.path.partition("?")
    body = b"" if ask.body is None else orjson.dumps(ask.body)
    headers = [(b"host", b"localhost"), (b"authorization", b"Bearer " + token.encode())]
    if ask.body is not None:
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if ask.key:
        headers.append((b"idempotency-key", ask.key.encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": ask.method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": None,
        "server": ("localhost", 80),
    }
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    status, parts = 500, []

    async def receive() -> Message:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    try:
        async with asyncio.timeout(SECONDS):
            await app(scope, receive, send)
    except TimeoutError:
        status, parts = 503, []
    return Answer(status, b"".join(parts))
