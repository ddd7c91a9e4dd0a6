"""Bearer codes: derived from a batch's secret, written in groups, looked up by a salted hash.

A code is 100 bits of a keyed hash of its place in the batch, so whoever has the secret can write all of them
again, and whoever has one learns nothing of another. Only the hash is stored.
"""

import hmac
import secrets
import unicodedata
from collections.abc import Iterator, Mapping
from hashlib import sha256

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O and U, which people take for others."""

SYMBOLS = 20
GROUP = 4
LONGEST = 80
"""Of what is looked at as a code: with spaces and hyphens between the symbols."""

READ: Mapping[int, str | None] = {
    **{ord(letter.lower()): letter for letter in ALPHABET},
    **dict.fromkeys(map(ord, "oO"), "0"),
    **dict.fromkeys(map(ord, "iIlL"), "1"),
    **dict.fromkeys(map(ord, " -\u2010\u2011\u2013\u00a0\u3000"), None),
}


def new_secret() -> str:
    """A batch's secret, 256 bits."""
    return secrets.token_hex(32)


def derive(secret: str, first: int, last: int) -> Iterator[str]:
    """The codes of a batch from one number to another, the numbers included, as 20 symbols."""
    key = bytes.fromhex(secret)
    for number in range(first, last + 1):
        bits = int.from_bytes(hmac.digest(key, number.to_bytes(8, "big"), "sha256"), "big")
        yield "".join(ALPHABET[bits >> 5 * place & 31] for place in range(SYMBOLS))


def shown(code: str) -> str:
    """A code as people write it: in groups of four."""
    return "-".join(code[at : at + GROUP] for at in range(0, SYMBOLS, GROUP))


def read(typed: str) -> str:
    """What somebody typed, as symbols; it may be no code at all."""
    return unicodedata.normalize("NFKC", typed[:LONGEST]).translate(READ)


def hashed(tenant: int, code: str) -> str:
    """Under which hash a code is stored; the tenant's id is the salt."""
    return sha256(f"threepeat voucher\n{tenant}\n{code}".encode("utf-8", "surrogatepass")).hexdigest()


def is_code(typed: str) -> bool:
    """Whether it may be a code, and not a voucher's id, which has fewer digits."""
    return not (typed.isascii() and typed.isdigit() and len(typed) < SYMBOLS)
