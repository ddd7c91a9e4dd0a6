"""Tenants, members, switches, keys, the event log and what the worker keeps."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table
from threepeat.sdk.models import ANONYMISE, DELETE, keep, personal

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)
NOW = sa.text("now()")


def upgrade() -> None:
    functions()
    directory()
    tenancy()
    log()
    worker()


def functions() -> None:
    op.execute("""
        CREATE FUNCTION core.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
            SELECT transaction_timestamp()
                 + coalesce(nullif(current_setting('threepeat.clock_offset', true), ''), '0')::interval
        $$
    """)
    op.execute("""
        CREATE FUNCTION core.held_out(key bytea, percent integer, unit bigint) RETURNS boolean
        LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
            SELECT ('x' || substr(encode(sha256(key || int8send(unit)), 'hex'), 1, 8))::bit(32)::bigint * 100
                 < percent::bigint * 4294967296
        $$
    """)
    op.execute("CREATE SEQUENCE core.member_id AS bigint")
    roles = op.get_context().opts["threepeat_roles"]
    op.execute(f"GRANT USAGE ON SEQUENCE core.member_id TO {roles.app}, {roles.ops}")


def directory() -> None:
    """Tables without a tenant's data in them: every role may read them."""
    roles = op.get_context().opts["threepeat_roles"]
    op.create_table(
        "plan",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("tactic_cap", sa.Integer, nullable=False, server_default="3"),
        sa.Column("plugins", ARRAY(sa.Text), comment="Plugins that the plan allows; null allows all."),
        sa.CheckConstraint("tactic_cap BETWEEN 0 AND 17", name="plan_tactic_cap_check"),
        schema="core",
    )
    op.execute("INSERT INTO core.plan (id, title) VALUES ('standard', 'Standard')")
    op.create_table(
        "tenant",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("slug", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("plan", sa.Text, sa.ForeignKey("core.plan.id"), nullable=False, server_default="standard"),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("simulated", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("clock_offset", sa.Interval, nullable=False, server_default="0"),
        sa.Column("created_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("suspended_at", INSTANT),
        schema="core",
    )
    op.create_table(
        "backlog",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("tenant_id", sa.BigInteger, nullable=False),
        schema="core",
        comment="One row each time something waits for a tenant's turn; insert-only for those who add work.",
    )
    op.create_index("backlog_tenant", "backlog", ["tenant_id"], schema="core")
    op.create_table(
        "turn",
        sa.Column("tenant_id", sa.BigInteger, primary_key=True),
        sa.Column("due_at", INSTANT, nullable=False, server_default="infinity"),
        sa.Column("leased_until", INSTANT, nullable=False, server_default="-infinity"),
        sa.Column("last_at", INSTANT, nullable=False, server_default="-infinity"),
        schema="core",
        comment="When a tenant has to be served next, and who is serving it until when.",
    )
    op.create_index("turn_due", "turn", ["due_at"], schema="core")
    for table, verbs in (
        ("plan", "SELECT"),
        ("tenant", "SELECT"),
        ("backlog", "SELECT, INSERT, DELETE"),
        ("turn", "SELECT, INSERT, UPDATE"),
    ):
        op.execute(f"GRANT {verbs} ON core.{table} TO {roles.app}")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON core.{table} TO {roles.ops}")


def tenancy() -> None:
    create_tenant_table(
        "allowance",
        sa.Column("plugin", sa.Text, nullable=False),
        sa.Column("allowed", sa.Boolean, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("changed_by", sa.Text, nullable=False),
        key=("plugin",),
    )
    create_tenant_table(
        "activation",
        sa.Column("plugin", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("slot", sa.Integer, comment="The place among the enabled tactics; services have none."),
        sa.Column("holdout_percent", sa.Integer, nullable=False, server_default="0"),
        sa.Column("holdout_key", sa.LargeBinary, nullable=False),
        sa.Column("settings", JSONB, nullable=False, server_default="{}"),
        sa.Column("settings_version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
        sa.Column("changed_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.CheckConstraint("state IN ('enabled', 'closing', 'off')", name="activation_state_check"),
        sa.CheckConstraint("slot IS NULL OR state = 'enabled'", name="activation_slot_check"),
        sa.CheckConstraint("holdout_percent BETWEEN 0 AND 50", name="activation_holdout_check"),
        key=("plugin",),
    )
    create_tenant_index("activation_slot", "activation", ["slot"], unique=True)
    create_tenant_table(
        "api_key",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("scopes", ARRAY(sa.Text), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("revoked_at", INSTANT),
        key=("id",),
    )
    create_tenant_table(
        "member",
        sa.Column("id", sa.BigInteger, nullable=False),
        sa.Column(
            "holdout_unit",
            sa.BigInteger,
            nullable=False,
            comment="The member id at first resolution; a merge does not move a member between groups.",
        ),
        sa.Column("exempt", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("suspended_until", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False, server_default=NOW),
        key=("id",),
        comment=personal("id", on_erase=DELETE),
    )
    create_tenant_table(
        "identity",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "member_id"],
            ["core.member.tenant_id", "core.member.id"],
            name="identity_member_fkey",
        ),
        key=("kind", "value"),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_index("identity_member", "identity", ["member_id"])
    create_tenant_table(
        "idempotency",
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("request_hash", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("content_type", sa.Text),
        sa.Column("body", sa.LargeBinary),
        sa.Column("member_id", sa.BigInteger),
        sa.Column("created_at", INSTANT, nullable=False, server_default=NOW),
        key=("principal", "key"),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_index("idempotency_created", "idempotency", ["created_at"])


def log() -> None:
    create_tenant_table(
        "stream",
        sa.Column("head", sa.BigInteger, nullable=False, server_default="0"),
        key=(),
    )
    create_tenant_table(
        "event",
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("member_id", sa.BigInteger),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.Column("received_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("depth", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("data", JSONB, nullable=False),
        key=("position",),
        comment=personal("member_id", on_erase=ANONYMISE),
        append_only=True,
    )
    create_tenant_index("event_id", "event", ["source", "id"], unique=True)
    create_tenant_index("event_member", "event", ["member_id", "position"])
    create_tenant_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.Column("depth", sa.SmallInteger, nullable=False),
        sa.Column("data", JSONB, nullable=False),
        key=("id",),
        comment=personal("member_id", on_erase=DELETE),
    )


def worker() -> None:
    create_tenant_table(
        "cursor",
        sa.Column("plugin", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        key=("plugin",),
    )
    create_tenant_table(
        "dead_letter",
        sa.Column("plugin", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("member_id", sa.BigInteger),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("behind", sa.BigInteger, comment="The failed position that this event waits behind."),
        sa.Column("created_at", INSTANT, nullable=False, server_default=NOW),
        key=("plugin", "position"),
        comment=personal("member_id", on_erase=keep("it names no person; the event that it points to is blanked")),
    )
    create_tenant_index("dead_letter_member", "dead_letter", ["plugin", "member_id"])


def downgrade() -> None:
    raise RuntimeError("nothing lies before the first core migration: drop the database instead")
