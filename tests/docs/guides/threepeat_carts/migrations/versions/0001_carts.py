"""What the guide leaves out."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import DELETE, personal

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_tenant_table(
        "cart",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=False),
        key=("member_id", "left_at"),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_index("cart_left", "cart", ["left_at"])


def downgrade() -> None:
    drop_table("cart")
