"""How often somebody may try to sign in.

An attempt is counted before the password is looked at, and given back once it was right: a thousand at a time
get no further than one after the other. Three counters keep it, each a keyed hash, so that the table tells
nobody who signs in from where:

- one address at one account: five attempts, then a wait of 15 s that doubles up to 15 minutes: ten guesses in the
  first 15 minutes, and four in each hour after;
- one account from everywhere, in the same measure; but each address brings in its first five attempts only, so
  that a flood from one address keeps the account's owner out for 15 s at a time, and not for longer;
- one address at all accounts: twenty attempts, then a wait of 1 s that doubles up to a minute. Many people may
  share it.

Every hour halves the counters.
"""

import hmac
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from math import ceil

from sqlalchemy import Connection, text

from threepeat.tenancy.errors import TenancyError
from threepeat.tenancy.keyring import Keyring

PURPOSE = "sign-in failure"
HALF_LIFE = timedelta(hours=1)
FORGET = timedelta(hours=6)
"""After so long nothing is left of a counter."""
HIGHEST = 32
SWEEP = 20

# Whoever holds the row decides by the clock at that moment, not by the one at the transaction's beginning.
HOURS = "floor(extract(epoch FROM clock_timestamp() - f.last_at) / :half)"
COUNTED = f"(f.failures >> least(20, greatest(0, {HOURS}))::int)"
WAIT = f"""
    CASE WHEN {COUNTED} < :free THEN 0
         ELSE least(:longest, :first * power(2, least({COUNTED} - :free, 20))) END
"""
COUNT = text(f"""
    INSERT INTO core.sign_in_failure AS f (key, failures, last_at) VALUES (:key, :step, clock_timestamp())
    ON CONFLICT (key) DO UPDATE
    SET failures = least({COUNTED} + :step, :highest), last_at = greatest(f.last_at, clock_timestamp())
    WHERE f.last_at + make_interval(secs => {WAIT}) <= clock_timestamp()
    RETURNING failures
""")  # noqa: S608 - constants
LEFT = text(f"""
    SELECT extract(epoch FROM f.last_at + make_interval(secs => {WAIT}) - clock_timestamp())
    FROM core.sign_in_failure f WHERE f.key = :key
""")  # noqa: S608 - constants
GIVE_BACK = text("UPDATE core.sign_in_failure SET failures = greatest(failures - 1, 0) WHERE key = :key")
CLEAR = text("DELETE FROM core.sign_in_failure WHERE key = :key")
PRUNE = text("""
    DELETE FROM core.sign_in_failure WHERE key = ANY(ARRAY(
        SELECT key FROM core.sign_in_failure WHERE last_at < clock_timestamp() - CAST(:forget AS interval)
        ORDER BY last_at LIMIT :most FOR UPDATE SKIP LOCKED))
""")


class TooManyAttempts(TenancyError):  # noqa: N818 - an answer, not a programming error
    """Too many sign-ins failed of late, for this account or from this address.

    Args:
        seconds: How long to wait before the next one.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many attempts: try again in {seconds} s")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Measure:
    """How many attempts are free, and the first and the longest wait after them in seconds."""

    free: int
    first: int
    longest: int


ACCOUNT = Measure(free=5, first=15, longest=900)
ADDRESS = Measure(free=20, first=1, longest=60)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was counted, by the keys of its counters."""

    address: bytes
    pair: bytes
    account: bytes


def begin(ops: Connection, keyring: Keyring, tenant_id: int | None, login: str, address: str) -> Attempt:
    """Count an attempt, in a transaction of its own that is committed before the password is looked at.

    Args:
        tenant_id: None for an operator.
        login: As it is stored, if it has the shape of one.
        address: Of the client.

    Raises:
        TooManyAttempts: It is too early; nothing was counted.
    """
    pepper = keyring.derive(PURPOSE)
    place, account = network(address), f"{tenant_id or 'o'}\n{login}"
    attempt = Attempt(
        address=_key(pepper, "address", place),
        pair=_key(pepper, "pair", f"{place}\n{account}"),
        account=_key(pepper, "account", account),
    )
    # The account last: it is what attempts from different addresses meet at.
    _count(ops, attempt.address, ADDRESS)
    tried = _count(ops, attempt.pair, ACCOUNT)
    _count(ops, attempt.account, ACCOUNT, step=1 if tried <= ACCOUNT.free else 0)
    ops.execute(PRUNE, {"forget": FORGET, "most": SWEEP})
    return attempt


def clear(ops: Connection, attempt: Attempt) -> None:
    """The password was right: the account's counters go, and the address has its attempt back."""
    ops.execute(GIVE_BACK, {"key": attempt.address})
    ops.execute(CLEAR, {"key": attempt.pair})
    ops.execute(CLEAR, {"key": attempt.account})


def network(address: str) -> str:
    """What counts as one address: of IPv6 the first 64 bits, which is what one household has."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:100]
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped) if found.ipv4_mapped else found.packed[:8].hex()
    return str(found)


def _count(ops: Connection, key: bytes, measure: Measure, *, step: int = 1) -> int:
    binds = {
        "key": key,
        "free": measure.free,
        "first": measure.first,
        "longest": measure.longest,
        "half": HALF_LIFE.total_seconds(),
    }
    counted = ops.execute(COUNT, {**binds, "step": step, "highest": HIGHEST}).scalar_one_or_none()
    if counted is None:
        left = ops.execute(LEFT, binds).scalar_one_or_none()
        raise TooManyAttempts(max(1, ceil(left or 0)))
    return int(counted)


def _key(pepper: bytes, kind: str, value: str) -> bytes:
    return hmac.new(pepper, f"{kind}\n{value}".encode("utf-8", "surrogatepass"), sha256).digest()
