"""Where a request ends is read in one way only, so that none hides in another one's body."""

import socket
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

HIDDEN = b"GET /v1/hidden HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
CHUNKED = b"0\r\n\r\n"


def answers(url, *parts, silence=0.5):
    """Send bytes over one connection; the statuses that come back until it is closed, or silent for so long."""
    at = urlsplit(url)
    with socket.create_connection((at.hostname, at.port), timeout=5) as line:
        line.sendall(b"".join(parts))
        got = line.recv(65_536)
        line.settimeout(silence)
        with suppress(TimeoutError):
            while more := line.recv(65_536):
                got += more
    return [int(part[:3]) for part in got.split(b"HTTP/1.1 ")[1:]]


def post(*headers, body):
    lines = [b"POST /v1/events HTTP/1.1", b"Host: a", *headers, b"", b""]
    return b"\r\n".join(lines) + body


@pytest.mark.parametrize(
    "headers",
    [
        [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 42"],
    ],
)
def test_of_a_length_and_chunks_the_chunks_count_or_nothing_does(url, headers):
    """What follows the last chunk is at most a request of its own; no length takes it along."""
    found = answers(url, post(*headers, body=CHUNKED + HIDDEN))
    assert found in ([400], [401], [401, 404])


@pytest.mark.parametrize(
    "headers",
    [
        [b"Content-Length: 5", b"Content-Length: 42"],
        [b"Content-Length: 5, 42"],
        [b"Content-Length: +5"],
        [b"Content-Length: -5"],
        [b"Content-Length: 5 5"],
        [b"Content-Length: 0x5"],
        [b"Content-Length : 5"],
        [b"Transfer-Encoding: xchunked"],
        [b"Transfer-Encoding : chunked"],
        [b"Transfer-Encoding: chunked, identity"],
        [b"X: a\rTransfer-Encoding: chunked"],
        [b"X: a\0b"],
    ],
    ids=lambda headers: b"|".join(headers).decode(),
)
def test_a_request_whose_end_is_not_clear_is_refused_and_nothing_after_it_is_read(url, headers):
    found = answers(url, post(*headers, body=CHUNKED + HIDDEN))
    assert found[0] in {400, 401, 411}
    assert 404 not in found


def test_the_proof_sees_a_request_that_follows(url):
    assert answers(url, post(b"Content-Length: 0", body=HIDDEN), silence=10) == [401, 404]
