"""What a draw leaves behind: pools, receipts, hashes and signatures, as texts that are never written anew."""

import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from threepeat_blindbox.odds import Pool, PoolItem

POOL = "threepeat-pool/1"
DRAW = "threepeat-draw/1"
EVIDENCE = "threepeat-evidence/1"


def written(value: Mapping[str, Any]) -> str:
    """A JSON text that is the same for the same value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def hashed(text: str) -> str:
    """SHA-256 of a text in UTF-8, as 64 hexadecimal digits."""
    return sha256(text.encode()).hexdigest()


def commitment(seed: bytes) -> str:
    """What is published of a seed before the first draw."""
    return sha256(seed).hexdigest()


def order_hash(nonce: str, order: str) -> str:
    """What stands for an order in public: nobody finds the order by it who does not know the nonce."""
    return hashed(f"{nonce}|{order}")


def derived_nonce(salt: str, order: str) -> str:
    """The nonce of a buyer who gave none, from a salt that was fixed before the order was."""
    return hashed(f"nonce|{salt}|{order}")[:32]


def message(store: int, series: int, version: int, draw_no: int, order: str, ordinal: int) -> str:
    """What decides a draw together with the seed."""
    return f"{DRAW}|{store}|{series}|{version}|{draw_no}|{order}|{ordinal}"


def receipt(facts: Mapping[str, Any], drawn_at: datetime) -> str:
    """A receipt's text.

    Args:
        facts: `store`, `series`, `version`, `pool`, `commitment`, `draw`, `order`, `ordinal`, `derived`, `buyer`,
            `pity`, `item`, `hidden` and `previous`.
        drawn_at: An instant in UTC.
    """
    return written({"format": DRAW, **facts, "time": drawn_at.strftime("%Y-%m-%dT%H:%M:%SZ")})


def read_pool(body: str) -> Pool:
    """The pool that a version's text describes."""
    said = json.loads(body)
    items = tuple(
        PoolItem(one["item"], one["weight"], one["left"], one["floor"], one["hidden"]) for one in said["items"]
    )
    return Pool(said["mode"], items, said["pity"])


class Signer:
    """Signs receipts for one store."""

    def __init__(self, private: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private))

    @property
    def public(self) -> str:
        """The public key, as 64 hexadecimal digits."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, text: str) -> str:
        """An Ed25519 signature of a text in UTF-8, as 128 hexadecimal digits."""
        return self._key.sign(text.encode()).hex()


def new_secret() -> str:
    """32 random bytes, as hexadecimal digits."""
    return secrets.token_hex(32)
