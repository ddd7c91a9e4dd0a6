"""What the guide leaves out."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import ANONYMISE, personal

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_tenant_table(
        "purchase",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("counts", sa.Boolean, nullable=False),
        key=("order_id",),
        comment=personal("member_id", on_erase=ANONYMISE),
    )
    create_tenant_index("purchase_member", "purchase", ["member_id"])


def downgrade() -> None:
    drop_table("purchase")
