"""Newcomers, gifts and refunds."""

import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import ANONYMISE, personal

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)
PERSONAL = personal("member_id", on_erase=ANONYMISE)


def upgrade() -> None:
    create_tenant_table(
        "opening",
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
        key=(),
    )
    create_tenant_table(
        "newcomer",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("registered_at", INSTANT, nullable=False),
        sa.Column("welcomed_at", INSTANT),
        sa.Column("second_kind", sa.Text),
        sa.Column("second_amount", sa.BigInteger),
        sa.Column("second_until", INSTANT),
        sa.Column("first_order_id", sa.Text),
        sa.Column("first_order_at", INSTANT),
        sa.Column("second_order_id", sa.Text),
        sa.Column("second_order_at", INSTANT),
        sa.CheckConstraint(
            "num_nonnulls(second_kind, second_amount, second_until) IN (0, 3)", name="newcomer_second_check"
        ),
        key=("member_id",),
        comment=PERSONAL,
    )
    create_tenant_index("newcomer_registered", "newcomer", ["registered_at"])
    create_tenant_index("newcomer_welcomed", "newcomer", ["welcomed_at"])
    create_tenant_table(
        "gift",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("part", sa.Text, nullable=False, server_default="pack"),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="missed"),
        sa.Column("reward_key", sa.Text),
        sa.Column("order_id", sa.Text),
        sa.Column("order_total", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("paid_at", INSTANT),
        sa.Column("taken", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.CheckConstraint("part IN ('pack', 'second')", name="gift_part_check"),
        sa.CheckConstraint("state IN ('given', 'owed', 'missed')", name="gift_state_check"),
        sa.CheckConstraint("taken BETWEEN 0 AND amount", name="gift_taken_check"),
        sa.CheckConstraint("(state = 'given') = (reward_key IS NOT NULL)", name="gift_key_check"),
        key=("id",),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("part", "state")),
    )
    create_tenant_index("gift_member", "gift", ["member_id"])
    create_tenant_index("gift_order", "gift", ["order_id"], where="order_id IS NOT NULL")
    create_tenant_index("gift_owed", "gift", ["id"], where="state = 'owed'")
    create_tenant_index("gift_decided", "gift", ["decided_at"])
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
    for table in ("refund", "gift", "newcomer", "opening"):
        drop_table(table)
