"""Visits by the day."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_table, drop_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_tenant_table(
        "visits",
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("visits", sa.BigInteger, nullable=False),
        key=("day",),
    )


def downgrade() -> None:
    drop_table("visits")
