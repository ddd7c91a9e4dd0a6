"""Addresses that come from outside and are gone to only if they are our own."""

import re
from urllib.parse import quote, urlsplit

from fastapi import Request

LONGEST = 2000
LOCAL = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
"""A path with its query, percent-encoded: neither another host's (`//host`, `/\\host`) nor another scheme's."""
UPWARDS = re.compile(r"/(\.|%2e){1,2}(?=[/?#]|$)", re.IGNORECASE)
"""What a browser would take away before it asks."""


def local(given: str | None) -> str:
    """A path of ours as it was given; empty for everything else."""
    if given is None or len(given) > LONGEST or not LOCAL.fullmatch(given):
        return ""
    return "" if given.startswith("/v1/") or UPWARDS.search(given) else given


def here(request: Request) -> str:
    """The path and query that were asked for."""
    path = quote(request.url.path, safe="/:@!$&'()*+,;=~-._")
    found = f"{path}?{request.url.query}" if request.url.query else path
    return local(found)


def before(request: Request) -> str:
    """The page of ours from which a request comes, if the browser says so."""
    parts = urlsplit(request.headers.get("referer", "")[:LONGEST])
    if parts.netloc != request.headers.get("host"):
        return ""
    return local(f"{parts.path}?{parts.query}" if parts.query else parts.path)
