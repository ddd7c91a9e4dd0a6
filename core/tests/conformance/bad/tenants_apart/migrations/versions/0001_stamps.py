import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_table, drop_table
from threepeat.sdk.models import DELETE, personal

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_tenant_table(
        "card",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        key=("member_id",),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_table(
        "stamp",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        key=("order_id",),
        comment=personal("member_id", on_erase=DELETE),
    )


def downgrade() -> None:
    for name in ("stamp", "card"):
        drop_table(name)
