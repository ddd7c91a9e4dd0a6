"""API keys of the merchant's servers and short tokens of its members."""

import hmac
import re
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256

import jwt
from sqlalchemy import text

from threepeat.database.engine import Scope
from threepeat.tenancy import audit
from threepeat.tenancy.errors import Invalid, NotFound
from threepeat.tenancy.keyring import Keyring

# tp_live_{tenant}_{key id}_{secret}: the tenant id leads the look-up, so that it runs under the tenant's policy.
SHAPE = re.compile(r"tp_live_([1-9][0-9]{0,18})_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
PEPPER = "api key"
TOKEN = "member token"  # noqa: S105 - the purpose of a derived key, not a secret
TOKEN_ISSUER = "threepeat"  # noqa: S105 - a name
MAX_TOKEN_LIFE = timedelta(hours=24)

INSERT = text("""
    INSERT INTO core.api_key (tenant_id, id, name, secret_hash, scopes, created_by)
    VALUES (:tenant, :id, :name, :hash, :scopes, :by)
""")
LIVE = text("""
    SELECT secret_hash, scopes FROM core.api_key WHERE tenant_id = :tenant AND id = :id AND revoked_at IS NULL
""")
LIST = text("""
    SELECT id, name, scopes, created_at, created_by, revoked_at FROM core.api_key
    WHERE tenant_id = :tenant ORDER BY created_at, id
""")
REVOKE = text("""
    UPDATE core.api_key SET revoked_at = transaction_timestamp()
    WHERE tenant_id = :tenant AND id = :id AND revoked_at IS NULL
""")


class KeyScope(StrEnum):
    """What an API key may do."""

    INGEST = "ingest"
    READ = "read"
    MANAGE = "manage"


class Denied(Exception):  # noqa: N818 - an answer, not a programming error
    """A credential is missing, malformed, unknown, expired or revoked: callers learn no more than that."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret."""

    id: str
    name: str
    scopes: frozenset[KeyScope]
    created_at: datetime
    created_by: str
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """A well-formed key, not yet proved."""

    tenant_id: int
    id: str
    secret: str


@dataclass(frozen=True, slots=True)
class MemberToken:
    """A proved member token.

    Attributes:
        expires_at: In seconds since 1970.
    """

    tenant_id: int
    member_id: int
    external_id: str
    expires_at: int


def create_key(scope: Scope, keyring: Keyring, name: str, scopes: Collection[str], *, by: str) -> str:
    """Make a key and return it whole: only its hash is kept, so it is shown once.

    Raises:
        Invalid: The name is empty or a scope is unknown.
    """
    if not 1 <= len(name) <= 100:
        raise Invalid("name", "use 1 to 100 characters")
    unknown = set(scopes) - set(KeyScope)
    if unknown or not scopes:
        raise Invalid("scopes", f"choose from {', '.join(KeyScope)}")
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    scope.run(
        INSERT,
        id=key_id,
        name=name,
        hash=_hash(keyring.derive(PEPPER), secret),
        scopes=sorted(set(scopes)),
        by=by,
    )
    audit.record(scope, by, "key.created", key_id, scopes=sorted(set(scopes)))
    return f"tp_live_{scope.tenant_id}_{key_id}_{secret}"


def parse_key(value: str) -> ParsedKey:
    """Read the parts of a key.

    Raises:
        Denied: It has not the shape of a key.
    """
    match = SHAPE.fullmatch(value)
    if match is None or int(match[1]) >= 1 << 63:
        raise Denied
    return ParsedKey(int(match[1]), match[2], match[3])


def prove(keyring: Keyring, parsed: ParsedKey, stored_hash: bytes | None) -> None:
    """Compare a key's secret with the stored hash, under every pepper the keyring still holds.

    Raises:
        Denied: It differs, or there is no such live key.
    """
    matches = [
        hmac.compare_digest(_hash(pepper, parsed.secret), stored_hash or b"\0" * 32)
        for pepper in keyring.derived(PEPPER)
    ]
    if stored_hash is None or not any(matches):
        raise Denied


def check_key(scope: Scope, keyring: Keyring, parsed: ParsedKey) -> frozenset[KeyScope]:
    """The scopes of a live key, read from the database each time: a revoked key stops at once.

    Raises:
        Denied: The key is unknown, revoked or its secret is wrong.
    """
    row = scope.one(LIVE, id=parsed.id)
    prove(keyring, parsed, row.secret_hash if row else None)
    return frozenset(KeyScope(found) for found in row.scopes) if row else frozenset()


def list_keys(scope: Scope) -> list[ApiKey]:
    """The tenant's keys, revoked ones too, oldest first."""
    return [
        ApiKey(r.id, r.name, frozenset(map(KeyScope, r.scopes)), r.created_at, r.created_by, r.revoked_at)
        for r in scope.run(LIST)
    ]


def revoke_key(scope: Scope, key_id: str, *, by: str) -> None:
    """Revoke a key; the next request with it is refused.

    Raises:
        NotFound: There is no such live key.
    """
    if scope.count(REVOKE, id=key_id) == 0:
        raise NotFound(f"there is no live key {key_id!r}")
    audit.record(scope, by, "key.revoked", key_id)


def sign_token(
    keyring: Keyring, tenant_id: int, member_id: int, external_id: str, life: timedelta
) -> tuple[str, datetime]:
    """A member token and when it expires.

    Raises:
        Invalid: The life is not between a minute and a day.
    """
    if not timedelta(minutes=1) <= life <= MAX_TOKEN_LIFE:
        raise Invalid("expires_in", "choose between 60 and 86400 seconds")
    now = datetime.now(UTC).replace(microsecond=0)
    claims = {
        "iss": TOKEN_ISSUER,
        "sub": str(member_id),
        "tid": tenant_id,
        "ext": external_id,
        "iat": now,
        "exp": now + life,
    }
    return jwt.encode(claims, keyring.derive(TOKEN), algorithm="HS256"), now + life


def read_token(keyring: Keyring, token: str) -> MemberToken:
    """Check a member token.

    Raises:
        Denied: It is malformed, expired or signed by somebody else.
    """
    for key in keyring.derived(TOKEN):
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=["HS256"],
                issuer=TOKEN_ISSUER,
                options={"require": ["exp", "iat", "iss", "sub", "tid", "ext"]},
            )
        except jwt.InvalidSignatureError:
            continue
        except (jwt.InvalidTokenError, ValueError):
            raise Denied from None
        return MemberToken(claims["tid"], int(claims["sub"]), claims["ext"], int(claims["exp"]))
    raise Denied


def read(keyring: Keyring, value: str) -> ParsedKey | MemberToken:
    """Read a credential, as far as that goes without the database: whose key it would be, or whose token it is.

    Raises:
        Denied: It is malformed, expired or signed by somebody else.
    """
    return parse_key(value) if value.startswith("tp_") else read_token(keyring, value)


def unexpired(token: MemberToken) -> MemberToken:
    """A token that was read a while ago.

    Raises:
        Denied: It has expired since.
    """
    if token.expires_at <= time.time():
        raise Denied
    return token


def _hash(pepper: bytes, secret: str) -> bytes:
    return hmac.new(pepper, secret.encode(), sha256).digest()
