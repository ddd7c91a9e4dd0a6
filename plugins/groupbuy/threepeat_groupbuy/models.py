"""Campaigns, their groups, the seats in them, and money that is asked back."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, MetaData, false, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from threepeat.sdk.models import ANONYMISE, DELETE, TenantOwned, personal

SEATS = "state IN ('held', 'joined', 'succeeded', 'failed', 'left', 'released')"
REASONS = "reason IN ('failed', 'difference', 'left', 'late')"


class Base(TenantOwned, DeclarativeBase):
    """Declarative base of the schema `groupbuy`."""

    metadata = MetaData(schema="groupbuy")


class Campaign(Base):
    """What is sold in groups. Whatever of it a group was promised is fixed once it is active.

    `form` is what the merchant filled in; the columns beside it are what statements decide by.
    """

    __tablename__ = "campaign"
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'active', 'paused', 'ended')", name="campaign_state_check"),
        Index("campaign_sku", "tenant_id", "sku", postgresql_where=text("state = 'active'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str]
    sku: Mapped[str]
    form: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    state: Mapped[str] = mapped_column(server_default="draft")
    revision: Mapped[int] = mapped_column(server_default="1")
    changed_at: Mapped[datetime]


class Team(Base):
    """A group; SQL needs that word for itself.

    `least` is how many it takes, `size` how many it can hold; they differ where the price has steps. `fill` is the
    least number of real seats with which the rest may be `virtual`; without it none ever is. `taken` counts seats
    that are held or paid, `joined` the paid ones, `joins` everybody who ever joined. `price` is what a unit costs
    on joining, `reached` what it costs in the end. While it holds seats of orders that may still be paid it is
    open beyond `expires_at`; nobody new gets in.
    """

    __tablename__ = "team"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'succeeded', 'failed')", name="team_state_check"),
        CheckConstraint("why IN ('', 'expired', 'dissolved')", name="team_why_check"),
        CheckConstraint("0 <= joined AND joined <= taken AND taken <= size", name="team_seats_check"),
        CheckConstraint("least <= size AND virtual >= 0", name="team_size_check"),
        Index(
            "team_open", "tenant_id", "campaign_id", "expires_at", "id", postgresql_where=text("state = 'open'")
        ),
        Index("team_campaign", "tenant_id", "campaign_id", "state"),
        Index("team_opened", "tenant_id", "opened_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    campaign_id: Mapped[int]
    state: Mapped[str] = mapped_column(server_default="open")
    why: Mapped[str] = mapped_column(server_default="")
    size: Mapped[int]
    least: Mapped[int]
    fill: Mapped[int | None]
    virtual: Mapped[int] = mapped_column(server_default="0")
    taken: Mapped[int]
    joined: Mapped[int]
    joins: Mapped[int]
    price: Mapped[int]
    reached: Mapped[int | None]
    pickup: Mapped[str] = mapped_column(server_default="")
    slot: Mapped[str] = mapped_column(server_default="")
    opened_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    done_at: Mapped[datetime | None]


class Seat(Base):
    """A member's place in a group, under the name of what holds it for an order.

    Whoever opens a group has no `team_id` until the order is paid. `amount` is what goes back in money if there is
    no group, `reduction` what the group price took off, `returned` how much of that came back, all in minor units.
    `fresh` members had bought nothing before. `moved` ones paid too late for their group and sit in another;
    `merged` ones have a second open group of the campaign because two members turned out to be one person.
    """

    __tablename__ = "seat"
    __table_args__ = (
        CheckConstraint(SEATS, name="seat_state_check"),
        CheckConstraint("units > 0 AND amount >= 0", name="seat_amount_check"),
        Index("seat_team", "tenant_id", "team_id", "state", postgresql_where=text("team_id IS NOT NULL")),
        Index("seat_member", "tenant_id", "member_id", "campaign_id"),
        Index("seat_order", "tenant_id", "order_id", postgresql_where=text("order_id IS NOT NULL")),
        Index("seat_idle", "tenant_id", "held_at", postgresql_where=text("state = 'released'")),
        Index("seat_joined", "tenant_id", "joined_at", postgresql_where=text("joined_at IS NOT NULL")),
        Index(
            "seat_open",
            "tenant_id",
            "campaign_id",
            "member_id",
            unique=True,
            postgresql_where=text("state IN ('held', 'joined') AND NOT merged"),
        ),
        Index(
            "seat_head",
            "tenant_id",
            "team_id",
            unique=True,
            postgresql_where=text("leads AND state = 'joined'"),
        ),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("state",))},
    )

    reservation: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[int]
    campaign_id: Mapped[int]
    team_id: Mapped[int | None]
    state: Mapped[str] = mapped_column(server_default="held")
    leads: Mapped[bool] = mapped_column(server_default=false())
    place: Mapped[int] = mapped_column(server_default="0")
    units: Mapped[int]
    price: Mapped[int]
    amount: Mapped[int]
    reduction: Mapped[int]
    returned: Mapped[int] = mapped_column(server_default="0")
    total: Mapped[int]
    order_id: Mapped[str | None]
    fresh: Mapped[bool] = mapped_column(server_default=false())
    moved: Mapped[bool] = mapped_column(server_default=false())
    merged: Mapped[bool] = mapped_column(server_default=false())
    held_at: Mapped[datetime]
    until: Mapped[datetime | None]
    joined_at: Mapped[datetime | None]


class Refund(Base):
    """Money of a paid seat that the shop was asked to pay back, `times` times so far.

    `back` is what the shop reported of its order since it was asked first, in minor units, without refunds that
    name other things only.
    """

    __tablename__ = "refund"
    __table_args__ = (
        CheckConstraint(REASONS, name="refund_reason_check"),
        CheckConstraint("state IN ('asked', 'refunded', 'failed', 'settled')", name="refund_state_check"),
        CheckConstraint("amount >= 0 AND back >= 0 AND times >= 0", name="refund_amount_check"),
        Index("refund_seat", "tenant_id", "reservation", unique=True),
        Index("refund_order", "tenant_id", "order_id"),
        Index("refund_member", "tenant_id", "member_id"),
        Index("refund_open", "tenant_id", "id", postgresql_where=text("state IN ('asked', 'failed')")),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("reason", "state"))},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    reservation: Mapped[str]
    member_id: Mapped[int]
    order_id: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="failed")
    amount: Mapped[int]
    state: Mapped[str] = mapped_column(server_default="asked")
    back: Mapped[int] = mapped_column(server_default="0")
    times: Mapped[int] = mapped_column(server_default="1")
    problem: Mapped[str] = mapped_column(server_default="")
    asked_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(server_default="1")
    changed_at: Mapped[datetime]


class Payback(Base):
    """A refund that the shop reported of an order with a seat; its key counts it once."""

    __tablename__ = "payback"
    __table_args__ = (
        CheckConstraint("amount >= 0", name="payback_amount_check"),
        {"comment": personal("member_id", on_erase=DELETE)},
    )

    refund_id: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[int]
    order_id: Mapped[str]
    amount: Mapped[int]
