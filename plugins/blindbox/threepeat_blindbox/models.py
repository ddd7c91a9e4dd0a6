"""Series with their pools, what buyers have, and the draws, which know no buyer."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, MetaData, false, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from threepeat.sdk.models import ANONYMISE, DELETE, TenantOwned, personal

REASONS = "reason IN ('caps', 'sold_out', 'declined', 'expired', 'not_on_sale')"


class Base(TenantOwned, DeclarativeBase):
    """Declarative base of the schema `blindbox`."""

    metadata = MetaData(schema="blindbox")


class Signer(Base):
    """The store's key for receipts: one row."""

    __tablename__ = "signer"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    public_key: Mapped[str]
    sealed: Mapped[str]


class Series(Base):
    """A series. Its row is what whoever holds a place or draws waits for.

    `form` is what the merchant filled in; what is beside it stands from the sale on. `version` is the pool on
    sale, `pool` its hash. `draws` is the last draw's number, `head` its receipt's hash. `held` counts boxes that
    are held for orders or wait to be opened, `room` those that the pool still has; empty is any number. `sealed`
    is the seed, `seed` the same once nothing can be drawn any more.
    """

    __tablename__ = "series"
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'on_sale', 'ending', 'closed')", name="series_state_check"),
        CheckConstraint("held >= 0 AND draws >= 0 AND room >= 0", name="series_count_check"),
        Index("series_sku", "tenant_id", "sku", unique=True, postgresql_where=text("state = 'on_sale'")),
        Index("series_sold", "tenant_id", "sku", "id", postgresql_where=text("state <> 'draft'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str]
    form: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    state: Mapped[str] = mapped_column(server_default="draft")
    sku: Mapped[str]
    price: Mapped[int]
    daily_boxes: Mapped[int | None]
    daily_money: Mapped[int | None]
    version: Mapped[int] = mapped_column(server_default="0")
    pool: Mapped[str] = mapped_column(server_default="")
    draws: Mapped[int] = mapped_column(server_default="0")
    head: Mapped[str] = mapped_column(server_default="")
    held: Mapped[int] = mapped_column(server_default="0")
    room: Mapped[int | None]
    commitment: Mapped[str] = mapped_column(server_default="")
    sealed: Mapped[str] = mapped_column(server_default="")
    seed: Mapped[str | None]
    revision: Mapped[int] = mapped_column(server_default="1")
    changed_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]


class Version(Base):
    """A pool as it was published, word for word; rows are only added."""

    __tablename__ = "version"
    __table_args__ = (
        CheckConstraint("why IN ('opened', 'changed', 'sold_out')", name="version_why_check"),
        Index("version_hash", "tenant_id", "hash", unique=True),
    )

    series_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[str]
    hash: Mapped[str]
    why: Mapped[str] = mapped_column(server_default="opened")
    published_at: Mapped[datetime]


class Stock(Base):
    """How many of an item were put into a series and how many were drawn; `put` empty is any number."""

    __tablename__ = "stock"
    __table_args__ = (CheckConstraint("taken BETWEEN 0 AND coalesce(put, taken)", name="stock_taken_check"),)

    series_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    item: Mapped[str] = mapped_column(primary_key=True)
    put: Mapped[int | None]
    taken: Mapped[int] = mapped_column(server_default="0")


class Draw(Base):
    """A draw; rows are only added. `body` is the receipt, word for word, and holds all of the others.

    `buyer` and `order_hash` are random to everybody but the buyer, so no row leads to a person.
    """

    __tablename__ = "draw"
    __table_args__ = (
        Index("draw_once", "tenant_id", "series_id", "order_hash", "ordinal", unique=True),
        Index("draw_buyer", "tenant_id", "series_id", "buyer", "draw_no"),
        Index("draw_day", "tenant_id", "drawn_at"),
    )

    series_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    draw_no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]
    item: Mapped[str]
    hidden: Mapped[bool]
    buyer: Mapped[str]
    order_hash: Mapped[str]
    ordinal: Mapped[int]
    misses_before: Mapped[int]
    misses_after: Mapped[int]
    body: Mapped[str]
    hash: Mapped[str]
    previous: Mapped[str]
    signature: Mapped[str]
    drawn_at: Mapped[datetime]


class Buyer(Base):
    """A member in a series: what receipts call the member, and how many draws in a row missed the floor."""

    __tablename__ = "buyer"
    __table_args__ = (
        CheckConstraint("misses >= 0", name="buyer_misses_check"),
        Index("buyer_tag", "tenant_id", "series_id", "tag", unique=True),
        {"comment": personal("member_id", on_erase=DELETE)},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    series_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tag: Mapped[str]
    salt: Mapped[str]
    misses: Mapped[int] = mapped_column(server_default="0")


class Spending(Base):
    """How many boxes of a series a member holds or bought on a day, and for how much; its row is the lock.

    `merged`: two members who are one now had a limit each on that day.
    """

    __tablename__ = "spending"
    __table_args__ = (
        CheckConstraint("boxes >= 0 AND money >= 0", name="spending_count_check"),
        {"comment": personal("member_id", on_erase=DELETE)},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    series_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    boxes: Mapped[int]
    money: Mapped[int]
    merged: Mapped[bool] = mapped_column(server_default=false())


class Declaration(Base):
    """A member said to be of age, or to have a guardian's consent, after reading a version of the text."""

    __tablename__ = "declaration"
    __table_args__ = (
        CheckConstraint("kind IN ('adult', 'guardian')", name="declaration_kind_check"),
        {"comment": personal("member_id", on_erase=DELETE)},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    text_version: Mapped[str]
    declared_at: Mapped[datetime]


class Hold(Base):
    """Boxes that are held for an order's quote. `pool` is the version that the buyer saw, by its hash."""

    __tablename__ = "hold"
    __table_args__ = (
        CheckConstraint("state IN ('held', 'paid', 'used', 'released')", name="hold_state_check"),
        CheckConstraint("boxes > 0 AND money >= 0", name="hold_count_check"),
        Index("hold_order", "tenant_id", "order_id", postgresql_where=text("order_id IS NOT NULL")),
        Index("hold_member", "tenant_id", "member_id"),
        Index("hold_open", "tenant_id", "series_id", postgresql_where=text("state IN ('held', 'paid')")),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("state",))},
    )

    reservation: Mapped[str] = mapped_column(primary_key=True)
    series_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    member_id: Mapped[int]
    boxes: Mapped[int]
    money: Mapped[int]
    day: Mapped[date]
    pool: Mapped[str]
    nonce: Mapped[str | None]
    order_id: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="held")


