"""Timers, counted attempts, letters that can be retried, merges, consents, erasure, grants and budgets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table
from threepeat.sdk.models import ANONYMISE, DELETE, keep, personal

revision = "0002"
down_revision = "0001"

INSTANT = sa.DateTime(timezone=True)
NOW = sa.text("now()")
PLUGIN = "plugin ~ '^[a-z][a-z0-9_]*$'"


def upgrade() -> None:
    turns()
    timers()
    members()
    erasure()
    rewards()


def turns() -> None:
    op.add_column("turn", sa.Column("attempts", sa.Integer, nullable=False, server_default="0"), schema="core")
    op.add_column(
        "turn",
        sa.Column("careful_until", sa.BigInteger, comment="Up to this position events are handed over singly."),
        schema="core",
    )
    op.add_column("turn", sa.Column("leased_by", sa.Text), schema="core")
    for column in (
        sa.Column("letters", sa.Integer, nullable=False, server_default="0", comment="How many in a row."),
        sa.Column("paused_at", INSTANT),
        sa.Column("paused_reason", sa.Text),
    ):
        op.add_column("cursor", column, schema="core")
    budget = sa.Column("monthly_budget", sa.BigInteger, comment="Minor units; null is no limit.")
    op.add_column("activation", budget, schema="core")
    op.create_check_constraint("activation_budget_check", "activation", "monthly_budget >= 0", schema="core")
    create_tenant_table(
        "attempt",
        sa.Column("plugin", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False, comment="`event:{position}` or `timer:{name}:{key}`."),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("member_id", sa.BigInteger),
        key=("plugin", "what"),
        comment=personal("member_id", on_erase=DELETE),
    )
    for column in (
        sa.Column("state", sa.Text, nullable=False, server_default="waiting"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="1"),
        sa.Column("changed_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("changed_by", sa.Text),
    ):
        op.add_column("dead_letter", column, schema="core")
    op.create_check_constraint(
        "dead_letter_state_check", "dead_letter", "state IN ('waiting', 'retry', 'dropped')", schema="core"
    )
    create_tenant_index("dead_letter_retry", "dead_letter", ["plugin", "position"], where="state = 'retry'")
    op.create_table_comment("dead_letter", personal("member_id", on_erase=DELETE), schema="core")


def timers() -> None:
    create_tenant_table(
        "timer",
        sa.Column("plugin", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("due_at", INSTANT, comment="Null once it was given up."),
        sa.Column("member_id", sa.BigInteger),
        sa.Column("payload", JSONB, nullable=False, server_default="{}"),
        sa.Column("depth", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error", sa.Text),
        sa.Column("failed_at", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False, server_default=NOW),
        sa.CheckConstraint("kind IN ('timer', 'schedule', 'call')", name="timer_kind_check"),
        key=("plugin", "kind", "name", "key"),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_index("timer_due", "timer", ["plugin", "kind", "due_at"])
    create_tenant_index("timer_member", "timer", ["member_id"], where="member_id IS NOT NULL")
    create_tenant_index("timer_failed", "timer", ["failed_at"], where="failed_at IS NOT NULL")


def members() -> None:
    for column in (
        sa.Column("merged_into", sa.BigInteger, comment="The member that this one turned out to be."),
        sa.Column("erase_requested_at", INSTANT, comment="From here on nothing is done with the member's data."),
        sa.Column("suspended_reason", sa.Text),
    ):
        op.add_column("member", column, schema="core")
    create_tenant_index(
        "member_gone", "member", ["id"], where="merged_into IS NOT NULL OR erase_requested_at IS NOT NULL"
    )
    linked = sa.Column("linked_at", INSTANT, nullable=False, server_default=NOW, comment="Since when.")
    op.add_column("identity", linked, schema="core")
    moves = sa.Column(
        "moves",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="Counts merges and erasures: who looked members up before one has to look again.",
    )
    op.add_column("stream", moves, schema="core")
    create_tenant_table(
        "merge",
        sa.Column("source_id", sa.BigInteger, nullable=False),
        sa.Column("target_id", sa.BigInteger, nullable=False),
        sa.Column("identities", JSONB, nullable=False, comment="What led to the source, as [kind, value] pairs."),
        sa.Column("merged_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("merged_by", sa.Text, nullable=False),
        key=("source_id",),
        comment=personal("target_id", on_erase=DELETE),
    )
    create_tenant_index("merge_target", "merge", ["target_id"])
    create_tenant_table(
        "consent",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False, comment="What makes the record unique: its event's key."),
        sa.Column("granted", sa.Boolean, nullable=False),
        sa.Column("text_version", sa.Text),
        sa.Column("channel", sa.Text),
        sa.Column("given_at", INSTANT, nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False, server_default=NOW),
        key=("member_id", "purpose", "reference"),
        comment=personal("member_id", on_erase=DELETE),
    )


def erasure() -> None:
    op.add_column("event", sa.Column("erased_at", INSTANT), schema="core")
    create_tenant_table(
        "tombstone",
        sa.Column("identity_hash", sa.LargeBinary, nullable=False, comment="Keyed; leads back to nobody."),
        sa.Column("erasure_id", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False, server_default=NOW),
        key=("identity_hash",),
    )
    create_tenant_table(
        "erasure",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False, comment="The id that the data stood under."),
        sa.Column(
            "merged", ARRAY(sa.BigInteger), nullable=False, server_default="{}", comment="Ids merged into it."
        ),
        sa.Column("requested_at", INSTANT, nullable=False),
        sa.Column("requested_by", sa.Text, nullable=False),
        sa.Column("progress", JSONB, nullable=False, server_default="{}", comment="What was done so far."),
        sa.Column("completed_at", INSTANT),
        sa.Column("receipt", sa.Text, comment="A signed statement of what was done; names nobody."),
        key=("id",),
        comment=personal("member_id", on_erase=keep("it proves the erasure and names nobody")),
    )
    create_tenant_index("erasure_member", "erasure", ["member_id"])


def rewards() -> None:
    create_tenant_table(
        "reward",
        sa.Column("plugin", sa.Text, nullable=False, comment="The tactic that gives."),
        sa.Column("key", sa.Text, nullable=False, comment="Hash of plugin, cause, rule and member."),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("revoked", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("cost", sa.BigInteger, nullable=False, comment="In minor units, for the whole amount."),
        sa.Column("refunded_cost", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("month", sa.Date, nullable=False, comment="Whose budget it is charged to."),
        sa.Column("granted_at", INSTANT, nullable=False),
        sa.CheckConstraint("amount > 0", name="reward_amount_check"),
        sa.CheckConstraint("revoked BETWEEN 0 AND amount", name="reward_revoked_check"),
        sa.CheckConstraint("cost >= 0", name="reward_cost_check"),
        sa.CheckConstraint("refunded_cost BETWEEN 0 AND cost", name="reward_refunded_check"),
        sa.CheckConstraint(PLUGIN, name="reward_plugin_check"),
        sa.CheckConstraint("kind ~ '^[a-z][a-z0-9_.]*$'", name="reward_kind_check"),
        sa.CheckConstraint("rule ~ '^[a-z][a-z0-9_.-]*$'", name="reward_rule_check"),
        key=("plugin", "key"),
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("plugin", "kind", "rule")),
    )
    create_tenant_index("reward_member", "reward", ["member_id", "granted_at"])
    create_tenant_index("reward_month", "reward", ["plugin", "month"])
    create_tenant_table(
        "budget",
        sa.Column("plugin", sa.Text, nullable=False),
        sa.Column("month", sa.Date, nullable=False, comment="First day of the tenant's local month."),
        sa.Column("stripe", sa.SmallInteger, nullable=False, comment="The budget is the sum of its stripes."),
        sa.Column("spent", sa.BigInteger, nullable=False),
        key=("plugin", "month", "stripe"),
    )


def downgrade() -> None:
    raise RuntimeError("core is not taken back: restore a backup instead")
