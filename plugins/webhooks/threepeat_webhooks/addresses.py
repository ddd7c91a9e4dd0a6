"""Where webhooks may go: https to names on the public internet, and nowhere else.

What an address says is checked when it is saved. What its name stands for is looked up once for each attempt, and
the connection goes to what was looked up and checked, so that a name which stands for something else a moment
later leads nowhere.
"""

import os
import re
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

from threepeat.sdk import _

LOOPBACK = "THREEPEAT_WEBHOOKS_LOOPBACK"
"""An operator sets it to 1 to let webhooks go to this very machine, for development; merchants cannot."""

MAX_URL = 2000
PORTS = frozenset({443, 8443})
PRINTABLE = re.compile(r"[!-~]+")
"""Neither spaces nor control characters nor anything beyond ASCII: a name in other letters is written as xn--."""
FORBIDDEN = re.compile(r"[\\<>\"^`{|}]")
NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""A name with a dot, whose last part is no number: nothing that could be read as an address."""
RESERVED = ("arpa", "example", "internal", "invalid", "lan", "local", "localhost", "onion", "test")
"""Top-level names that never stand for something on the public internet."""
HERE = {"localhost", "127.0.0.1"}

LOOKUPS = threading.BoundedSemaphore(32)
"""Names that are looked up at a time: a lookup cannot be stopped, only left behind."""

NOT_PUBLIC_4 = tuple(
    map(
        IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            "168.63.129.16/32",  # public by its number, and the host of every machine of one cloud
        ),
    )
)
PUBLIC_6 = IPv6Network("2000::/3")
NOT_PUBLIC_6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
NAT64 = IPv6Network("64:ff9b::/96")
"""Stands for the IPv4 address in its last 32 bits."""

Lookup = Callable[[str, int], Sequence[str]]


class Forbidden(Exception):  # noqa: N818 - an answer, not a programming error
    """Nothing may be sent there."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address that was checked.

    Attributes:
        host: As a certificate names it.
        path: With the query; begins with a slash.
        here: It names this very machine, and that is allowed.
    """

    scheme: str
    host: str
    port: int
    path: str
    here: bool


def loopback_allowed() -> bool:
    """Whether the operator lets webhooks go to this machine."""
    return os.environ.get(LOOPBACK) == "1"


def target(url: str, *, loopback: bool = False) -> Target:
    """Check what an address says.

    Args:
        url: As a merchant typed it.
        loopback: Allow http and https to this machine, too.

    Raises:
        Forbidden: It is not acceptable; the reason is a sentence for merchants.
    """
    if not 0 < len(url) <= MAX_URL:
        raise Forbidden(_("Use at most {n} characters.", n=MAX_URL))
    if not PRINTABLE.fullmatch(url) or FORBIDDEN.search(url):
        raise Forbidden(_("Use letters, digits and the usual signs; other letters in a name are written xn--…"))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Forbidden(_("This is no web address.")) from None
    if "@" in parts.netloc or "#" in url:
        raise Forbidden(_("Leave out user names, passwords and what follows a #."))
    host, path = (parts.hostname or ""), (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if loopback and parts.scheme in {"http", "https"} and _bare(parts.netloc.lower()) in HERE:
        return Target(parts.scheme, host, port or (80 if parts.scheme == "http" else 443), path, here=True)
    if parts.scheme != "https" or not url.lower().startswith("https://"):
        raise Forbidden(_("Begin with https://"))
    if not NAME.fullmatch(host) or len(host) > 253 or host.rpartition(".")[2] in RESERVED:
        raise Forbidden(_("Name a computer on the public internet, such as shop.example.com, not a number."))
    if (port is None and parts.netloc.endswith(":")) or port not in {None, *PORTS}:
        raise Forbidden(_("Use port 443 or 8443."))
    return Target("https", host, port or 443, path, here=False)


def _bare(netloc: str) -> str:
    """A host without its port."""
    return re.sub(r":[0-9]{1,5}\Z", "", netloc)


def pinned(wanted: Target, *, within: timedelta, lookup: Lookup | None = None) -> list[str]:
    """What a name stands for, looked up once and checked.

    Args:
        wanted: Where to.
        within: How long a lookup may take.
        lookup: Answers a name and a port with addresses; the system's resolver by default.

    Returns:
        Addresses to connect to, each of which may be called.

    Raises:
        Forbidden: One of them is not on the public internet.
        OSError: The name stands for nothing, or that cannot be found out in time.
    """
    found = list(dict.fromkeys(_looked_up(wanted, within, lookup or _resolve)))
    if not found:
        raise OSError(f"{wanted.host} stands for no address")
    for one in found:
        if not public(one) and not (wanted.here and _is_loopback(one)):
            raise Forbidden(_("Its name stands for a computer that is not on the public internet."))
    return found


def public(address: str) -> bool:
    """Whether a number stands for a computer on the public internet."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return found.is_global and not any(found in one for one in NOT_PUBLIC_4)
    if found.scope_id is not None:
        return False
    if found in NAT64:
        return public(str(IPv4Address(int(found) & 0xFFFFFFFF)))
    return found.is_global and found in PUBLIC_6 and not any(found in one for one in NOT_PUBLIC_6)


def _is_loopback(address: str) -> bool:
    found = ip_address(address)
    return found.is_loopback and (isinstance(found, IPv4Address) or found == IPv6Address(1))


def _resolve(host: str, port: int) -> list[str]:
    # Without a full stop at its end a name is looked for below the server's own domains, too, or even first.
    found = socket.getaddrinfo(host if host in HERE else f"{host}.", port, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


def _looked_up(wanted: Target, within: timedelta, lookup: Lookup) -> Sequence[str]:
    """Look a name up beside this thread, so that a resolver that does not answer holds nobody."""
    if not LOOKUPS.acquire(timeout=within.total_seconds()):
        raise TimeoutError("too many names are being looked up")
    answers: SimpleQueue[Sequence[str] | OSError] = SimpleQueue()

    def look() -> None:
        try:
            answers.put(lookup(wanted.host, wanted.port))
        except OSError as error:
            answers.put(error)
        except ValueError as error:  # such as a part of a name that is too long
            answers.put(OSError(str(error)))
        finally:
            LOOKUPS.release()

    try:
        threading.Thread(target=look, name="threepeat-lookup", daemon=True).start()
    except RuntimeError:  # there can be no more threads
        LOOKUPS.release()
        raise
    try:
        answer = answers.get(timeout=within.total_seconds())
    except Empty:
        raise TimeoutError(f"{wanted.host} was not found in time") from None
    if isinstance(answer, OSError):
        raise answer
    return answer
