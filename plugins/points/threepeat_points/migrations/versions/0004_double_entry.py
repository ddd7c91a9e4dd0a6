"""The journal in double entry, points that wait, expiry written off, and orders that were completed first."""

import sqlalchemy as sa
from alembic import op

from threepeat.sdk.migrations import create_tenant_index, create_tenant_table, drop_table
from threepeat.sdk.models import ANONYMISE, personal

revision = "0004"
down_revision = "0003"

SCHEMA = "points"
INSTANT = sa.DateTime(timezone=True)
ACCOUNTS = ("available", "pending", "debt", "liability", "expense", "breakage")
BEFORE = "kind IN ('earned', 'reversed', 'granted', 'revoked', 'spent', 'merged')"
KINDS = (
    "kind IN ('earned', 'reversed', 'granted', 'revoked', 'spent', 'merged', 'unlocked', 'expired', 'settled', "
    "'returned', 'opened')"
)
CHECKS = {
    "entry_balance_check": "available + pending + debt + liability + expense + breakage = 0",
    "entry_points_check": "points = available + pending + debt",
}
EXPIRED = "expired BETWEEN 0 AND granted"
CAME_BACK = """
    SELECT e.tenant_id, e.payment_id, r.lot_id, sum(r.points)::bigint AS points
    FROM points.entry e JOIN points.allocation r ON r.tenant_id = e.tenant_id AND r.entry_id = e.id
    WHERE e.kind = 'returned' GROUP BY 1, 2, 3
"""


def upgrade() -> None:
    for account in ACCOUNTS:
        op.add_column(
            "entry", sa.Column(account, sa.BigInteger, nullable=False, server_default="0"), schema=SCHEMA
        )
    op.add_column("entry", sa.Column("payment_id", sa.BigInteger), schema=SCHEMA)
    # Until here every line stood for what could be spent; what is owed is carried over by a line of its own.
    op.execute("UPDATE points.entry SET available = points")
    op.execute("UPDATE points.entry SET liability = -points WHERE kind = 'spent'")
    op.execute("UPDATE points.entry SET expense = -points WHERE kind <> 'spent'")
    _replace("entry", "entry_kind_check", KINDS)
    op.execute("""
        INSERT INTO points.entry (tenant_id, member_id, reference, kind, points, occurred_at, available, debt)
        SELECT tenant_id, member_id, 'open:' || member_id, 'opened', 0, core.now(), debt, -debt
        FROM points.account WHERE debt > 0
    """)
    for name, condition in CHECKS.items():
        op.create_check_constraint(name, "entry", condition, schema=SCHEMA)
    create_tenant_index("entry_payment", "entry", ["payment_id"], where="payment_id IS NOT NULL")
    op.add_column(
        "lot", sa.Column("waiting", sa.Boolean, nullable=False, server_default=sa.false()), schema=SCHEMA
    )
    op.add_column("lot", sa.Column("unlocks_at", INSTANT), schema=SCHEMA)
    op.add_column("lot", sa.Column("expired", sa.BigInteger, nullable=False, server_default="0"), schema=SCHEMA)
    op.create_check_constraint("lot_expired_check", "lot", EXPIRED, schema=SCHEMA)
    create_tenant_index("lot_expiry", "lot", ["expires_at", "member_id"], where="remaining > 0")
    create_tenant_index("lot_unlock", "lot", ["unlocks_at"], where="waiting AND remaining > 0")
    _replace("allocation", "allocation_points_check", "points <> 0")
    create_tenant_table(
        "completion",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("member_id", sa.BigInteger, nullable=False),
        sa.Column("completed_at", INSTANT, nullable=False),
        key=("order_id", "member_id"),
        comment=personal("member_id", on_erase=ANONYMISE),
    )


def downgrade() -> None:
    drop_table("completion")
    # What came back of a payment was never paid.
    same = "a.tenant_id = r.tenant_id AND a.entry_id = r.payment_id AND a.lot_id = r.lot_id"
    gone = f"DELETE FROM points.allocation a USING ({CAME_BACK}) r WHERE {same} AND a.points + r.points = 0"  # noqa: S608 - constants
    less = f"UPDATE points.allocation a SET points = a.points + r.points FROM ({CAME_BACK}) r WHERE {same}"  # noqa: S608 - constants
    for statement in (gone, less, "DELETE FROM points.allocation WHERE points < 0"):
        op.execute(statement)
    _replace("allocation", "allocation_points_check", "points > 0")
    op.drop_index("lot_unlock", "lot", schema=SCHEMA)
    op.drop_index("lot_expiry", "lot", schema=SCHEMA)
    op.drop_constraint("lot_expired_check", "lot", schema=SCHEMA)
    op.execute("UPDATE points.lot SET remaining = remaining + expired WHERE expired > 0")
    for column in ("expired", "unlocks_at", "waiting"):
        op.drop_column("lot", column, schema=SCHEMA)
    op.drop_index("entry_payment", "entry", schema=SCHEMA)
    for name in CHECKS:
        op.drop_constraint(name, "entry", schema=SCHEMA)
    for statement in (
        """
        UPDATE points.entry e SET points = -a.points
        FROM (SELECT tenant_id, entry_id, sum(points)::bigint AS points FROM points.allocation GROUP BY 1, 2) a
        WHERE e.kind = 'spent' AND a.tenant_id = e.tenant_id AND a.entry_id = e.id AND e.points <> -a.points
        """,
        """
        DELETE FROM points.entry e WHERE kind = 'spent' AND NOT EXISTS (
            SELECT FROM points.allocation a WHERE a.tenant_id = e.tenant_id AND a.entry_id = e.id)
        """,
        "DELETE FROM points.entry WHERE kind IN ('unlocked', 'expired', 'settled', 'returned', 'opened')",
        # What a line took out of what had been written off is taken out of what is there now.
        "UPDATE points.entry SET points = points + breakage WHERE kind IN ('reversed', 'revoked', 'merged')",
    ):
        op.execute(statement)
    _replace("entry", "entry_kind_check", BEFORE)
    for column in ("payment_id", *ACCOUNTS):
        op.drop_column("entry", column, schema=SCHEMA)


def _replace(table: str, name: str, condition: str) -> None:
    op.drop_constraint(name, table, schema=SCHEMA)
    op.create_check_constraint(name, table, condition, schema=SCHEMA)
