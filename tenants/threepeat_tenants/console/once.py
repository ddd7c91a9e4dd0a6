"""What the next page shows a single time, such as a new key: sealed in a cookie, and kept nowhere else."""

import time
from collections.abc import Mapping

import orjson
from fastapi import Response

from threepeat.tenancy.keyring import SealError
from threepeat_tenants.console.page import SignedIn

SECONDS = 120


def leave(visit: SignedIn, answer: Response, page: str, values: Mapping[str, str]) -> Response:
    """Leave values for one page of the same session.

    Args:
        answer: Leads to that page.
        page: Its path; no other page opens them.
        values: Together at most 2,000 bytes, as a cookie holds no more than 4,096.
    """
    body = orjson.dumps([int(time.time()) + SECONDS, dict(values)]).decode()
    sealed = visit.platform.keyring.seal(body, place=_place(visit, page))
    visit.console.cookies.put(answer, visit.console.cookies.once, sealed, seconds=SECONDS)
    return answer


def read(visit: SignedIn, page: str) -> Mapping[str, str]:
    """The values that were left for a page, empty if there are none."""
    sealed = visit.request.cookies.get(visit.console.cookies.once, "")
    try:
        until, values = orjson.loads(visit.platform.keyring.unseal(sealed, place=_place(visit, page)))
    except (SealError, UnicodeError):
        return {}
    return values if until >= time.time() else {}


def forget(visit: SignedIn, answer: Response) -> Response:
    """Take the values back with the answer that shows them: no second one will."""
    if visit.console.cookies.once in visit.request.cookies:
        visit.console.cookies.drop(answer, visit.console.cookies.once)
    return answer


def _place(visit: SignedIn, page: str) -> str:
    return f"once/{visit.who}/{visit.session.id}/{page}"