class Box(Base):
    """A box that was paid for or won, opened or not. Its key keeps an order from being drawn for twice.

    `money` is what was paid for it, `total` what was paid for its order. `pool` is the version that its buyer saw
    before paying, `nonce` the first that the buyer gave for the order. `returned`: it came back after it was
    opened; the draw stands.
    """

    __tablename__ = "box"
    __table_args__ = (
        CheckConstraint("source IN ('order', 'chance')", name="box_source_check"),
        CheckConstraint("state IN ('waiting', 'opened', 'void')", name="box_state_check"),
        CheckConstraint("(state = 'opened') = (draw_no IS NOT NULL)", name="box_draw_check"),
        CheckConstraint("ordinal > 0 AND money >= 0 AND total >= 0", name="box_count_check"),
        Index("box_once", "tenant_id", "series_id", "order_id", "ordinal", unique=True),
        Index("box_order", "tenant_id", "order_id"),
        Index("box_member", "tenant_id", "member_id", "id"),
        Index("box_draw", "tenant_id", "series_id", "draw_no", postgresql_where=text("draw_no IS NOT NULL")),
        Index("box_waiting", "tenant_id", "series_id", postgresql_where=text("state = 'waiting'")),
        Index("box_day", "tenant_id", "series_id", "member_id", "day"),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("source", "state"))},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int]
    series_id: Mapped[int]
    source: Mapped[str] = mapped_column(server_default="order")
    order_id: Mapped[str]
    ordinal: Mapped[int]
    money: Mapped[int]
    total: Mapped[int] = mapped_column(server_default="0")
    day: Mapped[date]
    pool: Mapped[str | None]
    nonce: Mapped[str | None]
    derived: Mapped[bool] = mapped_column(server_default=false())
    state: Mapped[str] = mapped_column(server_default="waiting")
    returned: Mapped[bool] = mapped_column(server_default=false())
    draw_no: Mapped[int | None]
    paid_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]


class Nonce(Base):
    """The first nonce that a member gave for an order that has not been paid yet."""

    __tablename__ = "nonce"
    __table_args__ = ({"comment": personal("member_id", on_erase=DELETE)},)

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    order_id: Mapped[str] = mapped_column(primary_key=True)
    nonce: Mapped[str]
    given_at: Mapped[datetime]


class Chance(Base):
    """A chance to draw that a member was given. Nothing marks it as expired: from `valid_until` on it is."""

    __tablename__ = "chance"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'used', 'void')", name="chance_state_check"),
        Index("chance_grant", "tenant_id", "grant_key", "number", unique=True),
        Index("chance_member", "tenant_id", "member_id", "series_id"),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("state",))},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int]
    series_id: Mapped[int]
    grant_key: Mapped[str]
    number: Mapped[int]
    state: Mapped[str] = mapped_column(server_default="open")
    valid_until: Mapped[datetime]
    given_at: Mapped[datetime]


class Claim(Base):
    """Money that a member is owed for boxes that are not drawn, until the shop answers; `back` of it has come."""

    __tablename__ = "claim"
    __table_args__ = (
        CheckConstraint("state IN ('asked', 'done', 'failed')", name="claim_state_check"),
        CheckConstraint(REASONS, name="claim_reason_check"),
        CheckConstraint("amount > 0 AND back BETWEEN 0 AND amount AND times > 0", name="claim_amount_check"),
        Index("claim_order", "tenant_id", "order_id"),
        Index("claim_open", "tenant_id", "asked_at", postgresql_where=text("state = 'asked'")),
        Index("claim_member", "tenant_id", "member_id"),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("state", "reason"))},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    order_id: Mapped[str]
    series_id: Mapped[int]
    member_id: Mapped[int]
    amount: Mapped[int]
    back: Mapped[int] = mapped_column(server_default="0")
    reason: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="asked")
    times: Mapped[int] = mapped_column(server_default="1")
    asked_at: Mapped[datetime]


class Refund(Base):
    """What the shop paid back of an order with boxes: `units` by SKU, empty if it did not say."""

    __tablename__ = "refund"
    __table_args__ = (
        CheckConstraint("amount >= 0", name="refund_amount_check"),
        Index("refund_member", "tenant_id", "member_id"),
        {"comment": personal("member_id", on_erase=DELETE)},
    )

    order_id: Mapped[str] = mapped_column(primary_key=True)
    refund_id: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[int]
    amount: Mapped[int]
    units: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
