import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from threepeat.sdk.migrations import create_tenant_table, drop_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_tenant_table(
        "jar",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("body", JSONB, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="open"),
        sa.Column("revision", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        key=("id",),
    )


def downgrade() -> None:
    drop_table("jar")
