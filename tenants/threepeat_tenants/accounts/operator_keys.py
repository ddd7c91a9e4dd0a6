"""API keys of the operators' own programs."""

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, text

from threepeat.sdk.wording import _
from threepeat.tenancy import audit
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.keyring import Keyring
from threepeat.tenancy.keys import Denied
from threepeat_tenants.accounts.people import read_name

SHAPE = re.compile(r"tp_op_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
PEPPER = "operator key"

INSERT = text("""
    INSERT INTO core.operator_key (id, name, secret_hash, created_by) VALUES (:id, :name, :hash, :by)
""")
LIVE = text("""
    SELECT id, name, secret_hash, created_at, created_by, revoked_at FROM core.operator_key
    WHERE id = :id AND revoked_at IS NULL
""")
LIST = text("""
    SELECT id, name, created_at, created_by, revoked_at FROM core.operator_key ORDER BY created_at, id
""")
REVOKE = text("""
    UPDATE core.operator_key SET revoked_at = transaction_timestamp() WHERE id = :id AND revoked_at IS NULL
""")


@dataclass(frozen=True, slots=True)
class OperatorKey:
    """A key without its secret."""

    id: str
    name: str
    created_at: datetime
    created_by: str
    revoked_at: datetime | None

    @property
    def by(self) -> str:
        """What it is called in an audit trail."""
        return f"operator-key:{self.id}"


def create(ops: Connection, keyring: Keyring, name: str, *, by: str) -> str:
    """Make a key and return it whole: only its hash is kept, so it is shown once.

    Raises:
        Invalid: The name is empty or too long.
    """
    name = read_name(name)
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    hashed = _hash(keyring.derive(PEPPER), key_id, secret)
    ops.execute(INSERT, {"id": key_id, "name": name, "hash": hashed, "by": by})
    audit.record_for_operators(ops, by, "key.made", f"operator-key:{key_id}")
    return f"tp_op_{key_id}_{secret}"


def check(ops: Connection, keyring: Keyring, value: str) -> OperatorKey:
    """The live key that a value belongs to, read from the database each time: a revoked key stops at once.

    Raises:
        Denied: It is malformed, unknown or revoked.
    """
    match = SHAPE.fullmatch(value)
    if match is None:
        raise Denied
    row = ops.execute(LIVE, {"id": match[1]}).one_or_none()
    stored = row.secret_hash if row else b"\0" * 32
    matches = [
        hmac.compare_digest(_hash(pepper, match[1], match[2]), stored) for pepper in keyring.derived(PEPPER)
    ]
    if row is None or not any(matches):
        raise Denied
    return OperatorKey(row.id, row.name, row.created_at, row.created_by, row.revoked_at)


def everything(ops: Connection) -> Sequence[OperatorKey]:
    """All keys, revoked ones too, oldest first."""
    return [OperatorKey(r.id, r.name, r.created_at, r.created_by, r.revoked_at) for r in ops.execute(LIST)]


def revoke(ops: Connection, key_id: str, *, by: str) -> None:
    """Revoke a key; the next request with it is refused.

    Raises:
        NotFound: There is no such live key.
    """
    known = re.fullmatch("[0-9a-f]{12}", key_id)
    if known is None or ops.execute(REVOKE, {"id": key_id}).rowcount == 0:
        raise NotFound(_("there is no such live key"))
    audit.record_for_operators(ops, by, "key.revoked", f"operator-key:{key_id}")


def _hash(pepper: bytes, key_id: str, secret: str) -> bytes:
    return hmac.new(pepper, f"{key_id}_{secret}".encode(), sha256).digest()
