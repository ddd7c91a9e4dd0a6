"""Templates, vouchers, the orders that they went into, batches of codes, and what limits are counted in."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import ANONYMISE, DELETE, personal

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)
TABLES = ("template", "credit", "voucher", "redemption", "taking", "batch", "code", "guess")


def _number(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable, server_default=default)


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable, server_default=default)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False)


def upgrade() -> None:
    create_tenant_table(
        "template",
        _id(),
        _text("name"),
        sa.Column("form", JSONB, nullable=False, server_default="{}"),
        _text("state", default="draft"),
        _flag("claimable"),
        _number("total", nullable=True),
        _number("issued", default="0"),
        _number("budget", nullable=True),
        _number("taken", default="0"),
        _flag("give_back"),
        _number("revision", default="1"),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.CheckConstraint("state IN ('draft', 'active', 'paused', 'ended')", name="template_state_check"),
        sa.CheckConstraint("issued >= 0 AND (total IS NULL OR issued <= total)", name="template_total_check"),
        sa.CheckConstraint("taken >= 0 AND (budget IS NULL OR taken <= budget)", name="template_budget_check"),
        key=("id",),
    )
    create_tenant_table(
        "credit",
        _number("template_id"),
        _id(),
        _number("amount"),
        sa.CheckConstraint("amount > 0", name="credit_amount_check"),
        key=("template_id", "id"),
    )
    create_tenant_table(
        "voucher",
        _id(),
        _number("member_id"),
        _number("template_id"),
        _text("source", default="reward"),
        _text("grant_key", nullable=True),
        _number("number", default="1"),
        sa.Column("valid_from", INSTANT, nullable=False),
        sa.Column("valid_until", INSTANT, nullable=False),
        _text("state", default="issued"),
        _flag("revoked"),
        _text("reservation", nullable=True),
        sa.Column("issued_at", INSTANT, nullable=False),
        sa.CheckConstraint("source IN ('reward', 'claim', 'code')", name="voucher_source_check"),
        sa.CheckConstraint(
            "state IN ('issued', 'locked', 'used', 'returned', 'void')", name="voucher_state_check"
        ),
        sa.CheckConstraint(
            "state IN ('issued', 'void') OR reservation IS NOT NULL", name="voucher_reservation_check"
        ),
        sa.CheckConstraint("valid_from <= valid_until", name="voucher_valid_check"),
        key=("id",),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("source", "state")),
    )
    create_tenant_index("voucher_member", "voucher", ["member_id", "state"])
    create_tenant_index("voucher_template", "voucher", ["template_id", "state"])
    create_tenant_index(
        "voucher_grant", "voucher", ["grant_key", "number"], unique=True, where="grant_key IS NOT NULL"
    )
    create_tenant_table(
        "redemption",
        _text("reservation"),
        _number("voucher_id"),
        _number("member_id"),
        _number("template_id"),
        _number("amount"),
        _number("returned", default="0"),
        _flag("whole"),
        _text("state", default="held"),
        _text("order_id", nullable=True),
        _number("order_total", nullable=True),
        sa.Column("held_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT),
        sa.CheckConstraint("state IN ('held', 'used', 'released')", name="redemption_state_check"),
        sa.CheckConstraint("amount >= 0 AND returned BETWEEN 0 AND amount", name="redemption_amount_check"),
        key=("reservation", "voucher_id"),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("state",)),
    )
    create_tenant_index("redemption_voucher", "redemption", ["voucher_id"])
    create_tenant_index("redemption_template", "redemption", ["template_id", "state"])
    create_tenant_index("redemption_order", "redemption", ["order_id"], where="order_id IS NOT NULL")
    create_tenant_index("redemption_used", "redemption", ["used_at"], where="state = 'used'")
    create_tenant_table(
        "taking",
        _number("member_id"),
        _number("template_id"),
        _number("taken"),
        sa.Column("day", sa.Date, nullable=False),
        _number("today"),
        sa.CheckConstraint("taken > 0", name="taking_taken_check"),
        sa.CheckConstraint("today > 0", name="taking_today_check"),
        key=("member_id", "template_id"),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_table(
        "batch",
        _id(),
        _text("name"),
        _number("template_id"),
        _number("size"),
        _number("made", default="0"),
        _text("secret"),
        _text("state", default="making"),
        _number("revision", default="1"),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.CheckConstraint("state IN ('making', 'ready', 'void')", name="batch_state_check"),
        sa.CheckConstraint("made BETWEEN 0 AND size", name="batch_made_check"),
        key=("id",),
    )
    create_tenant_index("batch_template", "batch", ["template_id"])
    create_tenant_table(
        "code",
        _text("hash"),
        _number("batch_id"),
        _number("number"),
        _number("voucher_id", nullable=True),
        key=("hash",),
    )
    create_tenant_index("code_batch", "code", ["batch_id", "number"], unique=True)
    create_tenant_index("code_voucher", "code", ["voucher_id"], unique=True, where="voucher_id IS NOT NULL")
    create_tenant_table(
        "guess",
        _number("member_id"),
        sa.Column("since", INSTANT, nullable=False),
        _number("tries"),
        sa.CheckConstraint("tries >= 0", name="guess_tries_check"),
        key=("member_id",),
        comment=personal("member_id", on_erase=DELETE),
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        drop_table(table)
