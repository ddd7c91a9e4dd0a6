import sqlalchemy as sa

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import DELETE, personal

revision = "0001"
down_revision = None

PERSONAL = personal("member_id", on_erase=DELETE)


def upgrade() -> None:
    create_tenant_table(
        "basket",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("tenant_id", "order_id", "member_id", name="basket_of"),
        key=("order_id",),
        comment=PERSONAL,
    )
    create_tenant_index("basket_member", "basket", ["member_id"])
    create_tenant_table(
        "article",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("place", sa.BigInteger, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "order_id", "member_id"],
            [f"baskets.basket.{name}" for name in ("tenant_id", "order_id", "member_id")],
            name="article_basket",
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        key=("order_id", "place"),
        comment=PERSONAL,
    )
    create_tenant_index("article_member", "article", ["member_id"])


def downgrade() -> None:
    drop_table("article")
    drop_table("basket")
