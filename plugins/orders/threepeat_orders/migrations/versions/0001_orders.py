"""Paid orders, refunds and buyers."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import ANONYMISE, DELETE, personal

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    create_tenant_table(
        "header",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("refunded", sa.BigInteger, nullable=False),
        sa.Column("paid_at", INSTANT, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        key=("order_id",),
        comment=personal("member_id", on_erase=ANONYMISE),
    )
    create_tenant_table(
        "refund",
        sa.Column("refund_id", sa.Text, nullable=False),
        sa.Column("order_id", sa.Text),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("refunded_at", INSTANT, nullable=False),
        key=("refund_id",),
        comment=personal("member_id", on_erase=ANONYMISE),
    )
    create_tenant_table(
        "buyer",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("orders", sa.BigInteger, nullable=False),
        sa.Column("paid", sa.BigInteger, nullable=False),
        sa.Column("refunded", sa.BigInteger, nullable=False),
        sa.Column("first_order_at", INSTANT),
        sa.Column("last_order_at", INSTANT),
        key=("member_id",),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_index("header_member", "header", ["member_id", "paid_at"])
    create_tenant_index("refund_order", "refund", ["order_id"])


def downgrade() -> None:
    for table in ("buyer", "refund", "header"):
        drop_table(table)
