"""Birthdays and presents."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import DELETE, personal

revision = "0001"
down_revision = None

PERSONAL = personal("member_id", on_erase=DELETE)


def upgrade() -> None:
    create_tenant_table(
        "date",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("month", sa.BigInteger, nullable=False),
        sa.Column("day", sa.BigInteger, nullable=False),
        sa.Column("told_on", sa.Date, nullable=False),
        sa.CheckConstraint("month BETWEEN 1 AND 12", name="date_month_check"),
        sa.CheckConstraint("day BETWEEN 1 AND 31", name="date_day_check"),
        key=("member_id",),
        comment=PERSONAL,
    )
    create_tenant_index("date_of", "date", ["month", "day", "member_id"])
    create_tenant_table(
        "present",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("year", sa.BigInteger, nullable=False),
        sa.Column("given_on", sa.Date, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.CheckConstraint("state IN ('given', 'missed')", name="present_state_check"),
        key=("member_id", "year"),
        comment=PERSONAL,
    )
    create_tenant_index("present_day", "present", ["given_on"])


def downgrade() -> None:
    drop_table("present")
    drop_table("date")
