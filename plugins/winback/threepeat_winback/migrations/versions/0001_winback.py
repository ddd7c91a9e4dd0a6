"""Activity, offers and refunds."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import ANONYMISE, personal

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)
PERSONAL = personal("member_id", on_erase=ANONYMISE)


def upgrade() -> None:
    create_tenant_table("progress", sa.Column("position", sa.BigInteger, nullable=False), key=())
    create_tenant_table(
        "activity",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
        sa.Column("bought", sa.Boolean, nullable=False),
        sa.Column("looked_at", INSTANT),
        sa.Column("offers", sa.BigInteger, nullable=False, server_default="0"),
        sa.CheckConstraint("offers >= 0", name="activity_offers_check"),
        key=("member_id",),
        comment=PERSONAL,
    )
    create_tenant_index("activity_last", "activity", ["last_at"], where="bought")
    create_tenant_table(
        "offer",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("slept_since", INSTANT, nullable=False),
        sa.Column("offered_at", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="open"),
        sa.Column("order_id", sa.Text),
        sa.Column("order_total", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("paid_at", INSTANT),
        sa.Column("reward_key", sa.Text),
        sa.Column("cost", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("taken", sa.BigInteger, nullable=False, server_default="0"),
        sa.CheckConstraint("state IN ('given', 'open', 'owed', 'missed')", name="offer_state_check"),
        sa.CheckConstraint("taken BETWEEN 0 AND amount", name="offer_taken_check"),
        sa.CheckConstraint("(state = 'open') = (order_id IS NULL)", name="offer_order_check"),
        sa.CheckConstraint("(state = 'given') = (reward_key IS NOT NULL)", name="offer_key_check"),
        key=("id",),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("state",)),
    )
    create_tenant_index("offer_member", "offer", ["member_id"])
    create_tenant_index("offer_order", "offer", ["order_id"], unique=True, where="order_id IS NOT NULL")
    create_tenant_index("offer_owed", "offer", ["id"], where="state = 'owed'")
    create_tenant_index("offer_made", "offer", ["offered_at"])
    create_tenant_table(
        "refund",
        sa.Column("refund_id", sa.Text, nullable=False),
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("refunded_at", INSTANT, nullable=False),
        key=("refund_id",),
        comment=PERSONAL,
    )
    create_tenant_index("refund_order", "refund", ["order_id"])


def downgrade() -> None:
    for table in ("refund", "offer", "activity", "progress"):
        drop_table(table)
