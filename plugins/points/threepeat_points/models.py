"""Accounts, lots and an append-only journal."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, MetaData, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from threepeat.sdk.models import ANONYMISE, TenantOwned, personal

PERSONAL = personal("member_id", on_erase=ANONYMISE)


class Base(TenantOwned, DeclarativeBase):
    """Declarative base of the schema `points`."""

    metadata = MetaData(schema="points")


class Account(Base):
    """A member's points account; its row is the lock for everything about the member's points.

    `debt` is what reversals could not take from any lot; the next points pay it first.
    """

    __tablename__ = "account"
    __table_args__ = (CheckConstraint("debt >= 0", name="account_debt_check"), {"comment": PERSONAL})

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    debt: Mapped[int]


class Lot(Base):
    """Points earned by one order, or given by one grant of another tactic.

    `granted` is what came in, `reversed` what refunds or revocations took back of it (from wherever),
    `remaining` what can still be spent of this lot. `order_refunded` counts the order's refunds in minor units.
    The terms of earning stand on the lot: `rate` points per `minor_units` of the order's remaining money.
    """

    __tablename__ = "lot"
    __table_args__ = (
        CheckConstraint("remaining BETWEEN 0 AND granted", name="lot_remaining_check"),
        CheckConstraint("reversed BETWEEN 0 AND granted", name="lot_reversed_check"),
        CheckConstraint("(order_id IS NULL) <> (reward_key IS NULL)", name="lot_source_check"),
        Index("lot_order", "tenant_id", "order_id", unique=True),
        Index(
            "lot_reward", "tenant_id", "reward_key", unique=True, postgresql_where=text("reward_key IS NOT NULL")
        ),
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


class Refund(Base):
    """A refund that was counted; its key keeps it from being counted twice."""

    __tablename__ = "refund"
    __table_args__ = (Index("refund_order", "tenant_id", "order_id"), {"comment": PERSONAL})

    refund_id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[str | None]
    member_id: Mapped[int]
    amount: Mapped[int]


class Entry(Base):
    """One line of the journal: never changed, never deleted. Positive points came in.

    A line of the kind `spent` is a payment; the unique reference keeps it from being made twice.
    """

    __tablename__ = "entry"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('earned', 'reversed', 'granted', 'revoked', 'spent', 'merged')", name="entry_kind_check"
        ),
        Index("entry_reference", "tenant_id", "reference", unique=True),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("kind",))},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    reference: Mapped[str]
    kind: Mapped[str]
    points: Mapped[int]
    occurred_at: Mapped[datetime]


class Allocation(Base):
    """How many points of a lot went into a payment. It names no member: the lot says whose it was."""

    __tablename__ = "allocation"
    __table_args__ = (CheckConstraint("points > 0", name="allocation_points_check"),)

    entry_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    lot_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    points: Mapped[int]
