"""Accounts, lots and an append-only journal."""

from datetime import date, datetime
from typing import Any

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
    The terms of earning stand on the lot: `rate` points per `minor_units` of the order's remaining money, times
    the factor, rounded down. `bonus_day_id` says which bonus day has a part in the factor.
    """

    __tablename__ = "lot"
    __table_args__ = (
        CheckConstraint("remaining BETWEEN 0 AND granted", name="lot_remaining_check"),
        CheckConstraint("reversed BETWEEN 0 AND granted", name="lot_reversed_check"),
        CheckConstraint("(order_id IS NULL) <> (reward_key IS NULL)", name="lot_source_check"),
        CheckConstraint("factor_numerator >= 0 AND factor_denominator > 0", name="lot_factor_check"),
        Index("lot_order", "tenant_id", "order_id", unique=True),
        Index(
            "lot_reward", "tenant_id", "reward_key", unique=True, postgresql_where=text("reward_key IS NOT NULL")
        ),
        Index("lot_bonus_day", "tenant_id", "bonus_day_id", postgresql_where=text("bonus_day_id IS NOT NULL")),
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
