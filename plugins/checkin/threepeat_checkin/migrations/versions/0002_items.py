"""Which one of its kind a reward is."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("reward", sa.Column("item", sa.Text, nullable=False, server_default=""), schema="checkin")


def downgrade() -> None:
    op.drop_column("reward", "item", schema="checkin")
