"""What the guide leaves out."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import ANONYMISE, personal

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_tenant_table(
        "day",
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("taken", sa.BigInteger, nullable=False),
        key=("day",),
    )
    create_tenant_table(
        "hold",
        sa.Column("reservation", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.CheckConstraint("state IN ('held', 'confirmed', 'released')", name="hold_state_check"),
        key=("reservation",),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("state",)),
    )
    create_tenant_index("hold_member", "hold", ["member_id"])


def downgrade() -> None:
    drop_table("hold")
    drop_table("day")
