"""Tiers and versions, growth, standings, floors and gifts."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import ANONYMISE, DELETE, personal

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)
PERSONAL = personal("member_id", on_erase=ANONYMISE)


def _whole(name: str, **more: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, **more)


def _text(name: str, **more: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, **more)


def _day(name: str) -> sa.Column[date]:
    return sa.Column(name, sa.Date, nullable=False)


def _instant(name: str) -> sa.Column[datetime]:
    return sa.Column(name, INSTANT, nullable=False)


def upgrade() -> None:
    _rules()
    _growth()
    _standings()


def _rules() -> None:
    create_tenant_table(
        "store",
        sa.Column("closing", sa.Boolean, nullable=False),
        sa.Column("learn_after", sa.BigInteger),
        sa.Column("place_after", sa.BigInteger),
        key=(),
    )
    create_tenant_table(
        "tier",
        _whole("level"),
        _text("name"),
        sa.Column("form", JSONB, nullable=False),
        _text("state", server_default="active"),
        _whole("revision", server_default="1"),
        _instant("changed_at"),
        sa.CheckConstraint("state IN ('active', 'retired')", name="tier_state_check"),
        sa.CheckConstraint("level BETWEEN 1 AND 10", name="tier_level_check"),
        key=("level",),
    )
    create_tenant_table(
        "version",
        _whole("number"),
        sa.Column("rules", JSONB, nullable=False),
        _instant("made_at"),
        key=("number",),
        append_only=True,
    )
    create_tenant_table(
        "ranking",
        _day("day"),
        sa.Column("cuts", JSONB, nullable=False),
        _whole("ranked"),
        _instant("made_at"),
        key=("day",),
        append_only=True,
    )


def _growth() -> None:
    create_tenant_table(
        "day_growth", _whole("member_id"), _day("day"), _whole("value"), key=("member_id", "day"), comment=PERSONAL
    )
    create_tenant_table(
        "paid_order",
        _text("order_id"),
        _whole("member_id"),
        _day("paid_on"),
        _whole("total"),
        _whole("refunded"),
        _whole("minor_units"),
        _whole("per_unit"),
        _whole("per_order"),
        _whole("growth"),
        sa.CheckConstraint("growth >= 0", name="paid_order_growth_check"),
        key=("order_id",),
        comment=PERSONAL,
    )
    create_tenant_index("paid_order_member", "paid_order", ["member_id", "paid_on"])
    create_tenant_table(
        "refund",
        _text("refund_id"),
        sa.Column("order_id", sa.Text),
        _whole("member_id"),
        _whole("amount"),
        _day("refunded_on"),
        _whole("taken"),
        sa.Column("skus", ARRAY(sa.Text), nullable=False),
        sa.CheckConstraint("taken >= 0 AND (taken = 0 OR order_id IS NULL)", name="refund_taken_check"),
        key=("refund_id",),
        comment=PERSONAL,
    )
    create_tenant_index("refund_order", "refund", ["order_id"])
    create_tenant_index("refund_member", "refund", ["member_id", "refunded_on"])
    create_tenant_table(
        "interaction",
        _whole("member_id"),
        _day("day"),
        _text("kind"),
        _whole("times"),
        _whole("growth"),
        key=("member_id", "day", "kind"),
        comment=PERSONAL,
    )


def _standings() -> None:
    create_tenant_table(
        "standing",
        _whole("member_id"),
        _whole("version"),
        _whole("earned"),
        _whole("paid"),
        _whole("granted"),
        _whole("level"),
        _day("joined_on"),
        sa.Column("reviewed_on", sa.Date),
        _day("review_on"),
        sa.Column("grace_until", sa.Date),
        sa.Column("grace_since", sa.Date),
        sa.Column("fell_from", sa.BigInteger),
        sa.Column("fell_version", sa.BigInteger),
        sa.Column("fell_since", sa.Date),
        sa.CheckConstraint("level = greatest(earned, paid, granted)", name="standing_level_check"),
        sa.CheckConstraint("least(earned, paid, granted) >= 0", name="standing_parts_check"),
        sa.CheckConstraint("(grace_until IS NULL) = (grace_since IS NULL)", name="standing_grace_check"),
        sa.CheckConstraint("num_nulls(fell_from, fell_version, fell_since) IN (0, 3)", name="standing_fell_check"),
        key=("member_id",),
        comment=PERSONAL,
    )
    create_tenant_index("standing_review", "standing", ["review_on", "member_id"])
    create_tenant_index("standing_version", "standing", ["version", "member_id"])
    create_tenant_table(
        "change",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        _whole("member_id"),
        _whole("position"),
        _instant("changed_at"),
        _whole("from_level"),
        _whole("to_level"),
        _whole("version"),
        _text("reason"),
        sa.Column("merged", sa.Boolean, nullable=False, server_default="false"),
        sa.CheckConstraint(
            "reason IN ('growth', 'review', 'rules', 'bought', 'granted', 'floor_over', 'merged')",
            name="change_reason_check",
        ),
        key=("id",),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("reason",)),
    )
    create_tenant_index("change_member", "change", ["member_id", "position", "id"])
    create_tenant_index("change_made", "change", ["changed_at"])
    create_tenant_table(
        "floor",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        _whole("member_id"),
        _text("source"),
        _whole("level"),
        _instant("begins_at"),
        _instant("until"),
        _whole("days"),
        sa.Column("order_id", sa.Text),
        sa.Column("skus", ARRAY(sa.Text), nullable=False, server_default="{}"),
        _text("customer"),
        _text("reason"),
        _text("state", server_default="open"),
        _whole("counted", server_default="0"),
        _whole("revision", server_default="1"),
        _instant("changed_at"),
        sa.CheckConstraint("source IN ('granted', 'paid')", name="floor_source_check"),
        sa.CheckConstraint("state IN ('open', 'over', 'withdrawn')", name="floor_state_check"),
        sa.CheckConstraint("source = 'granted' OR order_id IS NOT NULL", name="floor_order_check"),
        sa.CheckConstraint("level BETWEEN 1 AND 10", name="floor_level_check"),
        key=("id",),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("source", "state")),
    )
    create_tenant_index("floor_member", "floor", ["member_id"], where="state = 'open'")
    create_tenant_index("floor_order", "floor", ["order_id", "level"], unique=True, where="order_id IS NOT NULL")
    create_tenant_table(
        "gift",
        _whole("member_id"),
        _text("occasion"),
        _whole("level"),
        _text("period"),
        _whole("number"),
        _text("kind"),
        _whole("amount"),
        _text("item"),
        sa.Column("paid", sa.Boolean, nullable=False),
        _text("state", server_default="owed"),
        sa.Column("reward_key", sa.Text),
        _instant("decided_at"),
        sa.CheckConstraint("occasion IN ('entry', 'birthday')", name="gift_occasion_check"),
        sa.CheckConstraint("state IN ('given', 'owed', 'missed')", name="gift_state_check"),
        sa.CheckConstraint("(state = 'given') = (reward_key IS NOT NULL)", name="gift_key_check"),
        key=("member_id", "occasion", "level", "period", "number"),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("occasion", "state")),
    )
    create_tenant_index("gift_owed", "gift", ["decided_at"], where="state = 'owed'")
    create_tenant_table(
        "birthday",
        _whole("member_id"),
        _text("month_day"),
        _day("set_on"),
        key=("member_id",),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_index("birthday_day", "birthday", ["month_day", "member_id"])


def downgrade() -> None:
    for table in (
        "birthday", "gift", "floor", "change", "standing", "interaction", "refund", "paid_order", "day_growth",
        "ranking", "version", "tier", "store",
    ):  # fmt: skip
        drop_table(table)
