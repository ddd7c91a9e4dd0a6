"""When members were last active, the offers that were made to them, and the refunds that take rewards back."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, MetaData, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from threepeat.sdk.models import ANONYMISE, TenantOwned, personal

PERSONAL = personal("member_id", on_erase=ANONYMISE)


class Base(TenantOwned, DeclarativeBase):
    """Declarative base of the schema `winback`."""

    metadata = MetaData(schema="winback")


class Progress(Base):
    """How far the log from before the tactic was switched on has been read, backwards; one row for a store."""

    __tablename__ = "progress"

    position: Mapped[int]


class Activity(Base):
    """When a member last did something of value, whether the member ever bought, and when we last looked.

    `looked_at` is when it was last decided whether to wake the member, whatever came out; `offers` counts how
    often the member was woken.
    """

    __tablename__ = "activity"
    __table_args__ = (
        Index("activity_last", "tenant_id", "last_at", postgresql_where=text("bought")),
        CheckConstraint("offers >= 0", name="activity_offers_check"),
        {"comment": PERSONAL},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last_at: Mapped[datetime]
    bought: Mapped[bool]
    looked_at: Mapped[datetime | None]
    offers: Mapped[int] = mapped_column(server_default="0")


class Offer(Base):
    """A reward that was promised to a sleeping member for an order until an instant.

    `open` until an order brings the reward, or until the time is over, which nobody writes down; `given`; `owed`
    if the order came and the reward could not be given yet; `missed` if it never could. The terms stand on the
    offer. `taken` is what refunds of the order took back.
    """

    __tablename__ = "offer"
    __table_args__ = (
        CheckConstraint("state IN ('given', 'open', 'owed', 'missed')", name="offer_state_check"),
        CheckConstraint("taken BETWEEN 0 AND amount", name="offer_taken_check"),
        CheckConstraint("(state = 'open') = (order_id IS NULL)", name="offer_order_check"),
        CheckConstraint("(state = 'given') = (reward_key IS NOT NULL)", name="offer_key_check"),
        Index("offer_member", "tenant_id", "member_id"),
        Index("offer_order", "tenant_id", "order_id", unique=True, postgresql_where=text("order_id IS NOT NULL")),
        Index("offer_owed", "tenant_id", "id", postgresql_where=text("state = 'owed'")),
        Index("offer_made", "tenant_id", "offered_at"),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("state",))},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int]
    slept_since: Mapped[datetime]
    offered_at: Mapped[datetime]
    until: Mapped[datetime]
    kind: Mapped[str]
    amount: Mapped[int]
    item: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str] = mapped_column(server_default="open")
    order_id: Mapped[str | None]
    order_total: Mapped[int] = mapped_column(server_default="0")
    paid_at: Mapped[datetime | None]
    reward_key: Mapped[str | None]
    cost: Mapped[int] = mapped_column(server_default="0")
    taken: Mapped[int] = mapped_column(server_default="0")


class Refund(Base):
    """A refund of an order; its key keeps it from being counted twice."""

    __tablename__ = "refund"
    __table_args__ = (Index("refund_order", "tenant_id", "order_id"), {"comment": PERSONAL})

    refund_id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[str]
    member_id: Mapped[int]
    amount: Mapped[int]
    refunded_at: Mapped[datetime]
