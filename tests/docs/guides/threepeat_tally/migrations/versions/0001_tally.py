"""What the guide leaves out."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_table, drop_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_tenant_table(
        "count",
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        key=("type",),
    )


def downgrade() -> None:
    drop_table("count")
