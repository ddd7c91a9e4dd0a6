"""What came of checking plugins, for the operator."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    roles = op.get_context().opts["threepeat_roles"]
    op.create_table(
        "plugin_check",
        sa.Column("plugin", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, nullable=False, comment="Of the plugin."),
        sa.Column("core", sa.Text, nullable=False, comment="Version of Threepeat."),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.Column("checked_by", sa.Text, nullable=False),
        sa.Column("rules", JSONB, nullable=False, comment="What came of each rule, in the order of asking."),
        schema="core",
        comment="The newest whole check of each plugin by the conformance suite.",
    )
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON core.plugin_check TO {roles.ops}")


def downgrade() -> None:
    raise RuntimeError("core is not taken back: restore a backup instead")
