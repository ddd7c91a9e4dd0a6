"""Which one of its kind a reward is."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SCHEMA = "welcome"
CHECK = "newcomer_second_check"


def upgrade() -> None:
    op.add_column("gift", sa.Column("item", sa.Text, nullable=False, server_default=""), schema=SCHEMA)
    op.add_column("newcomer", sa.Column("second_item", sa.Text), schema=SCHEMA)
    op.execute("UPDATE welcome.newcomer SET second_item = '' WHERE second_kind IS NOT NULL")
    _check("num_nonnulls(second_kind, second_amount, second_item, second_until) IN (0, 4)")


def downgrade() -> None:
    _check("num_nonnulls(second_kind, second_amount, second_until) IN (0, 3)")
    op.drop_column("newcomer", "second_item", schema=SCHEMA)
    op.drop_column("gift", "item", schema=SCHEMA)


def _check(condition: str) -> None:
    op.drop_constraint(CHECK, "newcomer", schema=SCHEMA)
    op.create_check_constraint(CHECK, "newcomer", condition, schema=SCHEMA)
