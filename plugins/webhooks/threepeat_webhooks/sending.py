"""One attempt: a POST to a checked address, within a time and a size, that follows nothing."""

import email.utils
import re
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Literal

import httpcore2
from httpcore2 import SOCKET_OPTION, NetworkBackend, NetworkStream

from threepeat_webhooks import addresses
from threepeat_webhooks.addresses import Forbidden, Lookup

SECONDS = 15.0
"""How long an attempt may take, from looking up the name to the end of the answer."""
CONNECT_SECONDS = 5.0
MOST_READ = 64 * 1024
"""Bytes that are read of an answer, its headers included; what it says is of no interest, and is thrown away."""
PIECE = 1024
"""Bytes that are written at a time: whatever room a socket has, there is room for these."""
OURS = {"Content-Type": "application/json", "User-Agent": "Threepeat-Webhooks/1"}
DIGITS = re.compile("[0-9]{1,18}")
WAITS = frozenset({429, 503})

Failure = Literal["", "status", "timeout", "connection", "certificate", "answer", "address", "resting"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt.

    Attributes:
        status: The status code; None if there was no answer.
        failure: Why it did not arrive; empty if it did. `resting`: nothing was sent.
        retry_after: The seconds that the other side asked to wait for.
        milliseconds: How long it took.
    """

    status: int | None
    failure: Failure
    retry_after: int = 0
    milliseconds: int = 0


class _Bounded(NetworkStream):
    """A stream that ends at a deadline and after so many bytes, however little the other side does at a time."""

    def __init__(self, inner: NetworkStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline
        self._unread = MOST_READ

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if not self._unread:
            raise httpcore2.RemoteProtocolError("the answer is too long")
        found = self._inner.read(min(max_bytes, self._unread), _left(self._deadline, timeout))
        self._unread -= len(found)
        return found

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # In one piece, whoever takes a little of it at a time would be given the time anew for each.
        for start in range(0, len(buffer), PIECE):
            self._inner.write(buffer[start : start + PIECE], _left(self._deadline, timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> NetworkStream:
        left = _left(self._deadline, timeout)
        return _Bounded(self._inner.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._inner.get_extra_info(info)


class _Pinned(NetworkBackend):
    """Connects to addresses that were looked up and checked, whatever name it is asked for."""

    def __init__(self, found: Sequence[str], deadline: float) -> None:
        self._found = found
        self._deadline = deadline
        self._plain = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - the name was looked up already
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> NetworkStream:
        failed: Exception = httpcore2.ConnectError("no address")
        for address in self._found:
            left = _left(self._deadline, timeout)
            try:
                made = self._plain.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
            else:
                return _Bounded(made, self._deadline)
        raise failed


def wall_clock() -> int:
    """Seconds since 1970 as the other side reckons them; a store's own clock may be another."""
    return int(time.time())


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, seconds: float = SECONDS, lookup: Lookup | None = None
) -> Answer:
    """Make one attempt.

    Args:
        url: Where to; it is checked again.
        body: JSON.
        headers: Besides those of every request.
        seconds: How long it may take in all.
        lookup: Answers a name with addresses; the system's resolver by default.
    """
    began = time.monotonic()
    status, failure, wait = _post(url, body, headers, began + seconds, lookup)
    return Answer(status, failure, wait, round((time.monotonic() - began) * 1000))


def _post(
    url: str, body: bytes, headers: Mapping[str, str], deadline: float, lookup: Lookup | None
) -> tuple[int | None, Failure, int]:
    status, wait = None, 0
    try:
        wanted = addresses.target(url, loopback=addresses.loopback_allowed())
        found = addresses.pinned(wanted, within=timedelta(seconds=CONNECT_SECONDS), lookup=lookup)
        with (
            httpcore2.ConnectionPool(
                ssl_context=_trust(), network_backend=_Pinned(found, deadline), max_connections=1
            ) as pool,
            pool.stream(
                "POST",
                httpcore2.URL(
                    scheme=wanted.scheme.encode(),
                    host=wanted.host.encode(),
                    port=wanted.port,
                    target=wanted.path.encode(),
                ),
                headers=[(name.encode(), value.encode()) for name, value in {**OURS, **headers}.items()],
                content=body,
                extensions={"timeout": {"connect": CONNECT_SECONDS, "read": SECONDS, "write": SECONDS}},
            ) as answer,
        ):
            status = answer.status
            wait = _retry_after(answer.headers) if status in WAITS else 0
            for _ in answer.iter_stream():
                pass
    except Forbidden:
        return None, "address", 0
    except Exception as error:
        failure = _failure(error)
        if status is None and failure is None:
            raise
        if status is None:
            return None, failure or "connection", 0
        # It has answered; how the rest of its answer fails changes nothing.
    return status, "" if 200 <= status <= 299 else "status", wait


def _failure(error: Exception) -> Failure | None:
    """What went wrong on the way, if it was on the way."""
    if isinstance(error, httpcore2.TimeoutException | TimeoutError):
        return "timeout"
    if any(isinstance(one, ssl.SSLError) for one in (error, *error.args)):
        return "certificate"
    if isinstance(error, httpcore2.ProtocolError | httpcore2.UnsupportedProtocol):
        return "answer"
    if isinstance(error, httpcore2.NetworkError | OSError):
        return "connection"
    return None


def _retry_after(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """The seconds of a `Retry-After`, given as such or as a date; 0 without one."""
    for name, value in headers:
        if name.lower() == b"retry-after":
            given = value.decode("ascii", "replace").strip()
            if DIGITS.fullmatch(given):
                return int(given)
            try:
                moment = email.utils.parsedate_to_datetime(given)
            except (ValueError, TypeError, OverflowError):
                return 0
            return max(0, int(moment.timestamp()) - wall_clock())
    return 0


def _left(deadline: float, most: float | None) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout("the attempt took too long")
    return left if most is None else min(left, most)


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """What the system trusts; whether it would speak older TLS as well depends on how it was built."""
    trusted = ssl.create_default_context()
    trusted.minimum_version = ssl.TLSVersion.TLSv1_2
    return trusted
