"""The cookies of the consoles: sessions, the language, and a notice for the next page."""

import base64
import time
from hmac import compare_digest, digest
from typing import Literal

import orjson
from fastapi import Request, Response

from threepeat.tenancy.keyring import Keyring
from threepeat_tenants.console.config import ConsoleConfig

NoticeKind = Literal["good", "note", "bad"]
NOTICE_SECONDS = 60
LOCALE_SECONDS = 365 * 24 * 3600
LONGEST_NOTICE = 1000


class Cookies:
    """Sets and reads cookies; the prefix `__Host-` keeps other hosts of the domain from setting them.

    Args:
        config: Whether they go over https only.
        keyring: Signs notices.
    """

    def __init__(self, config: ConsoleConfig, keyring: Keyring) -> None:
        self._secure = config.secure_cookies
        self._keyring = keyring
        prefix = "__Host-" if self._secure else ""
        self.staff = f"{prefix}threepeat-staff"
        self.operator = f"{prefix}threepeat-operator"
        self.locale = f"{prefix}threepeat-locale"
        self.once = f"{prefix}threepeat-once"
        self._notice = f"{prefix}threepeat-notice"

    def put(self, response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
        """Set a cookie; it ends with the browser if no time is given."""
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=self._secure, httponly=True, samesite="lax"
        )

    def drop(self, response: Response, name: str) -> None:
        """Take a cookie back."""
        self.put(response, name, "", seconds=0)

    def put_notice(self, response: Response, who: str, text: str, kind: NoticeKind) -> None:
        """Leave a notice for the next page of the same person.

        Args:
            who: Whose page it is; nobody else's shows it.
            text: In the reader's language.
        """
        body = orjson.dumps([int(time.time()) + NOTICE_SECONDS, kind, text[:LONGEST_NOTICE]])
        value = base64.urlsafe_b64encode(_sign(self._keyring.derive("notice"), who, body) + body).decode()
        self.put(response, self._notice, value, seconds=NOTICE_SECONDS)

    def has_notice(self, request: Request) -> bool:
        """Whether a notice came with a request, whatever it is worth."""
        return self._notice in request.cookies

    def notice(self, request: Request, who: str) -> tuple[NoticeKind, str] | None:
        """The notice for this page: its kind and text; None if there is none that we left for `who`."""
        try:
            raw = base64.urlsafe_b64decode(request.cookies.get(self._notice, ""))
        except ValueError:
            return None
        mac, body = raw[:32], raw[32:]
        if not any(compare_digest(mac, _sign(key, who, body)) for key in self._keyring.derived("notice")):
            return None
        until, kind, text = orjson.loads(body)
        return (kind, text) if until >= time.time() else None

    def drop_notice(self, response: Response) -> None:
        """Take the notice back; it has been shown."""
        self.drop(response, self._notice)


def _sign(key: bytes, who: str, body: bytes) -> bytes:
    return digest(key, b"%d:%s:%s" % (len(who.encode()), who.encode(), body), "sha256")
