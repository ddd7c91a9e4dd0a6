"""Endpoints, deliveries and what is sent again."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import DELETE, personal

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)
ENDPOINT_STATES = "state IN ('active', 'off', 'disabled')"
REASONS = "reason IN ('', 'gone', 'failing')"
DELIVERY_STATES = "state IN ('queued', 'delivered', 'failed', 'stopped')"
FAILURES = (
    "failure IN ('', 'status', 'timeout', 'connection', 'certificate', 'answer', 'address', 'unreadable',"
    " 'secret', 'resting', 'internal')"
)
RESEND_STATES = "state IN ('running', 'done')"


def upgrade() -> None:
    create_tenant_table(
        "endpoint",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("every", sa.Boolean, nullable=False),
        sa.Column("types", ARRAY(sa.Text), nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="active"),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("old_secret", sa.Text),
        sa.Column("old_until", INSTANT),
        sa.Column("failing_since", INSTANT),
        sa.Column("failed_at", INSTANT),
        sa.Column("rests_until", INSTANT),
        sa.Column("arrived_at", INSTANT),
        *_changes(),
        sa.CheckConstraint(ENDPOINT_STATES, name="endpoint_state_check"),
        sa.CheckConstraint(REASONS, name="endpoint_reason_check"),
        sa.CheckConstraint("(old_secret IS NULL) = (old_until IS NULL)", name="endpoint_old_check"),
        sa.CheckConstraint("(failing_since IS NULL) = (failed_at IS NULL)", name="endpoint_failing_check"),
        key=("id",),
    )
    create_tenant_index("endpoint_active", "endpoint", [], where="state = 'active'")
    create_tenant_table(
        "delivery",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("endpoint_id", sa.BigInteger, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("member_id", sa.BigInteger),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="queued"),
        sa.Column("attempts", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("tries", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("status", sa.BigInteger),
        sa.Column("failure", sa.Text, nullable=False, server_default=""),
        sa.Column("milliseconds", sa.BigInteger),
        sa.Column("due_at", INSTANT),
        *_changes(),
        sa.CheckConstraint(DELIVERY_STATES, name="delivery_state_check"),
        sa.CheckConstraint(FAILURES, name="delivery_failure_check"),
        key=("id",),
        comment=personal("member_id", on_erase=DELETE),
    )
    create_tenant_index("delivery_event", "delivery", ["endpoint_id", "position"], unique=True)
    create_tenant_index("delivery_queued", "delivery", ["endpoint_id", "id"], where="state = 'queued'")
    create_tenant_index("delivery_over", "delivery", ["changed_at"], where="state <> 'queued'")
    create_tenant_index("delivery_member", "delivery", ["member_id"], where="member_id IS NOT NULL")
    create_tenant_table(
        "resend",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("endpoint_id", sa.BigInteger, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("missed", sa.Boolean, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="running"),
        sa.Column("left_at", sa.BigInteger, nullable=False),
        sa.Column("queued", sa.BigInteger, nullable=False, server_default="0"),
        *_changes(),
        sa.CheckConstraint(RESEND_STATES, name="resend_state_check"),
        key=("id",),
    )
    create_tenant_index("resend_running", "resend", ["endpoint_id"], unique=True, where="state = 'running'")


def downgrade() -> None:
    for table in ("resend", "delivery", "endpoint"):
        drop_table(table)


def _changes() -> tuple[sa.Column, ...]:
    return (
        sa.Column("revision", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
    )
