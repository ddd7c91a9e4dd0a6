"""What the guide leaves out."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_table, drop_table
from threepeat.sdk.models import DELETE, personal

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_tenant_table(
        "gold",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("factor", sa.BigInteger, nullable=False),
        key=("member_id",),
        comment=personal("member_id", on_erase=DELETE),
    )


def downgrade() -> None:
    drop_table("gold")
