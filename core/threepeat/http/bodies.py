"""Request bodies: read whole within a time and a size, and looked through before anything is made of them."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

from starlette.types import Message, Receive

from threepeat.events.incoming import Malformed
from threepeat.sdk.storable import fault, storable
from threepeat.tenancy.errors import Invalid

DEPTH = 64
VALUES = 10_000
COMMAS = 10 * VALUES
"""With more of them a body is not even parsed, although some may stand in texts."""

DEEP = f"the body is nested more than {DEPTH} deep"
MANY = f"Send at most {VALUES} values in a body."

JSON = re.compile(r"application/([\w.!#$&^-]+\+)?json")


class TooLargeError(Exception):
    """The body is larger than allowed; the message says how much is."""


class TooSlowError(Exception):
    """The body was not there in time."""


class HungUpError(Exception):
    """The sender is gone."""


async def receive_whole(receive: Receive, *, most: int, seconds: float, hold: Callable[[int], None]) -> bytes:
    """Read a body.

    Args:
        receive: The ASGI channel.
        most: Bytes that it may have.
        seconds: How long it may take in all.
        hold: Told how many bytes have come in; may raise.

    Raises:
        TooLargeError: It has more bytes.
        TooSlowError: It took longer.
        HungUpError: The sender is gone.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise HungUpError
                chunk: bytes = message.get("body", b"")
                if len(body) + len(chunk) > most:
                    raise TooLargeError(f"Send at most {most} bytes at a time.")
                hold(len(chunk))
                more = message.get("more_body", False)
                if not more and not body:
                    return chunk
                body += chunk
                if not more:
                    return bytes(body)
    except TimeoutError:
        raise TooSlowError from None


def replay(body: bytes, receive: Receive) -> Receive:
    """A channel that gives the body once more, in one piece, and then what the sender does."""
    waiting = [body]

    async def again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return again


def look_through(body: bytes) -> None:
    """Refuse JSON that no route may meet, so that none has to think of it.

    Text that no database can store, numbers that are none or do not fit 64 bits, and documents so deep or wide
    that whoever walks through them falls over.

    Raises:
        Malformed: It is no JSON, or nested too deeply.
        TooLargeError: It holds too many values.
        Invalid: A value in it cannot be; names the field.
    """
    level = [("", _parse(body))]
    count = depth = 0
    while level:
        deeper: list[tuple[str, Any]] = []
        for path, value in level:
            if isinstance(value, dict | list):
                count += len(value)
                if count > VALUES:
                    raise TooLargeError(MANY)
                if depth == DEPTH:
                    raise Malformed(DEEP)
                deeper += _children(path, value)
            else:
                _check(path, value)
        level = deeper
        depth += 1


def _parse(body: bytes) -> Any:
    if body.count(b",") > COMMAS:
        raise TooLargeError(MANY)
    try:
        return json.loads(body)
    except RecursionError:
        raise Malformed(DEEP) from None
    except UnicodeDecodeError:
        raise Malformed("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    except ValueError:
        raise Malformed("the body holds a number with too many digits") from None


def _children(path: str, value: dict[str, Any] | list[Any]) -> list[tuple[str, Any]]:
    lead = f"{path}." if path else ""
    if isinstance(value, list):
        return [(f"{lead}{number}", inner) for number, inner in enumerate(value)]
    for key in value:
        if not storable(key):
            raise Invalid(path or "body", "has a field whose name is not valid text")
    return [(lead + key, inner) for key, inner in value.items()]


def _check(path: str, value: object) -> None:
    if wrong := fault(value):
        raise Invalid(path or "body", wrong)
