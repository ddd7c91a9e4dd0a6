"""What leads to a member besides the shop's own id: WeChat's ids, and a phone of which only a hash is kept."""

import hmac
import re
import unicodedata
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import text

from threepeat.database.engine import Scope
from threepeat.tenancy import members, tombstones
from threepeat.tenancy.errors import Conflict, Invalid, NotFound
from threepeat.tenancy.keyring import Keyring

PHONE = "phone"
UNIONID = "unionid"
PURPOSE = "phone"

# An openid is one person in one mini-program only, so its kind names the mini-program.
OPENID = re.compile(r"openid:[A-Za-z0-9_-]{1,64}")
OPAQUE = re.compile(r"[!-~]{1,128}")

SEPARATORS = re.compile(r"\(0\)|[\s().\u2010-\u2015-]")
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
CHINESE_MOBILE = re.compile(r"(?:\+?86)?(1[3-9][0-9]{9})")

LINK = text("""
    INSERT INTO core.identity (tenant_id, kind, value, member_id)
    VALUES (:tenant, :kind, :value, :member) ON CONFLICT DO NOTHING
""")
LEADS_TO = text("""
    SELECT value, member_id FROM core.identity
    WHERE tenant_id = :tenant AND kind = :kind AND value = ANY(CAST(:values AS text[]))
""")
OF_MEMBER = text("""
    SELECT kind, value FROM core.identity WHERE tenant_id = :tenant AND member_id = :member
    ORDER BY kind <> 'shop', kind, linked_at, value
""")
UNLINK = text("""
    DELETE FROM core.identity WHERE tenant_id = :tenant AND member_id = :member AND kind = :kind
""")
UNLINK_VALUES = text("""
    DELETE FROM core.identity
    WHERE tenant_id = :tenant AND member_id = :member AND kind = :kind AND value = ANY(CAST(:values AS text[]))
""")


@dataclass(frozen=True, slots=True)
class Identity:
    """Something that leads to a member.

    Attributes:
        kind: `shop`, `openid:{appid}`, `unionid` or `phone`.
        value: None for a phone: its hash means nothing to anybody.
    """

    kind: str
    value: str | None


def stored(keyring: Keyring, tenant_id: int, kind: str, value: str) -> list[str]:
    """How an identity may stand in the database: one text, or a phone's hashes under every key, newest first.

    Raises:
        Invalid: There is no such kind, or the value does not fit it.
    """
    if kind == PHONE:
        number = f"{tenant_id}\n{normalise_phone(value)}".encode()
        return [hmac.new(key, number, sha256).hexdigest() for key in keyring.derived(PURPOSE)]
    if kind == members.SHOP:
        if not 1 <= len(value) <= members.MAX_EXTERNAL_ID or "\0" in value:
            raise Invalid("value", f"use 1 to {members.MAX_EXTERNAL_ID} characters without NUL")
    elif kind != UNIONID and not OPENID.fullmatch(kind):
        raise Invalid("kind", "choose shop, openid:{appid}, unionid or phone")
    elif not OPAQUE.fullmatch(value):
        raise Invalid("value", "use 1 to 128 visible ASCII characters")
    return [value]


def normalise_phone(number: str) -> str:
    """A phone number in E.164 form: `+8613800138000`.

    A number needs its country's prefix, `+` or `00`; a Chinese mobile number may go without. Blanks, hyphens,
    dots, brackets and full-width characters do not count.

    Raises:
        Invalid: It is not such a number.
    """
    plain = SEPARATORS.sub("", unicodedata.normalize("NFKC", number))
    plain = re.sub(r"\A00", "+", plain)
    mobile = CHINESE_MOBILE.fullmatch(plain)
    if mobile is not None:
        return f"+86{mobile[1]}"
    # +86 1… is a mobile number or Beijing's 10; anything else there is a slip of the finger.
    if not E164.fullmatch(plain) or re.match(r"\+861[1-9]", plain):
        raise Invalid("value", "write a phone number as +, country and number, or a Chinese mobile number")
    return plain


def link(
    scope: Scope, keyring: Keyring, external_id: str, kind: str, value: str, *, readmit: bool = False
) -> None:
    """Let an identity lead to a member. Linking it again changes nothing.

    Args:
        external_id: The member, by the shop's id.
        readmit: Also if it led to a member who was erased.

    Raises:
        Invalid: The kind or the value is not acceptable.
        NotFound: The tenant has no such member.
        Conflict: It leads to another member, who is named, or led to one who was erased.
    """
    values = stored(keyring, scope.tenant_id, kind, value)
    hashes = [key for one in values for key in tombstones.hashes(keyring, scope.tenant_id, kind, one)]
    member_id = members.find(scope, external_id, hold=True)
    with scope.connection.begin_nested():
        if readmit:
            tombstones.lift(scope, hashes)
        _link(scope, member_id, kind, values)
        # As with the shop's ids: a tombstone that could have refused it is visible by now.
        if tombstones.buried(scope, hashes):
            raise tombstones.erased(kind)


def _link(scope: Scope, member_id: int, kind: str, values: list[str]) -> None:
    scope.run(LINK, kind=kind, value=values[0], member=member_id)
    owners = {row.value: row.member_id for row in scope.run(LEADS_TO, kind=kind, values=values)}
    for owner in owners.values():
        if owner != member_id:
            other = members.read(scope, owner).external_id
            raise Conflict(
                "identity-taken",
                f"this {kind} leads to the member {other!r}: merge the two if they are the same person",
                external_id=other,
            )
    if len(owners) > 1:
        scope.run(UNLINK_VALUES, member=member_id, kind=kind, values=values[1:])


def unlink(scope: Scope, external_id: str, kind: str) -> None:
    """Take every identity of a kind away from a member, such as a phone number that has changed hands.

    Raises:
        Invalid: There is no such kind, or it is the shop's own id.
        NotFound: The tenant has no such member, or the member has none of the kind.
    """
    if kind == members.SHOP:
        raise Invalid("kind", "a member keeps the shop's ids")
    if kind not in {PHONE, UNIONID} and not OPENID.fullmatch(kind):
        raise Invalid("kind", "choose openid:{appid}, unionid or phone")
    if scope.count(UNLINK, member=members.find(scope, external_id, hold=True), kind=kind) == 0:
        raise NotFound(f"the member {external_id!r} has no {kind}")


def find(scope: Scope, keyring: Keyring, kind: str, value: str) -> int:
    """The id of the member that an identity leads to.

    Raises:
        Invalid: The kind or the value is not acceptable.
        NotFound: It leads to nobody.
    """
    values = stored(keyring, scope.tenant_id, kind, value)
    for row in scope.run(LEADS_TO, kind=kind, values=values):
        member_id = members.current(scope, row.member_id, hold=False)
        if member_id is not None:
            return member_id
    raise NotFound(f"this {kind} leads to no member")


def of_member(scope: Scope, member_id: int) -> list[Identity]:
    """Everything that leads to a member, the shop's ids first, the oldest of each kind first."""
    rows = scope.run(OF_MEMBER, member=member_id)
    return [Identity(row.kind, None if row.kind == PHONE else row.value) for row in rows]
