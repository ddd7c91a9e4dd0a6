"""Secrets that are handed out and never stored: `{whose}.{id}.{secret}`, of which only a keyed hash is kept."""

import hmac
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256

from threepeat.tenancy.keyring import Keyring
from threepeat.tenancy.keys import Denied

# The tenant leads the look-up, so that it runs under the tenant's policy; `o` stands for the operators.
SHAPE = re.compile(r"(o|[1-9][0-9]{0,18})\.([0-9a-f]{16})\.([A-Za-z0-9_-]{43})")
OPERATORS = "o"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A well-formed cookie or link, not yet proved.

    Attributes:
        tenant_id: None for an operator's.
        value: All of it.
    """

    tenant_id: int | None
    id: str
    secret: str
    value: str


def parse(value: str) -> Parsed:
    """Read the parts of a cookie or a link.

    Raises:
        Denied: It has not the shape of one.
    """
    match = SHAPE.fullmatch(value)
    if match is None:
        raise Denied
    tenant_id = None if match[1] == OPERATORS else int(match[1])
    if tenant_id is not None and tenant_id >= 1 << 63:
        raise Denied
    return Parsed(tenant_id, match[2], match[3], value)


def mint(tenant_id: int | None) -> Parsed:
    """A fresh one with 256 random bits."""
    key, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    return Parsed(tenant_id, key, secret, f"{OPERATORS if tenant_id is None else tenant_id}.{key}.{secret}")


def stored_hash(keyring: Keyring, purpose: str, parsed: Parsed) -> bytes:
    """What is stored of it. The hash is of all of it, so that it proves nothing in another place."""
    return _hash(keyring.derive(purpose), parsed.value)


def prove(keyring: Keyring, purpose: str, parsed: Parsed, stored: bytes | None) -> None:
    """Compare with the stored hash, under every pepper the keyring still holds.

    Raises:
        Denied: It differs, or nothing is stored.
    """
    matches = [
        hmac.compare_digest(_hash(pepper, parsed.value), stored or b"\0" * 32)
        for pepper in keyring.derived(purpose)
    ]
    if stored is None or not any(matches):
        raise Denied


def _hash(pepper: bytes, value: str) -> bytes:
    return hmac.new(pepper, value.encode(), sha256).digest()
