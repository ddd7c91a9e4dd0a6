"""Templates, vouchers, the orders that they went into, batches of codes, and what limits are counted in."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, MetaData, false, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from threepeat.sdk.models import ANONYMISE, DELETE, TenantOwned, personal


class Base(TenantOwned, DeclarativeBase):
    """Declarative base of the schema `vouchers`."""

    metadata = MetaData(schema="vouchers")


class Template(Base):
    """What vouchers are made after. Whatever of it counts for vouchers is fixed once it is active.

    `form` is what the merchant filled in; the columns beside it are what statements decide by. `issued` counts
    vouchers and codes, and only where there is a `total`; `taken` counts what vouchers took off, in minor units,
    and only where there is a `budget`. What comes back lies in `credit` until the next voucher is used: nobody who
    gives back waits for this row.
    """

    __tablename__ = "template"
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'active', 'paused', 'ended')", name="template_state_check"),
        CheckConstraint("issued >= 0 AND (total IS NULL OR issued <= total)", name="template_total_check"),
        CheckConstraint("taken >= 0 AND (budget IS NULL OR taken <= budget)", name="template_budget_check"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str]
    form: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    state: Mapped[str] = mapped_column(server_default="draft")
    claimable: Mapped[bool] = mapped_column(server_default=false())
    total: Mapped[int | None]
    issued: Mapped[int] = mapped_column(server_default="0")
    budget: Mapped[int | None]
    taken: Mapped[int] = mapped_column(server_default="0")
    give_back: Mapped[bool] = mapped_column(server_default=false())
    revision: Mapped[int] = mapped_column(server_default="1")
    changed_at: Mapped[datetime]


class Credit(Base):
    """What came back to a template's budget and is not counted in its `taken` yet, in minor units."""

    __tablename__ = "credit"
    __table_args__ = (CheckConstraint("amount > 0", name="credit_amount_check"),)

    template_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    amount: Mapped[int]


class Voucher(Base):
    """One voucher of one member.

    Nothing marks it as expired: from `valid_until` on it is. While it is `locked`, `used` or `returned`,
    `reservation` names the order's quote; so no two orders hold it. `grant_key` and `number` say which reward it
    was, if it was one. Who took a `revoked` one back was too late for the order that held or had used it: it never
    becomes usable again.
    """

    __tablename__ = "voucher"
    __table_args__ = (
        CheckConstraint("source IN ('reward', 'claim', 'code')", name="voucher_source_check"),
        CheckConstraint("state IN ('issued', 'locked', 'used', 'returned', 'void')", name="voucher_state_check"),
        CheckConstraint(
            "state IN ('issued', 'void') OR reservation IS NOT NULL", name="voucher_reservation_check"
        ),
        CheckConstraint("valid_from <= valid_until", name="voucher_valid_check"),
        Index("voucher_member", "tenant_id", "member_id", "state"),
        Index("voucher_template", "tenant_id", "template_id", "state"),
        Index(
            "voucher_grant",
            "tenant_id",
            "grant_key",
            "number",
            unique=True,
            postgresql_where=text("grant_key IS NOT NULL"),
        ),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("source", "state"))},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int]
    template_id: Mapped[int]
    source: Mapped[str] = mapped_column(server_default="reward")
    grant_key: Mapped[str | None]
    number: Mapped[int] = mapped_column(server_default="1")
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime]
    state: Mapped[str] = mapped_column(server_default="issued")
    revoked: Mapped[bool] = mapped_column(server_default=false())
    reservation: Mapped[str | None]
    issued_at: Mapped[datetime]


class Redemption(Base):
    """A voucher in an order: held for it, used by it, or released.

    `amount` is what it took off goods and delivery; a gift takes off what it costs. `returned` is how much of that
    fell on what came back, and `whole` that everything did. `order_total` is what was paid for the order.
    """

    __tablename__ = "redemption"
    __table_args__ = (
        CheckConstraint("state IN ('held', 'used', 'released')", name="redemption_state_check"),
        CheckConstraint("amount >= 0 AND returned BETWEEN 0 AND amount", name="redemption_amount_check"),
        Index("redemption_voucher", "tenant_id", "voucher_id"),
        Index("redemption_template", "tenant_id", "template_id", "state"),
        Index("redemption_order", "tenant_id", "order_id", postgresql_where=text("order_id IS NOT NULL")),
        Index("redemption_used", "tenant_id", "used_at", postgresql_where=text("state = 'used'")),
        {"comment": personal("member_id", on_erase=ANONYMISE, keeps=("state",))},
    )

    reservation: Mapped[str] = mapped_column(primary_key=True)
    voucher_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    member_id: Mapped[int]
    template_id: Mapped[int]
    amount: Mapped[int]
    returned: Mapped[int] = mapped_column(server_default="0")
    whole: Mapped[bool] = mapped_column(server_default=false())
    state: Mapped[str] = mapped_column(server_default="held")
    order_id: Mapped[str | None]
    order_total: Mapped[int | None]
    held_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Taking(Base):
    """How many vouchers of a template a member took, in all and on the last day; its row is the limits' lock.

    What others gave the member does not count.
    """

    __tablename__ = "taking"
    __table_args__ = (
        CheckConstraint("taken > 0", name="taking_taken_check"),
        CheckConstraint("today > 0", name="taking_today_check"),
        {"comment": personal("member_id", on_erase=DELETE)},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    template_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    taken: Mapped[int]
    day: Mapped[date]
    today: Mapped[int]


class Batch(Base):
    """Codes that were made together. They are derived from `secret`, which is sealed, and stored nowhere."""

    __tablename__ = "batch"
    __table_args__ = (
        CheckConstraint("state IN ('making', 'ready', 'void')", name="batch_state_check"),
        CheckConstraint("made BETWEEN 0 AND size", name="batch_made_check"),
        Index("batch_template", "tenant_id", "template_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str]
    template_id: Mapped[int]
    size: Mapped[int]
    made: Mapped[int] = mapped_column(server_default="0")
    secret: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="making")
    revision: Mapped[int] = mapped_column(server_default="1")
    changed_at: Mapped[datetime]


class Code(Base):
    """A bearer code, as its hash. Whoever takes it first has the voucher `voucher_id`."""

    __tablename__ = "code"
    __table_args__ = (
        Index("code_batch", "tenant_id", "batch_id", "number", unique=True),
        Index(
            "code_voucher", "tenant_id", "voucher_id", unique=True, postgresql_where=text("voucher_id IS NOT NULL")
        ),
    )

    hash: Mapped[str] = mapped_column(primary_key=True)
    batch_id: Mapped[int]
    number: Mapped[int]
    voucher_id: Mapped[int | None]


class Guess(Base):
    """How many codes a member tried and got wrong since `since`."""

    __tablename__ = "guess"
    __table_args__ = (
        CheckConstraint("tries >= 0", name="guess_tries_check"),
        {"comment": personal("member_id", on_erase=DELETE)},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    since: Mapped[datetime]
    tries: Mapped[int]
