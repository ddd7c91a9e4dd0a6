"""When it was opened."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_table, drop_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_tenant_table(
        "page",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        key=("id",),
    )


def downgrade() -> None:
    drop_table("page")
