"""Secrets and signatures of Standard Webhooks 1.0."""

import base64
import binascii
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """A secret as the receiver gets it: `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers(webhook_id: str, timestamp: int, body: bytes, signed_with: Sequence[str]) -> dict[str, str]:
    """The three headers of an attempt, with a signature for each secret.

    Args:
        webhook_id: The same at every attempt; it holds no full stop.
        timestamp: When the attempt is made, in seconds since 1970.
        body: The very bytes that are sent.
        signed_with: Secrets, the newest first.

    Raises:
        ValueError: A secret is none.
    """
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    signatures = (hmac.digest(_key(secret), signed, "sha256") for secret in signed_with)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(one).decode()}" for one in signatures),
    }


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(PREFIX) or not key:
        raise ValueError("that is no signing secret")
    return key
