"""Campaigns, their groups, the seats in them, and money that is asked back."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import ANONYMISE, DELETE, personal

revision = "0001"
down_revision = None

TABLES = ("campaign", "team", "seat", "refund", "payback")


def _number(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable, server_default=default)


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable, server_default=default)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False)


def upgrade() -> None:
    create_tenant_table(
        "campaign",
        _id(),
        _text("name"),
        _text("sku"),
        sa.Column("form", JSONB, nullable=False, server_default="{}"),
        _text("state", default="draft"),
        _number("revision", default="1"),
        _instant("changed_at"),
        sa.CheckConstraint("state IN ('draft', 'active', 'paused', 'ended')", name="campaign_state_check"),
        key=("id",),
    )
    create_tenant_index("campaign_sku", "campaign", ["sku"], where="state = 'active'")
    create_tenant_table(
        "team",
        _id(),
        _number("campaign_id"),
        _text("state", default="open"),
        _text("why", default=""),
        _number("size"),
        _number("least"),
        _number("fill", nullable=True),
        _number("virtual", default="0"),
        _number("taken"),
        _number("joined"),
        _number("joins"),
        _number("price"),
        _number("reached", nullable=True),
        _text("pickup", default=""),
        _text("slot", default=""),
        _instant("opened_at"),
        _instant("expires_at"),
        _instant("done_at", nullable=True),
        sa.CheckConstraint("state IN ('open', 'succeeded', 'failed')", name="team_state_check"),
        sa.CheckConstraint("why IN ('', 'expired', 'dissolved')", name="team_why_check"),
        sa.CheckConstraint("0 <= joined AND joined <= taken AND taken <= size", name="team_seats_check"),
        sa.CheckConstraint("least <= size AND virtual >= 0", name="team_size_check"),
        key=("id",),
    )
    create_tenant_index("team_open", "team", ["campaign_id", "expires_at", "id"], where="state = 'open'")
    create_tenant_index("team_campaign", "team", ["campaign_id", "state"])
    create_tenant_index("team_opened", "team", ["opened_at"])
    create_tenant_table(
        "seat",
        _text("reservation"),
        _number("member_id"),
        _number("campaign_id"),
        _number("team_id", nullable=True),
        _text("state", default="held"),
        _flag("leads"),
        _number("place", default="0"),
        _number("units"),
        _number("price"),
        _number("amount"),
        _number("reduction"),
        _number("returned", default="0"),
        _number("total"),
        _text("order_id", nullable=True),
        _flag("fresh"),
        _flag("moved"),
        _flag("merged"),
        _instant("held_at"),
        _instant("until", nullable=True),
        _instant("joined_at", nullable=True),
        sa.CheckConstraint(
            "state IN ('held', 'joined', 'succeeded', 'failed', 'left', 'released')", name="seat_state_check"
        ),
        sa.CheckConstraint("units > 0 AND amount >= 0", name="seat_amount_check"),
        key=("reservation",),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("state",)),
    )
    create_tenant_index("seat_team", "seat", ["team_id", "state"], where="team_id IS NOT NULL")
    create_tenant_index("seat_member", "seat", ["member_id", "campaign_id"])
    create_tenant_index("seat_order", "seat", ["order_id"], where="order_id IS NOT NULL")
    create_tenant_index("seat_idle", "seat", ["held_at"], where="state = 'released'")
    create_tenant_index("seat_joined", "seat", ["joined_at"], where="joined_at IS NOT NULL")
    create_tenant_index(
        "seat_open",
        "seat",
        ["campaign_id", "member_id"],
        unique=True,
        where="state IN ('held', 'joined') AND NOT merged",
    )
    create_tenant_index("seat_head", "seat", ["team_id"], unique=True, where="leads AND state = 'joined'")
    create_tenant_table(
        "refund",
        _id(),
        _text("reservation"),
        _number("member_id"),
        _text("order_id"),
        _text("reason", default="failed"),
        _number("amount"),
        _text("state", default="asked"),
        _number("back", default="0"),
        _number("times", default="1"),
        _text("problem", default=""),
        _instant("asked_at"),
        _number("revision", default="1"),
        _instant("changed_at"),
        sa.CheckConstraint("reason IN ('failed', 'difference', 'left', 'late')", name="refund_reason_check"),
        sa.CheckConstraint("state IN ('asked', 'refunded', 'failed', 'settled')", name="refund_state_check"),
        sa.CheckConstraint("amount >= 0 AND back >= 0 AND times >= 0", name="refund_amount_check"),
        key=("id",),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("reason", "state")),
    )
    create_tenant_index("refund_seat", "refund", ["reservation"], unique=True)
    create_tenant_index("refund_order", "refund", ["order_id"])
    create_tenant_index("refund_member", "refund", ["member_id"])
    create_tenant_index("refund_open", "refund", ["id"], where="state IN ('asked', 'failed')")
    create_tenant_table(
        "payback",
        _text("refund_id"),
        _number("member_id"),
        _text("order_id"),
        _number("amount"),
        sa.CheckConstraint("amount >= 0", name="payback_amount_check"),
        key=("refund_id",),
        comment=personal("member_id", on_erase=DELETE),
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        drop_table(table)
