"""Check-ins, what they brought, made-up days by month, and what members bought."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import DELETE, personal

revision = "0001"
down_revision = None

PERSONAL = personal("member_id", on_erase=DELETE)
STATES = "state IN ('granted', 'duplicate', 'held_out', 'over_budget', 'closed')"


def upgrade() -> None:
    create_tenant_table(
        "check_in",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("make_up_month", sa.Date),
        sa.CheckConstraint("extract(day FROM make_up_month) = 1", name="check_in_month_check"),
        key=("member_id", "day"),
        comment=PERSONAL,
    )
    create_tenant_index("check_in_day", "check_in", ["day"], include=["member_id"])
    create_tenant_table(
        "reward",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("merged", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.CheckConstraint("step >= 0", name="reward_step_check"),
        sa.CheckConstraint("amount > 0", name="reward_amount_check"),
        sa.CheckConstraint(STATES, name="reward_state_check"),
        key=("member_id", "day", "step"),
        comment=PERSONAL,
    )
    create_tenant_index("reward_missed", "reward", ["day"], where="state NOT IN ('granted', 'duplicate')")
    create_tenant_table(
        "make_up",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("month", sa.Date, nullable=False),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.CheckConstraint("used > 0", name="make_up_used_check"),
        key=("member_id", "month"),
        comment=PERSONAL,
    )
    create_tenant_table(
        "purchase",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        key=("order_id",),
        comment=PERSONAL,
    )
    create_tenant_index("purchase_member", "purchase", ["member_id", "day"])


def downgrade() -> None:
    for table in ("purchase", "make_up", "reward", "check_in"):
        drop_table(table)
