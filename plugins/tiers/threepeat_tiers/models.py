"""The tiers and versions of a store; members' growth, standings, floors and gifts."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, MetaData, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from threepeat.sdk.models import ANONYMISE, DELETE, TenantOwned, personal

PERSONAL = personal("member_id", on_erase=ANONYMISE)


class Base(TenantOwned, DeclarativeBase):
    """Declarative base of the schema `tiers`."""

    metadata = MetaData(schema="tiers")


class Store(Base):
    """Whether the tactic is closing in a store, and how far the log from before it was on is read, backwards.

    `learn_after` is the position up to which that log is still to be read. Once it is read, members are placed in
    the order of their ids; `place_after` is the last who was. Both are null when all is done.
    """

    __tablename__ = "store"

    closing: Mapped[bool]
    learn_after: Mapped[int | None]
    place_after: Mapped[int | None]


class Tier(Base):
    """A tier as the merchant edits it; what is in force stands in a version."""

    __tablename__ = "tier"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'retired')", name="tier_state_check"),
        CheckConstraint("level BETWEEN 1 AND 10", name="tier_level_check"),
    )

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    form: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(server_default="active")
    revision: Mapped[int] = mapped_column(server_default="1")
    changed_at: Mapped[datetime]


class Version(Base):
    """The rules and tiers as they were put into force; never changed."""

    __tablename__ = "version"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    rules: Mapped[dict[str, Any]]
    made_at: Mapped[datetime]


class Ranking(Base):
    """What growth the monthly ranking of a day asks for, by level."""

    __tablename__ = "ranking"

    day: Mapped[date] = mapped_column(primary_key=True)
    cuts: Mapped[dict[str, Any]]
    ranked: Mapped[int]
    made_at: Mapped[datetime]


class Standing(Base):
    """Where a member stands, under which version, and when that is looked at next.

    `level` is the highest of `earned`, `paid` and `granted`; 0 is no tier. `reviewed_on` is the day of the last
    review. In the days of grace after a review, `grace_until` is when it ends and `grace_since` from which day on
    growth counts for it. If the last review took a tier, `fell_from` is its level, `fell_version` the version that
    judged, and `fell_since` the first day that was looked at: what comes in late for these days can bring it back.
    """

    __tablename__ = "standing"
    __table_args__ = (
        CheckConstraint("level = greatest(earned, paid, granted)", name="standing_level_check"),
        CheckConstraint("least(earned, paid, granted) >= 0", name="standing_parts_check"),
        CheckConstraint("(grace_until IS NULL) = (grace_since IS NULL)", name="standing_grace_check"),
        CheckConstraint("num_nulls(fell_from, fell_version, fell_since) IN (0, 3)", name="standing_fell_check"),
        Index("standing_review", "tenant_id", "review_on", "member_id"),
        Index("standing_version", "tenant_id", "version", "member_id"),
        {"comment": PERSONAL},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]
    earned: Mapped[int]
    paid: Mapped[int]
    granted: Mapped[int]
    level: Mapped[int]
    joined_on: Mapped[date]
    reviewed_on: Mapped[date | None]
    review_on: Mapped[date]
    grace_until: Mapped[date | None]
    grace_since: Mapped[date | None]
    fell_from: Mapped[int | None]
    fell_version: Mapped[int | None]
    fell_since: Mapped[date | None]


class Change(Base):
    """A change of a member's tier or version; it counts for events after `position`.

    `merged` marks what a person brings along who was merged into another.
    """

    __tablename__ = "change"
    __table_args__ = (
        CheckConstraint(
            "reason IN ('growth', 'review', 'rules', 'bought', 'granted', 'floor_over', 'merged')",
            name="change_reason_check",
        ),
        Index("change_member", "tenant_id", "member_id", "position", "id"),
        Index("change_made", "tenant_id", "changed_at"),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("reason",))},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int]
    position: Mapped[int]
    changed_at: Mapped[datetime]
    from_level: Mapped[int]
    to_level: Mapped[int]
    version: Mapped[int]
    reason: Mapped[str]
    merged: Mapped[bool] = mapped_column(server_default="false")


class DayGrowth(Base):
    """The growth of a member's local day: the sum of its orders, interactions and refunds without an order."""

    __tablename__ = "day_growth"
    __table_args__ = ({"comment": PERSONAL},)

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    value: Mapped[int]


