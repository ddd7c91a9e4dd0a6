import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_table, drop_table

revision = "0001"
down_revision = None


def upgrade():
    create_tenant_table(
        "stock",
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("initial", sa.BigInteger, nullable=False),
        sa.Column("remaining", sa.BigInteger, nullable=False),
        sa.CheckConstraint("remaining >= 0", name="stock_remaining_check"),
        key=("item",),
    )
    create_tenant_table(
        "hold",
        sa.Column("reservation", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("take", sa.BigInteger, nullable=False),
        sa.Column("whole", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="held"),
        sa.Column("order_id", sa.Text),
        sa.Column("returned", sa.BigInteger, nullable=False, server_default="0"),
        sa.CheckConstraint("returned BETWEEN 0 AND take", name="hold_returned_check"),
        key=("reservation", "rule", "key"),
    )


def downgrade():
    drop_table("hold")
    drop_table("stock")
