"""Endpoints, what is sent to them, and what merchants have sent again."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Identity, Index, MetaData, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from threepeat.sdk.models import DELETE, TenantOwned, personal

ENDPOINT_STATES = "state IN ('active', 'off', 'disabled')"
REASONS = "reason IN ('', 'gone', 'failing')"
DELIVERY_STATES = "state IN ('queued', 'delivered', 'failed', 'stopped')"
FAILURES = (
    "failure IN ('', 'status', 'timeout', 'connection', 'certificate', 'answer', 'address', 'unreadable',"
    " 'secret', 'resting', 'internal')"
)
RESEND_STATES = "state IN ('running', 'done')"


class Base(TenantOwned, DeclarativeBase):
    """Declarative base of the schema `webhooks`."""

    metadata = MetaData(schema="webhooks")


class Endpoint(Base):
    """Where events are sent to.

    `every`: all types of events; else those in `types`. `secret` is sealed, and so is `old_secret`, which signs
    beside it until `old_until`. `failing_since` is when the first attempt failed after the last that did not, and
    `failed_at` when the last one did. Until `rests_until` nothing is tried.
    """

    __tablename__ = "endpoint"
    __table_args__ = (
        CheckConstraint(ENDPOINT_STATES, name="endpoint_state_check"),
        CheckConstraint(REASONS, name="endpoint_reason_check"),
        CheckConstraint("(old_secret IS NULL) = (old_until IS NULL)", name="endpoint_old_check"),
        CheckConstraint("(failing_since IS NULL) = (failed_at IS NULL)", name="endpoint_failing_check"),
        Index("endpoint_active", "tenant_id", postgresql_where=text("state = 'active'")),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str]
    url: Mapped[str]
    every: Mapped[bool]
    types: Mapped[list[str]] = mapped_column(ARRAY(Text))
    state: Mapped[str] = mapped_column(server_default="active")
    reason: Mapped[str] = mapped_column(server_default="")
    secret: Mapped[str]
    old_secret: Mapped[str | None]
    old_until: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    rests_until: Mapped[datetime | None]
    arrived_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class Delivery(Base):
    """An event on its way to an endpoint; what is sent is read from the log at each attempt.

    `attempts` counts all there were, `tries` those since it was queued last. `status` and `failure` are of the
    last attempt; `milliseconds` is how long it took. `due_at` is when the next one is made, empty once it is over.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        CheckConstraint(DELIVERY_STATES, name="delivery_state_check"),
        CheckConstraint(FAILURES, name="delivery_failure_check"),
        Index("delivery_event", "tenant_id", "endpoint_id", "position", unique=True),
        Index("delivery_queued", "tenant_id", "endpoint_id", "id", postgresql_where=text("state = 'queued'")),
        Index("delivery_over", "tenant_id", "changed_at", postgresql_where=text("state <> 'queued'")),
        Index("delivery_member", "tenant_id", "member_id", postgresql_where=text("member_id IS NOT NULL")),
        {"comment": personal("member_id", on_erase=DELETE)},
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    endpoint_id: Mapped[int]
    position: Mapped[int]
    member_id: Mapped[int | None]
    type: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="queued")
    attempts: Mapped[int] = mapped_column(server_default="0")
    tries: Mapped[int] = mapped_column(server_default="0")
    status: Mapped[int | None]
    failure: Mapped[str] = mapped_column(server_default="")
    milliseconds: Mapped[int | None]
    due_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class Resend(Base):
    """What an endpoint is sent again: the events that the store received since an instant. One runs at a time.

    The log is gone through from its end of then back to that instant; `left_at` is the position from which on it
    is still to do. `missed` leaves out what arrived before. `queued` counts what was put on its way.
    """

    __tablename__ = "resend"
    __table_args__ = (
        CheckConstraint(RESEND_STATES, name="resend_state_check"),
        Index(
            "resend_running", "tenant_id", "endpoint_id", unique=True, postgresql_where=text("state = 'running'")
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    endpoint_id: Mapped[int]
    since: Mapped[datetime]
    missed: Mapped[bool]
    state: Mapped[str] = mapped_column(server_default="running")
    left_at: Mapped[int]
    queued: Mapped[int] = mapped_column(server_default="0")
    revision: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
