"""How many seats are taken, and for whom."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_table, drop_table

revision = "0001"
down_revision = None


def upgrade():
    create_tenant_table(
        "seats",
        sa.Column("id", sa.BigInteger, nullable=False),
        sa.Column("taken", sa.BigInteger, nullable=False),
        key=("id",),
    )
    create_tenant_table("hold", sa.Column("reservation", sa.Text, nullable=False), key=("reservation",))


def downgrade():
    drop_table("hold")
    drop_table("seats")
