"""What members redeem points for, and what they redeemed."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import ANONYMISE, personal

revision = "0006"
down_revision = "0005"

INSTANT = sa.DateTime(timezone=True)
CHECKS = {
    "item_kind_check": "kind IN ('reward', 'goods', 'service')",
    "item_state_check": "state IN ('draft', 'published', 'paused', 'closed')",
    "item_price_check": "price > 0",
    "item_redeemed_check": "redeemed >= 0",
    "item_days_check": "first_day <= last_day",
}


def upgrade() -> None:
    create_tenant_table(
        "item",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("reward", JSONB, nullable=False, server_default="{}"),
        sa.Column("price", sa.BigInteger, nullable=False),
        sa.Column("stock", sa.BigInteger),
        sa.Column("per_member", sa.BigInteger),
        sa.Column("per_day", sa.BigInteger),
        sa.Column("first_day", sa.Date),
        sa.Column("last_day", sa.Date),
        sa.Column("audience", JSONB, nullable=False, server_default="{}"),
        sa.Column("redeemed", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("state", sa.Text, nullable=False, server_default="draft"),
        sa.Column("revision", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("changed_at", INSTANT, nullable=False),
        *(sa.CheckConstraint(condition, name=name) for name, condition in CHECKS.items()),
        key=("id",),
    )
    create_tenant_table(
        "item_day",
        sa.Column("item_id", sa.BigInteger, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("redeemed", sa.BigInteger, nullable=False),
        sa.CheckConstraint("redeemed >= 0", name="item_day_redeemed_check"),
        key=("item_id", "day"),
    )
    create_tenant_table(
        "item_member",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("item_id", sa.BigInteger, nullable=False),
        sa.Column("redeemed", sa.BigInteger, nullable=False),
        sa.CheckConstraint("redeemed >= 0", name="item_member_redeemed_check"),
        key=("member_id", "item_id"),
        comment=personal("member_id", on_erase=ANONYMISE),
    )
    create_tenant_table(
        "redemption",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("item_id", sa.BigInteger, nullable=False),
        sa.Column("payment", sa.Text, nullable=False),
        sa.Column("points", sa.BigInteger, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reward_kind", sa.Text),
        sa.Column("reward_key", sa.Text),
        sa.Column("redeemed_at", INSTANT, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.CheckConstraint("state IN ('open', 'fulfilled', 'cancelled')", name="redemption_state_check"),
        key=("id",),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("state",)),
    )
    create_tenant_index("redemption_member", "redemption", ["member_id"])
    create_tenant_index("redemption_item", "redemption", ["item_id"])


def downgrade() -> None:
    for table in ("redemption", "item_member", "item_day", "item"):
        drop_table(table)
