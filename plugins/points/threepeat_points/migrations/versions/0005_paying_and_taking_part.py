"""Points held for orders, and how often members took part."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_table, drop_table
from threepeat.sdk.models import ANONYMISE, DELETE, personal

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    create_tenant_table(
        "hold",
        sa.Column("reservation", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("payment", sa.Text, nullable=False),
        sa.Column("points", sa.BigInteger, nullable=False),
        sa.Column("returned", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("state", sa.Text, nullable=False),
        sa.CheckConstraint("state IN ('held', 'confirmed', 'released')", name="hold_state_check"),
        sa.CheckConstraint("points > 0", name="hold_points_check"),
        sa.CheckConstraint("returned BETWEEN 0 AND points", name="hold_returned_check"),
        key=("reservation",),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("state",)),
    )
    create_tenant_table(
        "tally",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("times", sa.BigInteger, nullable=False),
        sa.CheckConstraint("times > 0", name="tally_times_check"),
        key=("member_id", "day", "event"),
        comment=personal("member_id", on_erase=DELETE),
    )


def downgrade() -> None:
    for table in ("tally", "hold"):
        drop_table(table)
