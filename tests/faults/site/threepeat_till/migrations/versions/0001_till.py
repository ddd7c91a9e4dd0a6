"""Counts, payments and answered bells."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_table, drop_table
from threepeat.sdk.models import ANONYMISE, DELETE, personal

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_tenant_table(
        "purse",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("orders", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("receipts", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("received", sa.BigInteger, nullable=False, server_default="0"),
        key=("member_id",),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_table(
        "stock",
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("filled", sa.BigInteger, nullable=False),
        sa.Column("left", sa.BigInteger, nullable=False),
        key=("item",),
    )
    create_tenant_table(
        "payment",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        key=("id",),
        comment=personal("member_id", on_erase=ANONYMISE),
    )
    create_tenant_table(
        "rung",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("member_id", sa.BigInteger),
        sa.Column("bell", sa.Text, nullable=False),
        key=("id",),
        comment=personal("member_id", on_erase=DELETE),
    )


def downgrade() -> None:
    for table in ("rung", "payment", "stock", "purse"):
        drop_table(table)
