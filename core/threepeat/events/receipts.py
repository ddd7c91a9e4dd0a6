"""Signed statements of what an erasure did, which anybody can check with the public key alone.

A receipt is a JSON Web Signature by Ed25519 (RFC 8037). The private key is derived from the installation's
keyring, so that there is no further secret to keep; every key that the keyring still holds verifies.
"""

import base64
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from threepeat.tenancy.keyring import Keyring

PURPOSE = "receipt"
ISSUER = "threepeat"
KIND = "erasure-receipt+jwt"
ALGORITHM = "EdDSA"


class ForgedReceiptError(ValueError):
    """A receipt is damaged, or was signed by somebody else."""


def sign(keyring: Keyring, claims: Mapping[str, Any]) -> str:
    """Sign a statement."""
    private = Ed25519PrivateKey.from_private_bytes(keyring.derive(PURPOSE))
    headers = {"kid": _jwk(private.public_key())["kid"], "typ": KIND}
    return jwt.encode({"iss": ISSUER, **claims}, private, algorithm=ALGORITHM, headers=headers)


def public_keys(keyring: Keyring) -> dict[str, list[dict[str, str]]]:
    """The public keys as a JSON Web Key Set, the newest first."""
    privates = map(Ed25519PrivateKey.from_private_bytes, keyring.derived(PURPOSE))
    return {"keys": [_jwk(private.public_key()) for private in privates]}


def verify(receipt: str, key_set: Mapping[str, Any]) -> dict[str, Any]:
    """Check a receipt against a JSON Web Key Set and say what it states; nothing else is needed.

    Raises:
        ForgedReceiptError: None of the keys signed it, or it was changed since.
    """
    try:
        wanted = jwt.get_unverified_header(receipt).get("kid")
        known = {key["kid"]: jwt.PyJWK(key, ALGORITHM) for key in key_set["keys"] if key.get("kty") == "OKP"}
    except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
        raise ForgedReceiptError("this is no receipt, or the keys are no JSON Web Key Set") from error
    if wanted not in known:
        raise ForgedReceiptError("none of these keys signed the receipt")
    try:
        stated: dict[str, Any] = jwt.decode(
            receipt,
            known[wanted],
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            options={"verify_iat": False, "require": ["iss", "jti"]},
        )
    except (jwt.PyJWTError, ValueError) as error:
        raise ForgedReceiptError("the receipt was changed after it was signed") from error
    return stated


def _jwk(public: Ed25519PublicKey) -> dict[str, str]:
    x = _url_safe(public.public_bytes(Encoding.Raw, PublicFormat.Raw))
    # RFC 7638: the hash of the required members in this order names the key.
    thumbprint = sha256(json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":")).encode())
    kid = _url_safe(thumbprint.digest())
    return {"kty": "OKP", "crv": "Ed25519", "alg": ALGORITHM, "use": "sig", "kid": kid, "x": x}


def _url_safe(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
