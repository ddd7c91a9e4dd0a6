import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_table, drop_table
from threepeat.sdk.models import DELETE, personal

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_tenant_table(
        "entry",
        sa.Column("search", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        key=("search",),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_table(
        "page",
        sa.Column("search", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "search"], ["diary.entry.tenant_id", "diary.entry.search"], ondelete="CASCADE"
        ),
        key=("search",),
    )


def downgrade() -> None:
    for name in ("page", "entry"):
        drop_table(name)
