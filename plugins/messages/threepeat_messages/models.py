"""Messages with what became of them, the merchant's templates, permissions, and what members were sent lately."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, MetaData, false, text, true
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from threepeat.sdk.models import DELETE, TenantOwned, personal

PERSONAL = personal("member_id", on_erase=DELETE)


class Base(TenantOwned, DeclarativeBase):
    """Declarative base of the schema `messages`."""

    metadata = MetaData(schema="messages")


class Template(Base):
    """What a merchant changed about a kind of message; without a row everything is as its plugin has it.

    A text is null where the plugin's own is said.
    """

    __tablename__ = "template"

    plugin: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    enabled: Mapped[bool] = mapped_column(server_default=true())
    channel: Mapped[str] = mapped_column(server_default="inbox")
    text_zh: Mapped[str | None]
    text_en: Mapped[str | None]
    revision: Mapped[int]
    changed_at: Mapped[datetime]


class Message(Base):
    """A message to a member; its key makes it one for ever, so the row stays when its texts are deleted.

    `queued` until it is `sent`, `held` for a reason, or `withdrawn` because the member took the consent back.
    `written` are its values by language while it waits, `title` and `text` what the member reads. What a
    marketing message was sent under stands beside it: the consent, the store's local day and minute, the quiet
    hours (minutes of the day; the same twice for none) and the caps. `permission` is the one-time permission that
    it used up. `merged` came from another member who turned out to be the same person.
    """

    __tablename__ = "message"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'held', 'sent', 'withdrawn')", name="message_state_check"),
        CheckConstraint("purpose IN ('service', 'marketing')", name="message_purpose_check"),
        CheckConstraint(
            "reason IN ('off', 'no_channel', 'not_taking_part', 'too_old', 'suspended', 'no_consent', 'cap',"
            " 'no_permission', 'outdated', 'refused')",
            name="message_reason_check",
        ),
        CheckConstraint("(state = 'queued') = (settled_at IS NULL)", name="message_settled_check"),
        CheckConstraint("(state IN ('held', 'withdrawn')) = (reason IS NOT NULL)", name="message_held_check"),
        CheckConstraint("state = 'queued' OR written IS NULL", name="message_written_check"),
        CheckConstraint(
            "state <> 'sent' OR purpose = 'service' OR merged"
            " OR num_nulls(consent_at, local_day, local_minute, quiet_from, quiet_until, per_day, per_week) = 0",
            name="message_evidence_check",
        ),
        Index("message_once", "tenant_id", "member_id", "plugin", "kind", "key", unique=True),
        Index(
            "message_inbox",
            "tenant_id",
            "member_id",
            "settled_at",
            "id",
            postgresql_where=text("state = 'sent' AND hidden_at IS NULL AND cleared_at IS NULL"),
        ),
        Index("message_queued", "tenant_id", "member_id", postgresql_where=text("state = 'queued'")),
        Index("message_unsent", "tenant_id", "id", postgresql_where=text("state IN ('held', 'withdrawn')")),
        Index("message_settled", "tenant_id", "settled_at"),
        Index("message_kept", "tenant_id", "settled_at", postgresql_where=text("cleared_at IS NULL")),
        {"comment": PERSONAL},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int]
    plugin: Mapped[str]
    kind: Mapped[str]
    key: Mapped[str]
    purpose: Mapped[str]
    channel: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str | None]
    written: Mapped[dict[str, Any] | None]
    title: Mapped[dict[str, Any] | None]
    text: Mapped[dict[str, Any] | None]
    happened_at: Mapped[datetime]
    until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    consent_at: Mapped[datetime | None]
    local_day: Mapped[date | None]
    local_minute: Mapped[int | None]
    quiet_from: Mapped[int | None]
    quiet_until: Mapped[int | None]
    per_day: Mapped[int | None]
    per_week: Mapped[int | None]
    permission: Mapped[str | None]
    read_at: Mapped[datetime | None]
    hidden_at: Mapped[datetime | None]
    cleared_at: Mapped[datetime | None]
    merged: Mapped[bool] = mapped_column(server_default=false())


class Allowance(Base):
    """How many marketing messages a member was sent on the last local day and in the last week with one."""

    __tablename__ = "allowance"
    __table_args__ = (
        CheckConstraint("day_sent >= 0 AND week_sent >= 0", name="allowance_sent_check"),
        {"comment": PERSONAL},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date]
    day_sent: Mapped[int]
    week: Mapped[date]
    week_sent: Mapped[int]


class Permission(Base):
    """How many messages of a platform's template a member allowed, and how many were sent: one for each."""

    __tablename__ = "permission"
    __table_args__ = (
        CheckConstraint("used BETWEEN 0 AND granted", name="permission_used_check"),
        {"comment": PERSONAL},
    )

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    template: Mapped[str] = mapped_column(primary_key=True)
    granted: Mapped[int]
    used: Mapped[int] = mapped_column(server_default="0")


class PermissionGrant(Base):
    """A member's tap that allowed messages, by its position in the log."""

    __tablename__ = "permission_grant"
    __table_args__ = (
        CheckConstraint("number > 0", name="permission_grant_number_check"),
        Index("permission_grant_member", "tenant_id", "member_id", "template"),
        {"comment": PERSONAL},
    )

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    member_id: Mapped[int]
    template: Mapped[str]
    number: Mapped[int]


class Refusal(Base):
    """The last time that a member took a consent to marketing back, and when that was noted here."""

    __tablename__ = "refusal"
    __table_args__ = ({"comment": PERSONAL},)

    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    purpose: Mapped[str] = mapped_column(primary_key=True)
    given_at: Mapped[datetime]
    noted_at: Mapped[datetime]
