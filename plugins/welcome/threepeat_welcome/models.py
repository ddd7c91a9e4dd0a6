"""Newcomers, what they were given, and the refunds that take it back."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, MetaData, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from threepeat.sdk.models import ANONYMISE, TenantOwned, personal

PERSONAL = personal("member_id", on_erase=ANONYMISE)


class Base(TenantOwned, DeclarativeBase):
    """Declarative base of the schema `welcome`."""

    metadata = MetaData(schema="welcome")


class Opening(Base):
    """Since when the tactic welcomes newcomers; one row for a store."""

    __tablename__ = "opening"

    opened_at: Mapped[datetime]
    is_open: Mapped[bool]


class Newcomer(Base):
    """A person who registered, and how far the person came.

    The row is what makes the pack come once: `welcomed_at` is set by one conditional write and never cleared. What
    the second order brings stands on it as it was promised with the pack.
    """

    __tablename__ = "newcomer"
    __table_args__ = (
        Index("newcomer_registered", "tenant_id", "registered_at"),
        Index("newcomer_welcomed", "tenant_id", "welcomed_at"),
        CheckConstraint(
            "num_nonnulls(second_kind, second_amount, second_item, second_until) IN (0, 4)",
            name="newcomer_second_check",
        ),
        {"comment": PERSONAL},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    registered_at: Mapped[datetime]
    welcomed_at: Mapped[datetime | None]
    second_kind: Mapped[str | None]
    second_amount: Mapped[int | None]
    second_item: Mapped[str | None]
    second_until: Mapped[datetime | None]
    first_order_id: Mapped[str | None]
    first_order_at: Mapped[datetime | None]
    second_order_id: Mapped[str | None]
    second_order_at: Mapped[datetime | None]


class Gift(Base):
    """A reward of a pack, or the one for the second order, and what became of it.

    `given` is the member's; `owed` was promised and could not be given yet; `missed` was not given. `order_id` is
    the order that it was given for, whose refunds take it back: `taken` says how much of it.
    """

    __tablename__ = "gift"
    __table_args__ = (
        CheckConstraint("part IN ('pack', 'second')", name="gift_part_check"),
        CheckConstraint("state IN ('given', 'owed', 'missed')", name="gift_state_check"),
        CheckConstraint("taken BETWEEN 0 AND amount", name="gift_taken_check"),
        CheckConstraint("(state = 'given') = (reward_key IS NOT NULL)", name="gift_key_check"),
        Index("gift_member", "tenant_id", "member_id"),
        Index("gift_order", "tenant_id", "order_id", postgresql_where=text("order_id IS NOT NULL")),
        Index("gift_owed", "tenant_id", "id", postgresql_where=text("state = 'owed'")),
        Index("gift_decided", "tenant_id", "decided_at"),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("part", "state"))},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int]
    part: Mapped[str] = mapped_column(server_default="pack")
    number: Mapped[int]
    kind: Mapped[str]
    amount: Mapped[int]
    item: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str] = mapped_column(server_default="missed")
    reward_key: Mapped[str | None]
    order_id: Mapped[str | None]
    order_total: Mapped[int] = mapped_column(server_default="0")
    paid_at: Mapped[datetime | None]
    taken: Mapped[int] = mapped_column(server_default="0")
    decided_at: Mapped[datetime]


class Refund(Base):
    """A refund of an order; its key keeps it from being counted twice."""

    __tablename__ = "refund"
    __table_args__ = (Index("refund_order", "tenant_id", "order_id"), {"comment": PERSONAL})

    refund_id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[str]
    member_id: Mapped[int]
    amount: Mapped[int]
    refunded_at: Mapped[datetime]
