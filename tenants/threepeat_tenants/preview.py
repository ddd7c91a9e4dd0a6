"""The test member with which a person of the store's staff tries what members see.

It is a member like any other, so figures count it; it is in no comparison group, called by its shop's id
`preview:{staff id}`, and erased like any other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from threepeat.database.engine import Scope
from threepeat.events import erasure, log
from threepeat.events.log import Emitted
from threepeat.events.platform import Platform
from threepeat.sdk import events
from threepeat.sdk.context import Store
from threepeat.sdk.events import Event
from threepeat.sdk.wording import _
from threepeat.tenancy import audit, members
from threepeat.tenancy.errors import Conflict, Invalid, NotFound
from threepeat.tenancy.members import Member
from threepeat_tenants.accounts.people import Person

PREFIX = "preview:"
SOURCE = "preview"
"""The source of test events: where they stand in the log they are told from real ones by it."""
SKU = "preview"
NO_MEMBER = _("There is no test member yet. Begin with one.")

LAST_ORDER = text("""
    SELECT e.data ->> 'order_id' AS id, CAST(e.data ->> 'total' AS bigint) AS total
    FROM core.event e
    WHERE e.tenant_id = :tenant AND e.member_id = :member AND e.type = 'order.paid' AND e.source = :source
      AND e.erased_at IS NULL
    ORDER BY e.position DESC LIMIT 1
""")
KNOWN = text("""
    SELECT EXISTS (
        SELECT FROM core.event WHERE tenant_id = :tenant AND source = :source AND id = :id
        UNION ALL SELECT FROM core.outbox WHERE tenant_id = :tenant AND source = :source AND event_id = :id
    ) AS done
""")


@dataclass(frozen=True, slots=True)
class Order:
    """The last test order.

    Attributes:
        total: In minor units.
        refunded: A refund of it was sent.
    """

    id: str
    total: int
    refunded: bool


BEHAVIOUR: Mapping[str, Callable[[str], Event]] = {
    "member.registered": lambda _mark: events.MemberRegistered(),
    "visit.made": lambda _mark: events.VisitMade(),
    "session.started": lambda mark: events.SessionStarted(session_id=mark),
    "page.viewed": lambda _mark: events.PageViewed(page="home"),
    "product.viewed": lambda _mark: events.ProductViewed(sku=SKU),
    "product.favorited": lambda _mark: events.ProductFavorited(sku=SKU),
    "cart.updated": lambda _mark: events.CartUpdated(items=[events.CartItem(sku=SKU, quantity=1)]),
    "content.viewed": lambda _mark: events.ContentViewed(content_id=SKU),
    "review.submitted": lambda _mark: events.ReviewSubmitted(sku=SKU, rating=5),
    "code.scanned": lambda _mark: events.CodeScanned(code=SKU),
    "account.followed": lambda _mark: events.AccountFollowed(account=SKU),
}
"""What a test member can do besides buying, by type."""


def external_id(person: Person) -> str:
    """The shop's id of a person's test member."""
    return f"{PREFIX}{person.id}"


def is_preview(member: str | None) -> bool:
    """Whether the shop's id of a member is a test member's."""
    return member is not None and member.startswith(PREFIX)


def find(scope: Scope, person: Person, *, hold: bool = False) -> Member | None:
    """A person's test member; None if there is none.

    Args:
        hold: Let a merge or erasure of it wait until this transaction ends.
    """
    try:
        return members.read(scope, members.find(scope, external_id(person), hold=hold))
    except NotFound:
        return None


def make(platform: Platform, scope: Scope, person: Person) -> Member:
    """A person's test member, made if there is none, also after the last one was erased."""
    found = find(scope, person)
    if found is not None:
        return found
    made = members.put(scope, platform.keyring, external_id(person), exempt=True, readmit=True, by=person.by)
    audit.record(scope, person.by, "preview.made", f"member:{made.id}")
    return made


def last_order(scope: Scope, member: Member) -> Order | None:
    """The last test order of a test member, as far as the log has it."""
    row = scope.one(LAST_ORDER, member=member.id, source=SOURCE)
    if row is None:
        return None
    return Order(row.id, row.total, _known(scope, f"refund-{row.id}"))


def bought(scope: Scope, mark: str) -> bool:
    """Whether the payment of the form with this mark was sent."""
    return _known(scope, f"order-{mark}")


def order(scope: Scope, person: Person, store: Store, mark: str, total: int) -> None:
    """Send a paid order of a person's test member; with the same mark again it is the same order.

    Args:
        mark: Made when the form was shown.
        total: In minor units.

    Raises:
        Conflict: There is no test member.
    """
    paid = events.OrderPaid(order_id=f"preview-{mark}", total=total, currency=store.currency)
    _send(scope, person, paid, f"order-{mark}")


def buy(scope: Scope, person: Person, store: Store, mark: str, quote: Mapping[str, Any]) -> None:
    """Send the payment of a quote that is held for a person's test member, as `order` does.

    Args:
        quote: What `POST /v1/quotes/{id}/reserve` answered.

    Raises:
        Conflict: There is no test member.
    """
    paid = events.OrderPaid(
        order_id=f"preview-{mark}",
        total=quote["total"],
        currency=store.currency,
        lines=[
            events.Line(sku=one["sku"], quantity=one["quantity"], amount=one["after"]) for one in quote["lines"]
        ],
        reservation_id=quote["id"],
    )
    _send(scope, person, paid, f"order-{mark}")


def refund(scope: Scope, person: Person, store: Store) -> None:
    """Send the refund of the last test order in full.

    Raises:
        Conflict: There is no test member, no order, or it is refunded.
    """
    member = find(scope, person)
    found = last_order(scope, member) if member else None
    if found is None or found.refunded:
        raise Conflict("no-order", _("There is no test order that could be refunded."))
    back = events.OrderRefunded(
        refund_id=f"refund-{found.id}", order_id=found.id, amount=found.total, currency=store.currency
    )
    _send(scope, person, back, f"refund-{found.id}")


def behave(scope: Scope, person: Person, kind: str, mark: str) -> None:
    """Send another event of a person's test member.

    Raises:
        Invalid: No test event of this type can be made.
        Conflict: There is no test member.
    """
    if kind not in BEHAVIOUR:
        raise Invalid("type", _("choose one of the events on the page"))
    _send(scope, person, BEHAVIOUR[kind](mark), f"{kind}-{mark}")


def erase(platform: Platform, scope: Scope, person: Person) -> str:
    """Ask for the erasure of a person's test member; the caller announces it after the commit.

    Returns:
        The id of the erasure; empty if there is no test member.
    """
    member = find(scope, person)
    return erasure.request(platform, scope, member.id, by=person.by) if member else ""


def _known(scope: Scope, event_id: str) -> bool:
    return bool(scope.run(KNOWN, source=SOURCE, id=event_id)[0].done)


def _send(scope: Scope, person: Person, event: Event, event_id: str) -> None:
    """Put an event where commands put theirs: it is in the log with the worker's next turn."""
    member = find(scope, person, hold=True)
    if member is None:
        raise Conflict("no-test-member", NO_MEMBER)
    log.send(scope, [Emitted(SOURCE, event_id, event, member.id, scope.now, 0)])
    audit.record(scope, person.by, "preview.sent", f"member:{member.id}", type=event.type)
