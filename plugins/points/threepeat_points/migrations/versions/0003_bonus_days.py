"""Bonus days, and the factor on each lot with which its order was counted."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table

revision = "0003"
down_revision = "0002"

SCHEMA = "points"
INSTANT = sa.DateTime(timezone=True)
CHECKS = {
    "bonus_day_state_check": "state IN ('draft', 'published', 'closed')",
    "bonus_day_factor_check": "factor_tenths > 0",
    "bonus_day_days_check": "first_day <= last_day",
    "bonus_day_period_check": "begins_at <= ends_at",
    "bonus_day_begun_check": "(state = 'draft') = (begins_at IS NULL) AND (begins_at IS NULL) = (ends_at IS NULL)",
}


def upgrade() -> None:
    create_tenant_table(
        "bonus_day",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("factor_tenths", sa.BigInteger, nullable=False),
        sa.Column("first_day", sa.Date, nullable=False),
        sa.Column("last_day", sa.Date, nullable=False),
        sa.Column("audience", JSONB, nullable=False, server_default="{}"),
        sa.Column("state", sa.Text, nullable=False, server_default="draft"),
        sa.Column("revision", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("begins_at", INSTANT),
        sa.Column("ends_at", INSTANT),
        sa.Column("changed_at", INSTANT, nullable=False),
        *(sa.CheckConstraint(condition, name=name) for name, condition in CHECKS.items()),
        key=("id",),
    )
    create_tenant_index("bonus_day_period", "bonus_day", ["ends_at"])
    for name in ("factor_numerator", "factor_denominator"):
        op.add_column("lot", sa.Column(name, sa.BigInteger, nullable=False, server_default="1"), schema=SCHEMA)
    op.add_column("lot", sa.Column("bonus_day_id", sa.BigInteger), schema=SCHEMA)
    op.create_check_constraint(
        "lot_factor_check", "lot", "factor_numerator >= 0 AND factor_denominator > 0", schema=SCHEMA
    )
    create_tenant_index("lot_bonus_day", "lot", ["bonus_day_id"], where="bonus_day_id IS NOT NULL")


def downgrade() -> None:
    op.drop_index("lot_bonus_day", "lot", schema=SCHEMA)
    # Without factors the rate stands for them, rounded up: nobody's lot holds more than its order's money earns.
    op.execute(
        "UPDATE points.lot SET rate = ceil(rate::numeric * factor_numerator / factor_denominator)"
        " WHERE factor_numerator <> factor_denominator"
    )
    op.drop_constraint("lot_factor_check", "lot", schema=SCHEMA)
    for name in ("bonus_day_id", "factor_denominator", "factor_numerator"):
        op.drop_column("lot", name, schema=SCHEMA)
    drop_table("bonus_day")
