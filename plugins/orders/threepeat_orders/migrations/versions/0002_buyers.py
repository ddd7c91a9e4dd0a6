"""Buyers outlive an erasure as numbers, so that the sums over all orders still hold."""

from alembic import op

from threepeat.sdk.models import ANONYMISE, DELETE, personal

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table_comment("buyer", personal("member_id", on_erase=ANONYMISE), schema="orders")


def downgrade() -> None:
    op.create_table_comment("buyer", personal("member_id", on_erase=DELETE), schema="orders")
