"""What happens in the store, put on its way to the endpoints that want to know."""

from collections.abc import Collection

from threepeat.sdk import Context, item_number
from threepeat.sdk.events import Event
from threepeat_webhooks.delivering import queue
from threepeat_webhooks.events import Tested
from threepeat_webhooks.settings import WebhooksSettings

Ctx = Context[WebhooksSettings]


def wanted(ctx: Ctx) -> Collection[str] | None:
    """The types that any endpoint is told of; None if one is told of all."""
    (row,) = ctx.sql("wanted")
    if row.every:
        return None
    return {*row.types, Tested.type} if row.endpoints else ()


def deliver(ctx: Ctx, events: list[Event]) -> None:
    """Queue each event for each endpoint that is told of it, once and for all."""
    rows = ctx.sql(
        "queue",
        positions=[event.position for event in events],
        members=[event.envelope.member if event.envelope else None for event in events],
        types=[event.type for event in events],
        targets=[item_number(event.endpoint) if isinstance(event, Tested) else None for event in events],
    )
    queue(ctx, rows)
