"""Messages, templates, allowances, permissions and refusals."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import DELETE, personal

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)
PERSONAL = personal("member_id", on_erase=DELETE)


def upgrade() -> None:
    create_tenant_table(
        "template",
        sa.Column("plugin", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("channel", sa.Text, nullable=False, server_default="inbox"),
        sa.Column("text_zh", sa.Text),
        sa.Column("text_en", sa.Text),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        key=("plugin", "kind"),
    )
    message()
    create_tenant_table(
        "allowance",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("day_sent", sa.BigInteger, nullable=False),
        sa.Column("week", sa.Date, nullable=False),
        sa.Column("week_sent", sa.BigInteger, nullable=False),
        sa.CheckConstraint("day_sent >= 0 AND week_sent >= 0", name="allowance_sent_check"),
        key=("member_id",),
        comment=PERSONAL,
    )
    create_tenant_table(
        "permission",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("template", sa.Text, nullable=False),
        sa.Column("granted", sa.BigInteger, nullable=False),
        sa.Column("used", sa.BigInteger, nullable=False, server_default="0"),
        sa.CheckConstraint("used BETWEEN 0 AND granted", name="permission_used_check"),
        key=("member_id", "template"),
        comment=PERSONAL,
    )
    create_tenant_table(
        "permission_grant",
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("template", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.CheckConstraint("number > 0", name="permission_grant_number_check"),
        key=("position",),
        comment=PERSONAL,
    )
    create_tenant_index("permission_grant_member", "permission_grant", ["member_id", "template"])
    create_tenant_table(
        "refusal",
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("given_at", INSTANT, nullable=False),
        sa.Column("noted_at", INSTANT, nullable=False),
        key=("member_id", "purpose"),
        comment=PERSONAL,
    )


def message() -> None:
    create_tenant_table(
        "message",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("plugin", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("written", JSONB),
        sa.Column("title", JSONB),
        sa.Column("text", JSONB),
        sa.Column("happened_at", INSTANT, nullable=False),
        sa.Column("until", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("settled_at", INSTANT),
        sa.Column("consent_at", INSTANT),
        sa.Column("local_day", sa.Date),
        sa.Column("local_minute", sa.BigInteger),
        sa.Column("quiet_from", sa.BigInteger),
        sa.Column("quiet_until", sa.BigInteger),
        sa.Column("per_day", sa.BigInteger),
        sa.Column("per_week", sa.BigInteger),
        sa.Column("permission", sa.Text),
        sa.Column("read_at", INSTANT),
        sa.Column("hidden_at", INSTANT),
        sa.Column("cleared_at", INSTANT),
        sa.Column("merged", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.CheckConstraint("state IN ('queued', 'held', 'sent', 'withdrawn')", name="message_state_check"),
        sa.CheckConstraint("purpose IN ('service', 'marketing')", name="message_purpose_check"),
        sa.CheckConstraint(
            "reason IN ('off', 'no_channel', 'not_taking_part', 'too_old', 'suspended', 'no_consent', 'cap',"
            " 'no_permission', 'outdated', 'refused')",
            name="message_reason_check",
        ),
        sa.CheckConstraint("(state = 'queued') = (settled_at IS NULL)", name="message_settled_check"),
        sa.CheckConstraint("(state IN ('held', 'withdrawn')) = (reason IS NOT NULL)", name="message_held_check"),
        sa.CheckConstraint("state = 'queued' OR written IS NULL", name="message_written_check"),
        sa.CheckConstraint(
            "state <> 'sent' OR purpose = 'service' OR merged"
            " OR num_nulls(consent_at, local_day, local_minute, quiet_from, quiet_until, per_day, per_week) = 0",
            name="message_evidence_check",
        ),
        key=("id",),
        comment=PERSONAL,
    )
    create_tenant_index("message_once", "message", ["member_id", "plugin", "kind", "key"], unique=True)
    create_tenant_index(
        "message_inbox",
        "message",
        ["member_id", "settled_at", "id"],
        where="state = 'sent' AND hidden_at IS NULL AND cleared_at IS NULL",
    )
    create_tenant_index("message_queued", "message", ["member_id"], where="state = 'queued'")
    create_tenant_index("message_unsent", "message", ["id"], where="state IN ('held', 'withdrawn')")
    create_tenant_index("message_settled", "message", ["settled_at"])
    create_tenant_index("message_kept", "message", ["settled_at"], where="cleared_at IS NULL")


def downgrade() -> None:
    for table in ("refusal", "permission_grant", "permission", "allowance", "message", "template"):
        drop_table(table)
