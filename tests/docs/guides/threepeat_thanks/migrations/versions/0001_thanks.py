"""What the guide leaves out."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import DELETE, personal

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_tenant_table(
        "gift",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        key=("order_id", "member_id"),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_index("gift_member", "gift", ["member_id"])


def downgrade() -> None:
    drop_table("gift")
