"""Quotes, what they take off, payments and refunds."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import ANONYMISE, personal

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)
STATES = "state IN ('quoted', 'reserved', 'confirmed', 'released')"
OUTCOMES = "outcome IN ('claimed', 'confirmed', 'gone', 'stranger', 'taken')"
IDENTIFIER = "~ '^[a-z0-9_-]{1,64}$'"
OF_MEMBER = "member_id IS NOT NULL"


def upgrade() -> None:
    create_tenant_table(
        "quote",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger),
        sa.Column("known", sa.Boolean, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("content", JSONB),
        sa.Column("before", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("delivery_back", sa.Boolean, nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False, server_default="false"),
        sa.Column("times", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("order_id", sa.Text),
        sa.Column("quoted_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("held_until", INSTANT),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.CheckConstraint(STATES, name="quote_state_check"),
        sa.CheckConstraint("total BETWEEN 0 AND before", name="quote_total_check"),
        sa.CheckConstraint("(state = 'reserved') = (held_until IS NOT NULL)", name="quote_held_check"),
        sa.CheckConstraint("state <> 'confirmed' OR order_id IS NOT NULL", name="quote_order_check"),
        key=("id",),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("state",)),
    )
    create_tenant_index("quote_member", "quote", ["member_id"], where=OF_MEMBER)
    create_tenant_index("quote_order", "quote", ["order_id"], where="order_id IS NOT NULL")
    create_tenant_index("quote_open", "quote", ["held_until"], where="state = 'reserved'")
    create_tenant_index("quote_idle", "quote", ["changed_at"], where="state IN ('quoted', 'released')")
    create_tenant_index("quote_quoted", "quote", ["quoted_at"], where="times > 0")
    create_tenant_table(
        "taken",
        sa.Column("quote_id", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("member_id", sa.BigInteger),
        sa.Column("plugin", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("held", sa.Boolean, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("shipping", sa.BigInteger, nullable=False),
        sa.Column("returned", sa.BigInteger, nullable=False, server_default="0"),
        sa.CheckConstraint(f"plugin {IDENTIFIER}", name="taken_plugin_check"),
        sa.CheckConstraint(f"rule {IDENTIFIER}", name="taken_rule_check"),
        sa.CheckConstraint("amount >= 0 AND shipping >= 0", name="taken_amount_check"),
        sa.CheckConstraint("returned BETWEEN 0 AND amount + shipping", name="taken_returned_check"),
        key=("quote_id", "number"),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("plugin", "rule")),
    )
    create_tenant_index("taken_member", "taken", ["member_id"], where=OF_MEMBER)
    create_tenant_table(
        "payment",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("quote_id", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("total", sa.BigInteger),
        sa.Column("paid_at", INSTANT, nullable=False),
        sa.CheckConstraint(OUTCOMES, name="payment_outcome_check"),
        key=("order_id",),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("outcome",)),
    )
    create_tenant_index("payment_quote", "payment", ["quote_id"], unique=True, where="outcome = 'confirmed'")
    create_tenant_index("payment_member", "payment", ["member_id"], where=OF_MEMBER)
    create_tenant_index("payment_paid", "payment", ["paid_at"])
    create_tenant_table(
        "refund",
        sa.Column("refund_id", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("quote_id", sa.Text),
        sa.Column("order_id", sa.Text),
        sa.Column("reservation_id", sa.Text),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("units", JSONB, nullable=False),
        sa.Column("occurred_at", INSTANT, nullable=False),
        key=("refund_id",),
        comment=personal("member_id", on_erase=ANONYMISE),
    )
    create_tenant_index("refund_quote", "refund", ["quote_id"], where="quote_id IS NOT NULL")
    create_tenant_index("refund_waiting", "refund", ["order_id"], where="quote_id IS NULL")
    create_tenant_index("refund_reserved", "refund", ["reservation_id"], where="quote_id IS NULL")
    create_tenant_index("refund_member", "refund", ["member_id"])


def downgrade() -> None:
    for table in ("refund", "payment", "taken", "quote"):
        drop_table(table)
