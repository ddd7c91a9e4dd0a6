"""Paid orders, refunds, and a summary per buyer."""

from datetime import datetime

from sqlalchemy import Index, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from threepeat.sdk.models import ANONYMISE, TenantOwned, personal


class Base(TenantOwned, DeclarativeBase):
    """Declarative base of the schema `orders`."""

    metadata = MetaData(schema="orders")


class Header(Base):
    """A paid order; amounts in minor units.

    Its lines stay where they are, in the log at `position`: copying them would store personal data twice.
    """

    __tablename__ = "header"
    __table_args__ = (
        Index("header_member", "tenant_id", "member_id", "paid_at"),
        {"comment": personal("member_id", on_erase=ANONYMISE)},
    )

    order_id: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[int]
    total: Mapped[int]
    refunded: Mapped[int]
    paid_at: Mapped[datetime]
    position: Mapped[int]


class Refund(Base):
    """Money that went back; `order_id` is null if the shop could not tie it to an order."""

    __tablename__ = "refund"
    __table_args__ = (
        Index("refund_order", "tenant_id", "order_id"),
        {"comment": personal("member_id", on_erase=ANONYMISE)},
    )

    refund_id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[str | None]
    member_id: Mapped[int]
    amount: Mapped[int]
    refunded_at: Mapped[datetime]


class Buyer(Base):
    """What a member bought so far."""

    __tablename__ = "buyer"
    __table_args__ = ({"comment": personal("member_id", on_erase=ANONYMISE)},)

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    orders: Mapped[int]
    paid: Mapped[int]
    refunded: Mapped[int]
    first_order_at: Mapped[datetime | None]
    last_order_at: Mapped[datetime | None]
