"""The inbox as its member sees it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from threepeat.sdk import NEWEST, _, shown
from threepeat_messages.channels import Ctx

PURPOSES = {"service": _("Service notice"), "marketing": _("Marketing")}

MessageId = Annotated[int, Field(ge=1, le=NEWEST, strict=True)]


PROGRAMS: dict[str, Any] = {"json_schema_extra": shown(programs=True)}


class MessageView(BaseModel):
    """A message. Its texts are plain text, never markup: what a variable stands for may come from anybody."""

    id: int
    title: Mapping[str, str] = Field(title=_("About"), description="By language, `en` and `zh`.")
    text: Mapping[str, str] = Field(title=_("Message"), description="By language, `en` and `zh`.")
    purpose: Literal["service", "marketing"] = Field(title=_("Purpose"), json_schema_extra=shown(choices=PURPOSES))
    sender: str = Field(description="The plugin that it is from, such as `points`.", **PROGRAMS)
    kind: str = Field(description="Which of the plugin's messages it is.", **PROGRAMS)
    sent_at: datetime = Field(title=_("When"))
    read: bool = Field(title=_("Read"))


class Inbox(BaseModel):
    """A page of the inbox, newest first."""

    unread: int = Field(title=_("Unread"), description="In the whole inbox.")
    messages: list[MessageView] = Field(title=_("Messages"))
    next: int | None = Field(description="Pass it as `before` for what follows; null at the end.")


class Unread(BaseModel):
    """How many messages are not read."""

    unread: int = Field(title=_("Unread"))


class Read(BaseModel):
    """Which messages were read."""

    model_config = ConfigDict(extra="forbid")

    messages: list[MessageId] | None = Field(
        default=None, max_length=100, title=_("Messages"), description=_("Leave it empty for all.")
    )


class Hide(BaseModel):
    """Which messages the member does not want to see any more."""

    model_config = ConfigDict(extra="forbid")

    messages: list[MessageId] = Field(min_length=1, max_length=100, title=_("Messages"), examples=[[17, 18]])


def inbox(
    ctx: Ctx,
    before: Annotated[int, Query(ge=1, le=NEWEST, description="The `next` of the page before.")] = NEWEST,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Inbox:
    """What the store told the member, newest first."""
    rows = ctx.sql("inbox", member=ctx.member, before=before, most=limit)
    views = [
        MessageView(
            id=row.id,
            title=row.title,
            text=row.text,
            purpose=row.purpose,
            sender=row.plugin,
            kind=row.kind,
            sent_at=row.settled_at,
            read=row.read_at is not None,
        )
        for row in rows
    ]
    return Inbox(unread=_unread(ctx), messages=views, next=views[-1].id if len(views) == limit else None)


def unread(ctx: Ctx) -> Unread:
    """How many messages the member has not read."""
    return Unread(unread=_unread(ctx))


def read(ctx: Ctx, given: Read) -> Unread:
    """Mark messages as read, or all of them; those of others and unknown ones are passed over."""
    ctx.sql("read", member=ctx.member, ids=given.messages)
    return unread(ctx)


def hide(ctx: Ctx, given: Hide) -> Unread:
    """Take messages out of the inbox for good."""
    ctx.sql("hide", member=ctx.member, ids=given.messages)
    return unread(ctx)


def _unread(ctx: Ctx) -> int:
    rows = ctx.sql("unread", members=[ctx.member])
    return rows[0].unread if rows else 0
