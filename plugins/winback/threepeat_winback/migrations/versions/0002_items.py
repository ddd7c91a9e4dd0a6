"""Which one of its kind a reward is."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("offer", sa.Column("item", sa.Text, nullable=False, server_default=""), schema="winback")


def downgrade() -> None:
    op.drop_column("offer", "item", schema="winback")
