"""Who may do what to a tenant, what they did, and what a store sends that cannot be taken."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table

revision = "0003"
down_revision = "0002"

INSTANT = sa.DateTime(timezone=True)
NOW = sa.text("now()")
LOCALE = "locale IN ('en', 'zh-CN')"


def upgrade() -> None:
    plans()
    operators()
    staff()
    trails()


def plans() -> None:
    op.add_column(
        "plan",
        sa.Column("requests_per_second", sa.Integer, comment="Of one store; null leaves the server's own limit."),
        schema="core",
    )
    op.add_column(
        "plan",
        sa.Column("events_per_second", sa.Integer, comment="Of one store; null leaves the server's own limit."),
        schema="core",
    )
    op.create_check_constraint(
        "plan_requests_check", "plan", "requests_per_second BETWEEN 1 AND 1000000", schema="core"
    )
    op.create_check_constraint(
        "plan_events_check", "plan", "events_per_second BETWEEN 1 AND 1000000", schema="core"
    )
    op.add_column(
        "tenant",
        sa.Column("blueprint", sa.Text, comment="The trade whose proposals it began with."),
        schema="core",
    )
    op.add_column("tenant", sa.Column("suspended_reason", sa.Text, comment="For the merchant."), schema="core")


def operators() -> None:
    """Operators see every tenant, so their rows belong to none: only the ops role reaches them."""
    roles = op.get_context().opts["threepeat_roles"]
    op.create_table(
        "operator",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("login", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, comment="Argon2id; null until the first sign-in."),
        sa.Column("locale", sa.Text),
        sa.Column("created_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("disabled_at", INSTANT),
        sa.CheckConstraint(LOCALE, name="operator_locale_check"),
        schema="core",
    )
    for name, extra in (
        ("operator_session", [sa.Column("seen_at", INSTANT, nullable=False), sa.Column("agent", sa.Text)]),
        ("operator_link", [sa.Column("created_by", sa.Text, nullable=False), sa.Column("used_at", INSTANT)]),
    ):
        op.create_table(
            name,
            sa.Column("id", sa.Text, primary_key=True),
            sa.Column("operator_id", sa.BigInteger, sa.ForeignKey("core.operator.id"), nullable=False),
            sa.Column("secret_hash", sa.LargeBinary, nullable=False),
            sa.Column("created_at", INSTANT, nullable=False, server_default=NOW),
            sa.Column("expires_at", INSTANT, nullable=False),
            *extra,
            schema="core",
        )
        op.create_index(f"{name}_operator", name, ["operator_id"], schema="core")
    op.create_table(
        "operator_key",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("revoked_at", INSTANT),
        schema="core",
    )
    op.create_table(
        "sign_in_failure",
        sa.Column("key", sa.LargeBinary, primary_key=True, comment="Keyed hash of who tries, or from where."),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
        schema="core",
        comment="Failed sign-ins of late.",
    )
    op.create_index("sign_in_failure_last", "sign_in_failure", ["last_at"], schema="core")
    op.create_table(
        "operator_audit",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("details", JSONB, nullable=False, server_default="{}"),
        schema="core",
        comment="What operators changed that belongs to no single tenant.",
    )
    for name in ("operator", "operator_session", "operator_link", "operator_key", "sign_in_failure"):
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON core.{name} TO {roles.ops}")
    op.execute(f"GRANT SELECT, INSERT ON core.operator_audit TO {roles.ops}")


def staff() -> None:
    create_tenant_table(
        "staff",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("phone", sa.Text),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, comment="Argon2id; null until the first sign-in."),
        sa.Column("locale", sa.Text),
        sa.Column("created_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("disabled_at", INSTANT),
        sa.CheckConstraint("role IN ('owner', 'operator', 'analyst')", name="staff_role_check"),
        sa.CheckConstraint("email IS NOT NULL OR phone IS NOT NULL", name="staff_contact_check"),
        sa.CheckConstraint("email = lower(email)", name="staff_email_check"),
        sa.CheckConstraint(LOCALE, name="staff_locale_check"),
        key=("id",),
    )
    create_tenant_index("staff_email", "staff", ["email"], unique=True)
    create_tenant_index("staff_phone", "staff", ["phone"], unique=True)
    for name, extra in (
        ("staff_session", [sa.Column("seen_at", INSTANT, nullable=False), sa.Column("agent", sa.Text)]),
        ("staff_link", [sa.Column("created_by", sa.Text, nullable=False), sa.Column("used_at", INSTANT)]),
    ):
        create_tenant_table(
            name,
            sa.Column("id", sa.Text, nullable=False),
            sa.Column("staff_id", sa.BigInteger, nullable=False),
            sa.Column("secret_hash", sa.LargeBinary, nullable=False),
            sa.Column("created_at", INSTANT, nullable=False, server_default=NOW),
            sa.Column("expires_at", INSTANT, nullable=False),
            *extra,
            sa.ForeignKeyConstraint(
                ["tenant_id", "staff_id"], ["core.staff.tenant_id", "core.staff.id"], name=f"{name}_staff_fkey"
            ),
            key=("id",),
        )
        create_tenant_index(f"{name}_staff", name, ["staff_id"])


def trails() -> None:
    create_tenant_table(
        "audit",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("actor", sa.Text, nullable=False, comment="key:…, staff:…, operator:…, or a process of ours."),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False, comment="What it was done to; a member by core's number."),
        sa.Column("details", JSONB, nullable=False, server_default="{}", comment="Never a secret, never a name."),
        sa.CheckConstraint("action ~ '^[a-z][a-z0-9_.-]*$'", name="audit_action_check"),
        key=("id",),
        append_only=True,
    )
    create_tenant_index("audit_subject", "audit", ["subject", "id"])
    create_tenant_table(
        "refusal",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.CheckConstraint("verdict IN ('invalid', 'conflict')", name="refusal_verdict_check"),
        key=("id",),
    )
    op.add_column(
        "event",
        sa.Column("cause", sa.BigInteger, comment="Position of the event that a plugin answered with this one."),
        schema="core",
    )
    op.add_column(
        "reward",
        sa.Column("cause", sa.BigInteger, comment="Position of the event that it was given for."),
        schema="core",
    )
    # Operators count what waits in all stores, beside however many letters were dropped.
    create_tenant_index("dead_letter_waiting", "dead_letter", ["plugin"], where="state = 'waiting'")


def downgrade() -> None:
    raise RuntimeError("core is not taken back: restore a backup instead")
