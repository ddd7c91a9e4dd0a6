"""Deliveries as a merchant looks them up, and has one sent again."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field
from sqlalchemy import Row

from threepeat.sdk import Context, Item, ItemModel, Query, Refused, Wording, _, action, collection, item_number
from threepeat_webhooks import payload
from threepeat_webhooks.delivering import queue
from threepeat_webhooks.endpoints import moment
from threepeat_webhooks.settings import WebhooksSettings

Ctx = Context[WebhooksSettings]

FAILURES = {
    "timeout": _("No answer in time"),
    "connection": _("No connection"),
    "certificate": _("Its certificate is not accepted"),
    "answer": _("It answers something else than HTTP"),
    "address": _("Its address may not be called"),
    "unreadable": _("The event cannot be read any more"),
    "secret": _("The signing secret cannot be opened: make a new one"),
    "resting": _("Not tried: its endpoint keeps us waiting"),
    "internal": _("It could not be sent; whoever runs this server can say more"),
}


class Delivery(ItemModel):
    """What was sent, and where to; nobody fills it in."""

    type: str = Field(title=_("Event"))
    endpoint: str = Field(title=_("Endpoint"))
    url: str = Field(title=_("Address"))
    webhook_id: str = Field(default="", title=_("Its id in the header webhook-id"))


def find(ctx: Ctx, query: Query) -> Sequence[Item[Delivery]]:
    """Deliveries, newest first."""
    rows = ctx.sql("delivery_find", state=query.state, search=query.search, before=query.before, most=query.limit)
    return [_item(ctx, row) for row in rows]


def read(ctx: Ctx, item: str) -> Item[Delivery] | None:
    """One delivery, with what came of its last attempt."""
    rows = ctx.sql("delivery_read", id=item_number(item))
    if not rows:
        return None
    found = ctx.events([rows[0].position])
    return _item(ctx, rows[0], payload.webhook_id(ctx.tenant.id, found[0]) if found else "")


def again(ctx: Ctx, item: str, revision: int) -> bool:
    """Send it once more, under the same id.

    Raises:
        Refused: Its endpoint is not on.
    """
    rows = ctx.sql("delivery_read", id=item_number(item))
    if not rows:
        return False
    if rows[0].endpoint_state != "active":
        raise Refused(_("Switch the endpoint on first."), code="endpoint-off")
    ctx.sql("endpoint_rouse", id=rows[0].endpoint_id)
    queued = ctx.sql("delivery_again", id=item_number(item), revision=revision)
    queue(ctx, queued)
    return bool(queued)


DELIVERIES = collection(
    "deliveries",
    Delivery,
    title=_("Deliveries"),
    singular=_("delivery"),
    summary=_("What was sent to your endpoints, and what came of it."),
    states={
        "queued": _("On its way"),
        "delivered": _("Arrived"),
        "failed": _("Failed"),
        "stopped": _("Stopped"),
    },
    find=find,
    read=read,
    actions=[action("again", again, title=_("Send again"), states={"delivered", "failed", "stopped"})],
)


def _item(ctx: Ctx, row: Row[Any], webhook_id: str = "") -> Item[Delivery]:
    values = Delivery(type=row.type, endpoint=row.name, url=row.url, webhook_id=webhook_id)
    figures: dict[str, int | str] = {_("Endpoint"): row.name, _("Attempts"): row.attempts}
    said = _answer(row)
    if said:
        figures[_("Last answer")] = said
    if row.milliseconds:
        figures[_("Milliseconds")] = row.milliseconds
    if row.due_at is not None:
        figures[_("Next attempt")] = moment(ctx, row.due_at)
    return Item(str(row.id), row.state, values, row.revision, row.type, row.changed_at, figures)


def _answer(row: Row[Any]) -> Wording | None:
    if row.failure in FAILURES:
        return FAILURES[row.failure]
    return _("Status {status}", status=str(row.status)) if row.status is not None else None
