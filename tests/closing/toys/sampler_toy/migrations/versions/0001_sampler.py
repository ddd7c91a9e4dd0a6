import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_table, drop_table
from threepeat.sdk.models import DELETE, personal

revision = "0001"
down_revision = None

PERSONAL = personal("member_id", on_erase=DELETE)


def upgrade() -> None:
    create_tenant_table(
        "purse",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        key=("member_id",),
        comment=PERSONAL,
    )
    create_tenant_table(
        "line",
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        key=("reference",),
        comment=PERSONAL,
    )


def downgrade() -> None:
    for name in ("line", "purse"):
        drop_table(name)
