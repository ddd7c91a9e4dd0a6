"""Accounts, lots, counted refunds and the journal."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import ANONYMISE, personal

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)
PERSONAL = personal("member_id", on_erase=ANONYMISE)


def upgrade() -> None:
    create_tenant_table(
        "account",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("debt", sa.BigInteger, nullable=False),
        sa.CheckConstraint("debt >= 0", name="account_debt_check"),
        key=("member_id",),
        comment=PERSONAL,
    )
    create_tenant_table(
        "lot",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("order_total", sa.BigInteger, nullable=False),
        sa.Column("order_refunded", sa.BigInteger, nullable=False),
        sa.Column("minor_units", sa.BigInteger, nullable=False),
        sa.Column("rate", sa.BigInteger, nullable=False),
        sa.Column("granted", sa.BigInteger, nullable=False),
        sa.Column("reversed", sa.BigInteger, nullable=False),
        sa.Column("remaining", sa.BigInteger, nullable=False),
        sa.Column("earned_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.CheckConstraint("remaining BETWEEN 0 AND granted", name="lot_remaining_check"),
        sa.CheckConstraint("reversed BETWEEN 0 AND granted", name="lot_reversed_check"),
        key=("member_id", "id"),
        comment=PERSONAL,
    )
    create_tenant_index("lot_order", "lot", ["order_id"], unique=True)
    create_tenant_table(
        "refund",
        sa.Column("refund_id", sa.Text, nullable=False),
        sa.Column("order_id", sa.Text),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        key=("refund_id",),
        comment=PERSONAL,
    )
    create_tenant_index("refund_order", "refund", ["order_id"])
    create_tenant_table(
        "entry",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("points", sa.BigInteger, nullable=False),
        sa.Column("occurred_at", INSTANT, nullable=False),
        key=("member_id", "id"),
        comment=PERSONAL,
        append_only=True,
    )
    create_tenant_index("entry_reference", "entry", ["reference"], unique=True)


def downgrade() -> None:
    for table in ("entry", "refund", "lot", "account"):
        drop_table(table)
