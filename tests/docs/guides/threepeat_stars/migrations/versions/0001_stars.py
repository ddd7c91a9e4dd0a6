"""What the guide leaves out."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import DELETE, personal

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_tenant_table(
        "account",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("stars", sa.BigInteger, nullable=False),
        key=("member_id",),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_table(
        "payment",
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("stars", sa.BigInteger, nullable=False),
        key=("reference",),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_index("payment_member", "payment", ["member_id"])


def downgrade() -> None:
    drop_table("payment")
    drop_table("account")
