"""Accounts, lots, an append-only journal in double entry, what is held for orders, and the catalogue."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, MetaData, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from threepeat.sdk.models import ANONYMISE, DELETE, TenantOwned, personal

PERSONAL = personal("member_id", on_erase=ANONYMISE)
KINDS = (
    "kind IN ('earned', 'reversed', 'granted', 'revoked', 'spent', 'merged', 'unlocked', 'expired', 'settled', "
    "'returned', 'opened')"
)
STATES = "state IN ('held', 'confirmed', 'released')"


class Base(TenantOwned, DeclarativeBase):
    """Declarative base of the schema `points`."""

    metadata = MetaData(schema="points")


class Account(Base):
    """A member's points account; its row is the lock for everything about the member's points.

    `debt` is what reversals could not take from any lot; the next points pay it first, those that wait too.
    """

    __tablename__ = "account"
    __table_args__ = (CheckConstraint("debt >= 0", name="account_debt_check"), {"comment": PERSONAL})

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    debt: Mapped[int]


class Lot(Base):
    """Points earned by one order, or given by one grant of another tactic.

    `granted` is what came in, `reversed` what refunds or revocations took back of it (from wherever),
    `remaining` what is left of this lot, `expired` what was written off of it. `order_refunded` counts the order's
    refunds in minor units. While it is `waiting`, what remains is in the account `pending`; `unlocks_at` says
    until when, and is null until the order's completion says so. Both times are compared with now by whoever
    reads; the journal is brought up to date before anything is taken, and at least once a day.
    The terms of earning stand on the lot: `rate` points per `minor_units` of the order's remaining money, times
    the factor, rounded down. `bonus_day_id` says which bonus day has a part in the factor.
    """

    __tablename__ = "lot"
    __table_args__ = (
        CheckConstraint("remaining BETWEEN 0 AND granted", name="lot_remaining_check"),
        CheckConstraint("reversed BETWEEN 0 AND granted", name="lot_reversed_check"),
        CheckConstraint("(order_id IS NULL) <> (reward_key IS NULL)", name="lot_source_check"),
        CheckConstraint("factor_numerator >= 0 AND factor_denominator > 0", name="lot_factor_check"),
        CheckConstraint("expired BETWEEN 0 AND granted", name="lot_expired_check"),
        Index("lot_order", "tenant_id", "order_id", unique=True),
        Index(
            "lot_reward", "tenant_id", "reward_key", unique=True, postgresql_where=text("reward_key IS NOT NULL")
        ),
        Index("lot_bonus_day", "tenant_id", "bonus_day_id", postgresql_where=text("bonus_day_id IS NOT NULL")),
        Index("lot_expiry", "tenant_id", "expires_at", "member_id", postgresql_where=text("remaining > 0")),
        Index("lot_unlock", "tenant_id", "unlocks_at", postgresql_where=text("waiting AND remaining > 0")),
        {"comment": PERSONAL},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    order_id: Mapped[str | None]
    reward_key: Mapped[str | None]
    order_total: Mapped[int]
    order_refunded: Mapped[int]
    minor_units: Mapped[int]
    rate: Mapped[int]
    granted: Mapped[int]
    reversed: Mapped[int]
    remaining: Mapped[int]
    earned_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    factor_numerator: Mapped[int] = mapped_column(server_default="1")
    factor_denominator: Mapped[int] = mapped_column(server_default="1")
    bonus_day_id: Mapped[int | None]
    waiting: Mapped[bool] = mapped_column(server_default=text("false"))
    unlocks_at: Mapped[datetime | None]
    expired: Mapped[int] = mapped_column(server_default="0")


class Refund(Base):
    """A refund that was counted; its key keeps it from being counted twice."""

    __tablename__ = "refund"
    __table_args__ = (Index("refund_order", "tenant_id", "order_id"), {"comment": PERSONAL})

    refund_id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[str | None]
    member_id: Mapped[int]
    amount: Mapped[int]


class Completion(Base):
    """An order that was completed before its payment was reported; it counts if this member pays it."""

    __tablename__ = "completion"
    __table_args__ = ({"comment": PERSONAL},)

    order_id: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    completed_at: Mapped[datetime]


class Entry(Base):
    """One line of the journal, in double entry: never changed, never deleted.

    Its six amounts are its postings, one for each account. They stand in one row, so that the database itself
    refuses a line that does not add up to zero, and a line costs no more than it did in single entry.

    | account | what it comes to |
    |---|---|
    | `available` | what members can spend |
    | `pending` | what waits until orders cannot be returned any more |
    | `debt` | below zero: what reversals could not take from any lot |
    | `liability` | what members have paid with, for which the store owes what they bought |
    | `expense` | below zero: what the store has given out and not taken back |
    | `breakage` | what expired |

    `points` is what the member has more by it: the first three together. A line of the kind `spent` is a payment;
    the unique reference keeps it from being made twice. A line of the kind `returned` gives back of the payment
    `payment_id`. A member who became another carries all six accounts over.
    """

    __tablename__ = "entry"
    __table_args__ = (
        CheckConstraint(KINDS, name="entry_kind_check"),
        CheckConstraint(
            "available + pending + debt + liability + expense + breakage = 0", name="entry_balance_check"
        ),
        CheckConstraint("points = available + pending + debt", name="entry_points_check"),
        Index("entry_reference", "tenant_id", "reference", unique=True),
        Index("entry_payment", "tenant_id", "payment_id", postgresql_where=text("payment_id IS NOT NULL")),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("kind",))},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    reference: Mapped[str]
    kind: Mapped[str]
    points: Mapped[int]
    occurred_at: Mapped[datetime]
    available: Mapped[int] = mapped_column(server_default="0")
    pending: Mapped[int] = mapped_column(server_default="0")
    debt: Mapped[int] = mapped_column(server_default="0")
    liability: Mapped[int] = mapped_column(server_default="0")
    expense: Mapped[int] = mapped_column(server_default="0")
    breakage: Mapped[int] = mapped_column(server_default="0")
    payment_id: Mapped[int | None]


class Allocation(Base):
    """How many points of a lot went into a payment, or came back of one if it is below zero.

    It names no member: the lot says whose it was.
    """

    __tablename__ = "allocation"
    __table_args__ = (CheckConstraint("points <> 0", name="allocation_points_check"),)

    entry_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    lot_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    points: Mapped[int]


class Hold(Base):
    """Points that pay a part of an order: held for it, then used, or free again.

    `payment` is the reference of the line with which they were taken, `returned` is how many have come back with
    refunds. A reservation is one time of holding: what was released stays so.
    """

    __tablename__ = "hold"
    __table_args__ = (
        CheckConstraint(STATES, name="hold_state_check"),
        CheckConstraint("points > 0", name="hold_points_check"),
        CheckConstraint("returned BETWEEN 0 AND points", name="hold_returned_check"),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("state",))},
    )

    reservation: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[int]
    payment: Mapped[str]
    points: Mapped[int]
    returned: Mapped[int] = mapped_column(server_default="0")
    state: Mapped[str]


class Tally(Base):
    """How often a member took part on a local day, by the type of event."""

    __tablename__ = "tally"
    __table_args__ = (
        CheckConstraint("times > 0", name="tally_times_check"),
        {"comment": personal("member_id", on_erase=DELETE)},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    event: Mapped[str] = mapped_column(primary_key=True)
    times: Mapped[int]


class BonusDay(Base):
    """Local days on which orders earn more.

    From `begins_at` until before `ends_at` it counts for what is paid; both are null for a draft. Closing brings
    the end forward, so that what was paid before it keeps its factor.
    """

    __tablename__ = "bonus_day"
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'published', 'closed')", name="bonus_day_state_check"),
        CheckConstraint("factor_tenths > 0", name="bonus_day_factor_check"),
        CheckConstraint("first_day <= last_day", name="bonus_day_days_check"),
        CheckConstraint("begins_at <= ends_at", name="bonus_day_period_check"),
        CheckConstraint(
            "(state = 'draft') = (begins_at IS NULL) AND (begins_at IS NULL) = (ends_at IS NULL)",
            name="bonus_day_begun_check",
        ),
        Index("bonus_day_period", "tenant_id", "ends_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str]
    factor_tenths: Mapped[int]
    first_day: Mapped[date]
    last_day: Mapped[date]
    audience: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    state: Mapped[str] = mapped_column(server_default="draft")
    revision: Mapped[int] = mapped_column(server_default="1")
    begins_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]


class CatalogueItem(Base):
    """Something that members redeem points for.

    `redeemed` counts what was redeemed and not cancelled; where it has reached `stock`, which may be lowered at
    any time, nobody redeems. A null limit is none.
    """

    __tablename__ = "item"
    __table_args__ = (
        CheckConstraint("kind IN ('reward', 'goods', 'service')", name="item_kind_check"),
        CheckConstraint("state IN ('draft', 'published', 'paused', 'closed')", name="item_state_check"),
        CheckConstraint("price > 0", name="item_price_check"),
        CheckConstraint("redeemed >= 0", name="item_redeemed_check"),
        CheckConstraint("first_day <= last_day", name="item_days_check"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str]
    description: Mapped[str]
    kind: Mapped[str]
    reward: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    price: Mapped[int]
    stock: Mapped[int | None]
    per_member: Mapped[int | None]
    per_day: Mapped[int | None]
    first_day: Mapped[date | None]
    last_day: Mapped[date | None]
    audience: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    redeemed: Mapped[int] = mapped_column(server_default="0")
    state: Mapped[str] = mapped_column(server_default="draft")
    revision: Mapped[int] = mapped_column(server_default="1")
    changed_at: Mapped[datetime]


class ItemDay(Base):
    """How many of an item all members together redeemed on a local day and did not have cancelled."""

    __tablename__ = "item_day"
    __table_args__ = (CheckConstraint("redeemed >= 0", name="item_day_redeemed_check"),)

    item_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    redeemed: Mapped[int]


class ItemMember(Base):
    """How many of an item a member redeemed and did not have cancelled."""

    __tablename__ = "item_member"
    __table_args__ = (
        CheckConstraint("redeemed >= 0", name="item_member_redeemed_check"),
        {"comment": PERSONAL},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    item_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    redeemed: Mapped[int]


class Redemption(Base):
    """Something that a member redeemed points for.

    `payment` is the reference of the line with which they were taken. A reward is handed over at once, under
    `reward_key`; goods and services are `open` until the store says that they are.
    """

    __tablename__ = "redemption"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'fulfilled', 'cancelled')", name="redemption_state_check"),
        Index("redemption_member", "tenant_id", "member_id"),
        Index("redemption_item", "tenant_id", "item_id"),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("state",))},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int]
    item_id: Mapped[int]
    payment: Mapped[str]
    points: Mapped[int]
    day: Mapped[date]
    state: Mapped[str]
    reward_kind: Mapped[str | None]
    reward_key: Mapped[str | None]
    redeemed_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(server_default="1")
    changed_at: Mapped[datetime]
