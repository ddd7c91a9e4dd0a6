"""Weekends and offers."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import ANONYMISE, DELETE, personal

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    create_tenant_table(
        "weekend",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("saturday", sa.Date, nullable=False),
        key=("member_id", "saturday"),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_index("weekend_saturday", "weekend", ["saturday", "member_id"])
    create_tenant_table(
        "offer",
        sa.Column("warning", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("offered_at", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("order_id", sa.Text),
        sa.Column("reward_kind", sa.Text),
        sa.Column("reward_key", sa.Text),
        sa.CheckConstraint("state IN ('open', 'taken', 'returned')", name="offer_state_check"),
        sa.CheckConstraint("(state = 'open') = (order_id IS NULL)", name="offer_order_check"),
        key=("warning", "member_id"),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("state",)),
    )
    create_tenant_index("offer_member", "offer", ["member_id", "until"])
    create_tenant_index("offer_order", "offer", ["order_id"], where="order_id IS NOT NULL")
    create_tenant_index("offer_made", "offer", ["offered_at"])
    create_tenant_index("offer_open", "offer", ["until"], where="state = 'open'")


def downgrade() -> None:
    drop_table("offer")
    drop_table("weekend")
