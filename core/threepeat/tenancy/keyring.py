"""The installation's secret keys: what they derive, and how they seal secrets at rest."""

import base64
import os
import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from threepeat.database.config import write_once

NONCE = 12
PREFIX = "sealed.1"


class SealError(ValueError):
    """A sealed value cannot be opened: wrong place, unknown key or damaged."""


@dataclass(frozen=True)
class Keyring:
    """Named 256-bit keys; the first one seals, all of them open.

    Attributes:
        keys: Key bytes by key id, newest first.
    """

    keys: dict[str, bytes] = field(repr=False)

    @classmethod
    def read(cls, file: Path, value: str | None = None) -> "Keyring":
        """Take the keys from `value`, or from a file that is made on first use.

        Args:
            file: Lines of `id:base64`, newest first; made with mode 0600 if it is missing.
            value: The same lines, as an environment variable gives them, separated by commas or newlines.

        Raises:
            ValueError: A line is malformed or a key has not 32 bytes.
        """
        if value is None:
            value = write_once(file, new_line())
        keys: dict[str, bytes] = {}
        for line in value.replace(",", "\n").split():
            name, _, encoded = line.partition(":")
            key = base64.b64decode(encoded, validate=True)
            if not name or len(key) != 32:
                raise ValueError("each key must read id:base64 with 32 bytes behind the base64")
            keys[name] = key
        if not keys:
            raise ValueError("there is no key: set THREEPEAT_KEYS or let Threepeat make the file")
        return cls(keys)

    def derive(self, purpose: str) -> bytes:
        """The current key's 256-bit subkey for one purpose."""
        return _derived(next(iter(self.keys.values())), purpose)

    def derived(self, purpose: str) -> list[bytes]:
        """The subkeys of every key for one purpose, newest first: for checking what older ones signed."""
        return [_derived(key, purpose) for key in self.keys.values()]

    def seal(self, plain: str, *, place: str) -> str:
        """Encrypt a value so that it opens in this place only.

        A fresh data key encrypts the value; the newest key encrypts the data key, so that a rotation
        rewrites the small part only.

        Args:
            plain: The secret.
            place: Where it is stored (tenant, plugin, field); part of what is authenticated.
        """
        name, key = next(iter(self.keys.items()))
        data_key = AESGCM.generate_key(256)
        parts = (_encrypt(_derived(key, "seal"), data_key, place), _encrypt(data_key, plain.encode(), place))
        return ".".join((PREFIX, name, *(base64.urlsafe_b64encode(part).decode() for part in parts)))

    def unseal(self, sealed: str, *, place: str) -> str:
        """Decrypt a value that `seal` made for the same place.

        Raises:
            SealError: It was made for another place, by an unknown key, or is damaged.
        """
        name, wrapped, body = _parts(sealed)
        return _decrypt(self._open(name, wrapped, place), body, place).decode()

    def rewrap(self, sealed: str, *, place: str) -> str:
        """The same sealed value under the newest key."""
        name, wrapped, body = _parts(sealed)
        newest, key = next(iter(self.keys.items()))
        fresh = _encrypt(_derived(key, "seal"), self._open(name, wrapped, place), place)
        encoded = (base64.urlsafe_b64encode(part).decode() for part in (fresh, body))
        return ".".join((PREFIX, newest, *encoded))

    def _open(self, name: str, wrapped: bytes, place: str) -> bytes:
        if name not in self.keys:
            raise SealError(f"the key {name!r} that sealed this value is not in the keyring")
        return _decrypt(_derived(self.keys[name], "seal"), wrapped, place)


def new_line() -> str:
    """A fresh key as a line of the key file; put it first to rotate."""
    return f"{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(32)).decode()}\n"


def is_sealed(value: object) -> bool:
    """Whether a stored value came from `seal`."""
    return isinstance(value, str) and value.startswith(PREFIX + ".")


@lru_cache(maxsize=64)
def _derived(key: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"threepeat {purpose}".encode()).derive(key)


def _encrypt(key: bytes, plain: bytes, place: str) -> bytes:
    nonce = os.urandom(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, place.encode())


def _decrypt(key: bytes, body: bytes, place: str) -> bytes:
    try:
        return AESGCM(key).decrypt(body[:NONCE], body[NONCE:], place.encode())
    except (InvalidTag, ValueError):
        raise SealError("the sealed value is damaged or belongs elsewhere") from None


def _parts(sealed: str) -> tuple[str, bytes, bytes]:
    prefix, _, rest = sealed.partition(f"{PREFIX}.")
    fields = rest.split(".")
    if prefix or len(fields) != 3:
        raise SealError("this is not a sealed value")
    try:
        return fields[0], base64.urlsafe_b64decode(fields[1]), base64.urlsafe_b64decode(fields[2])
    except ValueError:
        raise SealError("the sealed value is damaged") from None
