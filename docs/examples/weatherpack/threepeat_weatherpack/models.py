"""Weekends on which members bought, and what they were offered."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, MetaData, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from threepeat.sdk.models import ANONYMISE, DELETE, TenantOwned, personal


class Base(TenantOwned, DeclarativeBase):
    """Declarative base of the schema `weatherpack`."""

    metadata = MetaData(schema="weatherpack")


class Weekend(Base):
    """A weekend, by its Saturday, on which a member bought from a category of the store's choice."""

    __tablename__ = "weekend"
    __table_args__ = (
        Index("weekend_saturday", "tenant_id", "saturday", "member_id"),
        {"comment": personal("member_id", on_erase=DELETE)},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    saturday: Mapped[date] = mapped_column(primary_key=True)


class Offer(Base):
    """A warning's offer to a member; the key allows one for each warning."""

    __tablename__ = "offer"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'taken', 'returned')", name="offer_state_check"),
        CheckConstraint("(state = 'open') = (order_id IS NULL)", name="offer_order_check"),
        Index("offer_member", "tenant_id", "member_id", "until"),
        Index("offer_order", "tenant_id", "order_id", postgresql_where=text("order_id IS NOT NULL")),
        Index("offer_made", "tenant_id", "offered_at"),
        Index("offer_open", "tenant_id", "until", postgresql_where=text("state = 'open'")),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("state",))},
    )

    warning: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    offered_at: Mapped[datetime]
    until: Mapped[datetime]
    state: Mapped[str]
    order_id: Mapped[str | None]
    reward_kind: Mapped[str | None]
    reward_key: Mapped[str | None]
