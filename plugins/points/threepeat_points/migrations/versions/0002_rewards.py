"""Lots that other tactics gave, and payments with the lots that they were taken from."""

import sqlalchemy as sa
from alembic import op

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import ANONYMISE, personal

revision = "0002"
down_revision = "0001"

SCHEMA = "points"
KINDS = "kind IN ('earned', 'reversed', 'granted', 'revoked', 'spent', 'merged')"


def upgrade() -> None:
    op.alter_column("lot", "order_id", nullable=True, schema=SCHEMA)
    op.add_column("lot", sa.Column("reward_key", sa.Text), schema=SCHEMA)
    for name, table, condition in (
        ("lot_source_check", "lot", "(order_id IS NULL) <> (reward_key IS NULL)"),
        ("entry_kind_check", "entry", KINDS),
    ):
        op.create_check_constraint(name, table, condition, schema=SCHEMA)
    create_tenant_index("lot_reward", "lot", ["reward_key"], unique=True, where="reward_key IS NOT NULL")
    # A reward's key is a hash of what anybody may know, so erasure makes it another hash, in both tables alike.
    op.create_table_comment("entry", personal("member_id", on_erase=ANONYMISE, keeps=("kind",)), schema=SCHEMA)
    create_tenant_table(
        "allocation",
        sa.Column("entry_id", sa.BigInteger, nullable=False),
        sa.Column("lot_id", sa.BigInteger, nullable=False),
        sa.Column("points", sa.BigInteger, nullable=False),
        sa.CheckConstraint("points > 0", name="allocation_points_check"),
        key=("entry_id", "lot_id"),
        append_only=True,
    )


def downgrade() -> None:
    drop_table("allocation")
    op.execute("DELETE FROM points.lot WHERE order_id IS NULL")  # nothing before this revision can hold them
    op.drop_index("lot_reward", "lot", schema=SCHEMA)
    for name, table in (("lot_source_check", "lot"), ("entry_kind_check", "entry")):
        op.drop_constraint(name, table, schema=SCHEMA)
    op.drop_column("lot", "reward_key", schema=SCHEMA)
    op.alter_column("lot", "order_id", nullable=False, schema=SCHEMA)
    op.create_table_comment("entry", personal("member_id", on_erase=ANONYMISE), schema=SCHEMA)
