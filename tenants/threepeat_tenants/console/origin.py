"""Whether a request that changes something was made by one of our own pages.

Two locks: the browser's word about where the request comes from, and a token that only our pages hold.
"""

import base64
import secrets
from hmac import compare_digest

from fastapi import Request

from threepeat.sdk.wording import _
from threepeat.tenancy.errors import NotAllowed

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FIELD = "csrf"
HEADER = "x-csrf-token"
ELSEWHERE = _("This request does not come from our own page. Open the page again and repeat it.")


def require_ours(request: Request, public_url: str) -> None:
    """Refuse what another site lets a browser send; a browser says so in one of two headers.

    Args:
        public_url: Where people reach the consoles; empty: where they ask.

    Raises:
        NotAllowed: Another site sends it, or nothing says that none does.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is None and origin is None:
        raise NotAllowed(ELSEWHERE)
    if site is not None and site != "same-origin":
        raise NotAllowed(ELSEWHERE)
    if origin is not None and origin not in _ours(request, public_url):
        raise NotAllowed(ELSEWHERE)


def _ours(request: Request, public_url: str) -> tuple[str, ...]:
    if public_url:
        return (public_url,)
    host = request.headers.get("host", "")
    # A proxy in front may speak https while we are asked over http; whose name it is decides.
    return (f"https://{host}", f"http://{host}")


def require_token(request: Request, token: str, given: str) -> None:
    """Refuse a request without its session's token.

    Args:
        token: The session's.
        given: What the form's field `csrf` holds; a script may send it in the header `X-CSRF-Token` instead.

    Raises:
        NotAllowed: There is none, or another session's.
    """
    sent = given or request.headers.get(HEADER, "")
    if not compare_digest(unmask(sent), token.encode()):
        raise NotAllowed(ELSEWHERE)


def mask(token: str) -> str:
    """The token as a page holds it: never twice the same, so that a compressed page does not give it away."""
    plain = token.encode()
    pad = secrets.token_bytes(len(plain))
    return base64.urlsafe_b64encode(pad + _xor(pad, plain)).decode()


def unmask(masked: str) -> bytes:
    """What `mask` was given; nothing useful if it is something else."""
    try:
        both = base64.b64decode(masked.encode(), altchars=b"-_", validate=True)
    except ValueError:
        return b""
    half = len(both) // 2
    return _xor(both[:half], both[half:])


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=False))
