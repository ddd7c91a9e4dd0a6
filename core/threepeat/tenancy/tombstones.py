"""What stays of an erased member: keyed hashes of the identities that led to it, which lead back to nobody.

A tombstone refuses whatever would bring the member back. It is made under the newest key of the keyring and
looked for under all of them: with a key, the tombstones made under it are given up.
"""

import hmac
from collections.abc import Collection
from hashlib import sha256

from sqlalchemy import text

from threepeat.database.engine import Scope
from threepeat.tenancy.errors import Conflict
from threepeat.tenancy.keyring import Keyring

PURPOSE = "tombstone"

BURIED = text("""
    SELECT identity_hash FROM core.tombstone
    WHERE tenant_id = :tenant AND identity_hash = ANY(CAST(:hashes AS bytea[]))
""")
BURY = text("""
    INSERT INTO core.tombstone (tenant_id, identity_hash, erasure_id)
    SELECT :tenant, hash, :erasure FROM unnest(CAST(:hashes AS bytea[])) AS hash ORDER BY hash
    ON CONFLICT DO NOTHING
""")
LIFT = text("""
    DELETE FROM core.tombstone
    WHERE tenant_id = :tenant AND identity_hash = ANY(CAST(:hashes AS bytea[]))
""")


def hashes(keyring: Keyring, tenant_id: int, kind: str, value: str) -> list[bytes]:
    """The hashes of an identity under every key, newest first; the first is the one to bury.

    Args:
        value: As it is stored in `core.identity`: a phone's own hash, not its number.
    """
    identity = f"{tenant_id}\n{kind}\n{value}".encode()
    return [hmac.new(key, identity, sha256).digest() for key in keyring.derived(PURPOSE)]


def buried(scope: Scope, wanted: Collection[bytes]) -> set[bytes]:
    """Those of some hashes that are tombstones."""
    return {bytes(row.identity_hash) for row in scope.run(BURIED, hashes=list(wanted))} if wanted else set()


def bury(scope: Scope, erasure_id: str, wanted: Collection[bytes]) -> None:
    """Put up tombstones; those that stand already stay as they are."""
    if wanted:
        scope.run(BURY, erasure=erasure_id, hashes=list(wanted))


def lift(scope: Scope, wanted: Collection[bytes]) -> int:
    """Take tombstones away, because the person has come back, and say how many."""
    return scope.count(LIFT, hashes=list(wanted)) if wanted else 0


def erased(kind: str) -> Conflict:
    """The refusal of an identity that led to an erased member."""
    return Conflict(
        "erased",
        f"a member with this {kind} identity was erased; if the person has come back on their own wish, "
        'send it again with {"readmit": true}: it leads to a new member then',
    )
