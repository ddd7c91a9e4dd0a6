import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_table, drop_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_tenant_table(
        "quote",
        sa.Column("review", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        key=("review",),
    )


def downgrade() -> None:
    drop_table("quote")
