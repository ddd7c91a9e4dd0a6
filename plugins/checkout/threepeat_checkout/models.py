"""Quotes, what they take off, the orders that were paid with them, and what came back."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, MetaData, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from threepeat.sdk.models import ANONYMISE, TenantOwned, personal

STATES = "state IN ('quoted', 'reserved', 'confirmed', 'released')"
OUTCOMES = "outcome IN ('claimed', 'confirmed', 'gone', 'stranger', 'taken')"
IDENTIFIER = "~ '^[a-z0-9_-]{1,64}$'"


class Base(TenantOwned, DeclarativeBase):
    """Declarative base of the schema `checkout`."""

    metadata = MetaData(schema="checkout")


class Quote(Base):
    """What a basket came to, and how it stands.

    `content` is the SDK's `Quote` as JSON; it is empty once the member is erased. `known` says whether the
    member was known when prices were asked: what was held for nobody stays so when somebody pays. `before` is
    the basket with delivery before any reduction, `total` what is to be paid. `times` counts how often it was
    held; `order_id` is the order that was placed with it, and at last the one that paid it.
    """

    __tablename__ = "quote"
    __table_args__ = (
        CheckConstraint(STATES, name="quote_state_check"),
        CheckConstraint("total BETWEEN 0 AND before", name="quote_total_check"),
        CheckConstraint("(state = 'reserved') = (held_until IS NOT NULL)", name="quote_held_check"),
        CheckConstraint("state <> 'confirmed' OR order_id IS NOT NULL", name="quote_order_check"),
        Index("quote_member", "tenant_id", "member_id", postgresql_where=text("member_id IS NOT NULL")),
        Index("quote_order", "tenant_id", "order_id", postgresql_where=text("order_id IS NOT NULL")),
        Index("quote_open", "tenant_id", "held_until", postgresql_where=text("state = 'reserved'")),
        Index("quote_idle", "tenant_id", "changed_at", postgresql_where=text("state IN ('quoted', 'released')")),
        Index("quote_quoted", "tenant_id", "quoted_at", postgresql_where=text("times > 0")),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("state",))},
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[int | None]
    known: Mapped[bool]
    state: Mapped[str]
    content: Mapped[dict[str, Any] | None]
    before: Mapped[int]
    total: Mapped[int]
    delivery_back: Mapped[bool]
    whole: Mapped[bool] = mapped_column(server_default="false")
    times: Mapped[int] = mapped_column(server_default="0")
    order_id: Mapped[str | None]
    quoted_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    held_until: Mapped[datetime | None]
    changed_at: Mapped[datetime]


class Taken(Base):
    """What one rule took off a quote that was held or paid: `number` is its place among `Quote.applied`.

    `amount` came off the goods, `shipping` off delivery; `returned` is how much of both fell on what came back.
    """

    __tablename__ = "taken"
    __table_args__ = (
        CheckConstraint(f"plugin {IDENTIFIER}", name="taken_plugin_check"),
        CheckConstraint(f"rule {IDENTIFIER}", name="taken_rule_check"),
        CheckConstraint("amount >= 0 AND shipping >= 0", name="taken_amount_check"),
        CheckConstraint("returned BETWEEN 0 AND amount + shipping", name="taken_returned_check"),
        Index("taken_member", "tenant_id", "member_id", postgresql_where=text("member_id IS NOT NULL")),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("plugin", "rule"))},
    )

    quote_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    member_id: Mapped[int | None]
    plugin: Mapped[str]
    rule: Mapped[str]
    held: Mapped[bool]
    amount: Mapped[int]
    shipping: Mapped[int]
    returned: Mapped[int] = mapped_column(server_default="0")


class Payment(Base):
    """An order that was paid with a quote; an order stands once, whatever comes of it.

    `confirmed`; `taken`: another order had paid the quote; `gone`: it was paid late and could not be held again;
    `stranger`: the quote is somebody else's. `claimed` lasts no longer than the transaction. `total` is what the
    shop says was paid; empty until it says so.
    """

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint(OUTCOMES, name="payment_outcome_check"),
        Index(
            "payment_quote",
            "tenant_id",
            "quote_id",
            unique=True,
            postgresql_where=text("outcome = 'confirmed'"),
        ),
        Index("payment_member", "tenant_id", "member_id", postgresql_where=text("member_id IS NOT NULL")),
        Index("payment_paid", "tenant_id", "paid_at"),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("outcome",))},
    )

    order_id: Mapped[str] = mapped_column(primary_key=True)
    quote_id: Mapped[str]
    member_id: Mapped[int | None]
    outcome: Mapped[str]
    total: Mapped[int | None]
    paid_at: Mapped[datetime]


class Refund(Base):
    """Money that went back; its key keeps it from being counted twice.

    It waits while `quote_id` is empty: its payment has not come yet. `units` says how many units of which sku
    came back; without any of the quote's it counts by `amount`.
    """

    __tablename__ = "refund"
    __table_args__ = (
        Index("refund_quote", "tenant_id", "quote_id", postgresql_where=text("quote_id IS NOT NULL")),
        Index("refund_waiting", "tenant_id", "order_id", postgresql_where=text("quote_id IS NULL")),
        Index("refund_reserved", "tenant_id", "reservation_id", postgresql_where=text("quote_id IS NULL")),
        Index("refund_member", "tenant_id", "member_id"),
        {"comment": personal("member_id", on_erase=ANONYMISE)},
    )

    refund_id: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[int]
    quote_id: Mapped[str | None]
    order_id: Mapped[str | None]
    reservation_id: Mapped[str | None]
    amount: Mapped[int]
    units: Mapped[dict[str, Any]]
    occurred_at: Mapped[datetime]