class PaidOrder(Base):
    """An order with the terms by which it counts; `growth` is what is left of it after refunds."""

    __tablename__ = "paid_order"
    __table_args__ = (
        CheckConstraint("growth >= 0", name="paid_order_growth_check"),
        Index("paid_order_member", "tenant_id", "member_id", "paid_on"),
        {"comment": PERSONAL},
    )

    order_id: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[int]
    paid_on: Mapped[date]
    total: Mapped[int]
    refunded: Mapped[int]
    minor_units: Mapped[int]
    per_unit: Mapped[int]
    per_order: Mapped[int]
    growth: Mapped[int]


class Refund(Base):
    """A refund; its key keeps it from being counted twice. `taken` is what one without an order takes.

    `skus` are the products that came back, as far as the refund names them.
    """

    __tablename__ = "refund"
    __table_args__ = (
        CheckConstraint("taken >= 0 AND (taken = 0 OR order_id IS NULL)", name="refund_taken_check"),
        Index("refund_order", "tenant_id", "order_id"),
        Index("refund_member", "tenant_id", "member_id", "refunded_on"),
        {"comment": PERSONAL},
    )

    refund_id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[str | None]
    member_id: Mapped[int]
    amount: Mapped[int]
    refunded_on: Mapped[date]
    taken: Mapped[int]
    skus: Mapped[list[str]] = mapped_column(ARRAY(Text))


class Interaction(Base):
    """How often a member did something on a local day, and the growth that this brought."""

    __tablename__ = "interaction"
    __table_args__ = ({"comment": PERSONAL},)

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    times: Mapped[int]
    growth: Mapped[int]


class Floor(Base):
    """A tier that a member has at least until an instant: bought, or granted by the store with a reason.

    `open` until a worker has seen that its time is over, `over` from then on; `withdrawn` if the store took it
    back or its order was refunded. `counted` is the level with which it is part of where the member stands; 0
    if it is not. `skus` are the products by which it was bought. `customer` is the shop's id of the member, as it
    was filled in.
    """

    __tablename__ = "floor"
    __table_args__ = (
        CheckConstraint("source IN ('granted', 'paid')", name="floor_source_check"),
        CheckConstraint("state IN ('open', 'over', 'withdrawn')", name="floor_state_check"),
        CheckConstraint("source = 'granted' OR order_id IS NOT NULL", name="floor_order_check"),
        CheckConstraint("level BETWEEN 1 AND 10", name="floor_level_check"),
        Index("floor_member", "tenant_id", "member_id", postgresql_where=text("state = 'open'")),
        Index(
            "floor_order", "tenant_id", "order_id", "level", unique=True,
            postgresql_where=text("order_id IS NOT NULL"),
        ),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("source", "state"))},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int]
    source: Mapped[str]
    level: Mapped[int]
    begins_at: Mapped[datetime]
    until: Mapped[datetime]
    days: Mapped[int]
    order_id: Mapped[str | None]
    skus: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    customer: Mapped[str]
    reason: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="open")
    counted: Mapped[int] = mapped_column(server_default="0")
    revision: Mapped[int] = mapped_column(server_default="1")
    changed_at: Mapped[datetime]


class Gift(Base):
    """A reward for entering a tier, or for the birthday: once for each member, tier and period.

    `owed` until it could be given; `missed` if it never could. `paid` for what comes with a tier that was bought.
    """

    __tablename__ = "gift"
    __table_args__ = (
        CheckConstraint("occasion IN ('entry', 'birthday')", name="gift_occasion_check"),
        CheckConstraint("state IN ('given', 'owed', 'missed')", name="gift_state_check"),
        CheckConstraint("(state = 'given') = (reward_key IS NOT NULL)", name="gift_key_check"),
        Index("gift_owed", "tenant_id", "decided_at", postgresql_where=text("state = 'owed'")),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("occasion", "state"))},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    occasion: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    period: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    amount: Mapped[int]
    item: Mapped[str]
    paid: Mapped[bool]
    state: Mapped[str] = mapped_column(server_default="owed")
    reward_key: Mapped[str | None]
    decided_at: Mapped[datetime]


class Birthday(Base):
    """A member's birthday without its year, as the member told it."""

    __tablename__ = "birthday"
    __table_args__ = (
        Index("birthday_day", "tenant_id", "month_day", "member_id"),
        {"comment": personal("member_id", on_erase=DELETE)},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    month_day: Mapped[str]
    set_on: Mapped[date]
