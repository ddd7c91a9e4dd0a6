"""What the guide leaves out."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import DELETE, personal

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_tenant_table(
        "visit",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        key=("member_id", "day", "place"),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_index("visit_day", "visit", ["day", "member_id"])


def downgrade() -> None:
    drop_table("visit")
