"""What an endpoint missed, sent again since an instant: the log is gone through backwards, a part at a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Row

from threepeat.sdk import Context, Due, Item, ItemModel, Query, Refused, _, collection, item_number, shown
from threepeat_webhooks.delivering import queue
from threepeat_webhooks.endpoints import moment
from threepeat_webhooks.settings import WebhooksSettings

Ctx = Context[WebhooksSettings]

TIMER = "resend"
PART = 1_000
"""Positions of the log that one turn goes through."""


class Resend(ItemModel):
    """What a merchant fills in."""

    endpoint: str = Field(
        min_length=1,
        max_length=80,
        title=_("Endpoint"),
        description=_("One that is on."),
        json_schema_extra=shown(items="webhooks/endpoints"),
    )
    since: datetime = Field(
        title=_("Since"),
        description=_("What the store received from then on is sent, also what happened while nothing was sent."),
    )
    which: Literal["missed", "all"] = Field(
        default="missed",
        title=_("What"),
        json_schema_extra=shown(
            choices={"missed": _("What has not arrived"), "all": _("Everything, also what has arrived")}
        ),
    )

    @field_validator("since")
    @classmethod
    def _somewhere(cls, since: datetime) -> datetime:
        if since.tzinfo is None:
            raise PydanticCustomError("webhook_no_zone", _("name the time zone, too"))
        return since


def find(ctx: Ctx, query: Query) -> Sequence[Item[Resend]]:
    """The newest first."""
    rows = ctx.sql("resend_find", state=query.state, search=query.search, before=query.before, most=query.limit)
    return [_item(ctx, row) for row in rows]


def read(ctx: Ctx, item: str) -> Item[Resend] | None:
    """One of them."""
    rows = ctx.sql("resend_read", id=item_number(item))
    return _item(ctx, rows[0]) if rows else None


def create(ctx: Ctx, given: Resend) -> str:
    """Begin to send again.

    Raises:
        Refused: The endpoint is not on or is still being sent something again, or the instant is out of reach.
    """
    rows = ctx.sql("endpoint_read", id=item_number(given.endpoint))
    if not rows or rows[0].state != "active":
        raise Refused(_("Choose an endpoint that is on."), code="endpoint-off", field="endpoint")
    earliest = ctx.now - ctx.settings.kept_for
    if not earliest <= given.since <= ctx.now:
        raise Refused(
            _("Choose an instant between {earliest} and now.", earliest=moment(ctx, earliest)),
            code="out-of-reach",
            field="since",
        )
    made = ctx.sql("resend_add", endpoint=rows[0].id, since=given.since, missed=given.which == "missed")
    if not made:
        raise Refused(
            _("It is being sent something again: wait until that is queued."), code="running", field="endpoint"
        )
    ctx.sql("endpoint_rouse", id=rows[0].id)
    item = str(made[0].id)
    ctx.later(TIMER, item, ctx.now)
    return item


def go_on(ctx: Ctx, dues: list[Due]) -> None:
    """Go through the next part of the log for each, and come again for the rest."""
    for due in dues:
        for row in ctx.sql("resend_lock", id=item_number(due.key)):
            low = max(row.left_at - PART, 0)
            span = {"low": low, "high": row.left_at}
            number_queued = _queue_part(ctx, row, span) if row.endpoint_state == "active" else 0
            newest: datetime | None = ctx.sql("resend_newest", **span)[0].newest
            over = low == 0 or row.endpoint_state != "active" or newest is None or newest < row.since
            state = "done" if over else "running"
            ctx.sql("resend_step", id=row.id, low=low, number=number_queued, state=state)
            if not over:
                ctx.later(TIMER, due.key, ctx.now)


RESENDS = collection(
    "resends",
    Resend,
    title=_("Sent again"),
    singular=_("sending again"),
    summary=_("Sends an endpoint what it missed since an instant, such as after an outage."),
    states={"running": _("Being queued"), "done": _("Queued")},
    find=find,
    read=read,
    create=create,
)


def _queue_part(ctx: Ctx, row: Row[Any], span: dict[str, int]) -> int:
    """Queue what belongs to the endpoint in a part of the log, and say how much that was."""
    found = ctx.sql("resend_events", endpoint=row.endpoint_id, since=row.since, **span)
    events = ctx.events([one.position for one in found])
    queued = ctx.sql(
        "resend_part",
        endpoint=row.endpoint_id,
        missed=row.missed,
        positions=[event.position for event in events],
        members=[event.envelope.member if event.envelope else None for event in events],
        types=[event.type for event in events],
    )
    queue(ctx, queued)
    return len(queued)


def _item(ctx: Ctx, row: Row[Any]) -> Item[Resend]:
    values = Resend(endpoint=str(row.endpoint_id), since=row.since, which="missed" if row.missed else "all")
    title = f"{row.name}, {moment(ctx, row.since)}"
    return Item(str(row.id), row.state, values, row.revision, title, row.changed_at, {_("Queued"): row.queued})
