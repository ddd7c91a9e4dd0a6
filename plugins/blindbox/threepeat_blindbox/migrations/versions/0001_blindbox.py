"""Series, pools, draws and what buyers have."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import ANONYMISE, DELETE, personal

revision = "0001"
down_revision = None

REASONS = "reason IN ('caps', 'sold_out', 'declined', 'expired', 'not_on_sale')"
TABLES = (
    "signer",
    "series",
    "version",
    "stock",
    "draw",
    "buyer",
    "spending",
    "declaration",
    "hold",
    "box",
    "nonce",
    "chance",
    "claim",
    "refund",
)


def _number(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable, server_default=default, autoincrement=False)


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable, server_default=default)


def _flag(name: str, *, default: bool = False) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false() if default else None)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False)


def upgrade() -> None:
    create_tenant_table(
        "signer",
        _number("id"),
        _text("public_key"),
        _text("sealed"),
        key=("id",),
    )
    create_tenant_table(
        "series",
        _id(),
        _text("name"),
        sa.Column("form", JSONB, nullable=False, server_default="{}"),
        _text("state", default="draft"),
        _text("sku"),
        _number("price"),
        _number("daily_boxes", nullable=True),
        _number("daily_money", nullable=True),
        _number("version", default="0"),
        _text("pool", default=""),
        _number("draws", default="0"),
        _text("head", default=""),
        _number("held", default="0"),
        _number("room", nullable=True),
        _text("commitment", default=""),
        _text("sealed", default=""),
        _text("seed", nullable=True),
        _number("revision", default="1"),
        _instant("changed_at"),
        _instant("opened_at", nullable=True),
        _instant("closed_at", nullable=True),
        sa.CheckConstraint("state IN ('draft', 'on_sale', 'ending', 'closed')", name="series_state_check"),
        sa.CheckConstraint("held >= 0 AND draws >= 0 AND room >= 0", name="series_count_check"),
        key=("id",),
    )
    create_tenant_index("series_sku", "series", ["sku"], unique=True, where="state = 'on_sale'")
    create_tenant_index("series_sold", "series", ["sku", "id"], where="state <> 'draft'")
    create_tenant_table(
        "version",
        _number("series_id"),
        _number("number"),
        _text("body"),
        _text("hash"),
        _text("why", default="opened"),
        _instant("published_at"),
        sa.CheckConstraint("why IN ('opened', 'changed', 'sold_out')", name="version_why_check"),
        key=("series_id", "number"),
        append_only=True,
    )
    create_tenant_index("version_hash", "version", ["hash"], unique=True)
    create_tenant_table(
        "stock",
        _number("series_id"),
        _text("item"),
        _number("put", nullable=True),
        _number("taken", default="0"),
        sa.CheckConstraint("taken BETWEEN 0 AND coalesce(put, taken)", name="stock_taken_check"),
        key=("series_id", "item"),
    )
    create_tenant_table(
        "draw",
        _number("series_id"),
        _number("draw_no"),
        _number("version"),
        _text("item"),
        _flag("hidden"),
        _text("buyer"),
        _text("order_hash"),
        _number("ordinal"),
        _number("misses_before"),
        _number("misses_after"),
        _text("body"),
        _text("hash"),
        _text("previous"),
        _text("signature"),
        _instant("drawn_at"),
        key=("series_id", "draw_no"),
        append_only=True,
    )
    create_tenant_index("draw_once", "draw", ["series_id", "order_hash", "ordinal"], unique=True)
    create_tenant_index("draw_buyer", "draw", ["series_id", "buyer", "draw_no"])
    create_tenant_index("draw_day", "draw", ["drawn_at"])
    create_tenant_table(
        "buyer",
        _number("member_id"),
        _number("series_id"),
        _text("tag"),
        _text("salt"),
        _number("misses", default="0"),
        sa.CheckConstraint("misses >= 0", name="buyer_misses_check"),
        key=("member_id", "series_id"),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_index("buyer_tag", "buyer", ["series_id", "tag"], unique=True)
    create_tenant_table(
        "spending",
        _number("member_id"),
        _number("series_id"),
        sa.Column("day", sa.Date, nullable=False),
        _number("boxes"),
        _number("money"),
        _flag("merged", default=True),
        sa.CheckConstraint("boxes >= 0 AND money >= 0", name="spending_count_check"),
        key=("member_id", "series_id", "day"),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_table(
        "declaration",
        _number("member_id"),
        _text("kind"),
        _text("text_version"),
        _instant("declared_at"),
        sa.CheckConstraint("kind IN ('adult', 'guardian')", name="declaration_kind_check"),
        key=("member_id",),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_table(
        "hold",
        _text("reservation"),
        _number("series_id"),
        _number("member_id"),
        _number("boxes"),
        _number("money"),
        sa.Column("day", sa.Date, nullable=False),
        _text("pool"),
        _text("nonce", nullable=True),
        _text("order_id", nullable=True),
        _text("state", default="held"),
        sa.CheckConstraint("state IN ('held', 'paid', 'used', 'released')", name="hold_state_check"),
        sa.CheckConstraint("boxes > 0 AND money >= 0", name="hold_count_check"),
        key=("reservation", "series_id"),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("state",)),
    )
    create_tenant_index("hold_order", "hold", ["order_id"], where="order_id IS NOT NULL")
    create_tenant_index("hold_member", "hold", ["member_id"])
    create_tenant_index("hold_open", "hold", ["series_id"], where="state IN ('held', 'paid')")
    create_tenant_table(
        "box",
        _id(),
        _number("member_id"),
        _number("series_id"),
        _text("source", default="order"),
        _text("order_id"),
        _number("ordinal"),
        _number("money"),
        _number("total", default="0"),
        sa.Column("day", sa.Date, nullable=False),
        _text("pool", nullable=True),
        _text("nonce", nullable=True),
        _flag("derived", default=True),
        _text("state", default="waiting"),
        _flag("returned", default=True),
        _number("draw_no", nullable=True),
        _instant("paid_at"),
        _instant("opened_at", nullable=True),
        sa.CheckConstraint("source IN ('order', 'chance')", name="box_source_check"),
        sa.CheckConstraint("state IN ('waiting', 'opened', 'void')", name="box_state_check"),
        sa.CheckConstraint("(state = 'opened') = (draw_no IS NOT NULL)", name="box_draw_check"),
        sa.CheckConstraint("ordinal > 0 AND money >= 0 AND total >= 0", name="box_count_check"),
        key=("id",),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("source", "state")),
    )
    create_tenant_index("box_once", "box", ["series_id", "order_id", "ordinal"], unique=True)
    create_tenant_index("box_order", "box", ["order_id"])
    create_tenant_index("box_member", "box", ["member_id", "id"])
    create_tenant_index("box_draw", "box", ["series_id", "draw_no"], where="draw_no IS NOT NULL")
    create_tenant_index("box_waiting", "box", ["series_id"], where="state = 'waiting'")
    create_tenant_index("box_day", "box", ["series_id", "member_id", "day"])
    create_tenant_table(
        "nonce",
        _number("member_id"),
        _text("order_id"),
        _text("nonce"),
        _instant("given_at"),
        key=("member_id", "order_id"),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_table(
        "chance",
        _id(),
        _number("member_id"),
        _number("series_id"),
        _text("grant_key"),
        _number("number"),
        _text("state", default="open"),
        _instant("valid_until"),
        _instant("given_at"),
        sa.CheckConstraint("state IN ('open', 'used', 'void')", name="chance_state_check"),
        key=("id",),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("state",)),
    )
    create_tenant_index("chance_grant", "chance", ["grant_key", "number"], unique=True)
    create_tenant_index("chance_member", "chance", ["member_id", "series_id"])
    create_tenant_table(
        "claim",
        _id(),
        _text("order_id"),
        _number("series_id"),
        _number("member_id"),
        _number("amount"),
        _number("back", default="0"),
        _text("reason"),
        _text("state", default="asked"),
        _number("times", default="1"),
        _instant("asked_at"),
        sa.CheckConstraint("state IN ('asked', 'done', 'failed')", name="claim_state_check"),
        sa.CheckConstraint(REASONS, name="claim_reason_check"),
        sa.CheckConstraint("amount > 0 AND back BETWEEN 0 AND amount AND times > 0", name="claim_amount_check"),
        key=("id",),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("state", "reason")),
    )
    create_tenant_index("claim_order", "claim", ["order_id"])
    create_tenant_index("claim_open", "claim", ["asked_at"], where="state = 'asked'")
    create_tenant_index("claim_member", "claim", ["member_id"])
    create_tenant_table(
        "refund",
        _text("order_id"),
        _text("refund_id"),
        _number("member_id"),
        _number("amount"),
        sa.Column("units", JSONB, nullable=False, server_default="{}"),
        sa.CheckConstraint("amount >= 0", name="refund_amount_check"),
        key=("order_id", "refund_id"),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_index("refund_member", "refund", ["member_id"])


def downgrade() -> None:
    for table in reversed(TABLES):
        drop_table(table)
