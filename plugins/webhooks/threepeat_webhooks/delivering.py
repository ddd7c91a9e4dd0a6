"""Attempts: prepared in the transaction that claims them, made with none open, and what comes of them.

A delivery is a row and a call. Every attempt gets an answer, and the answer decides whether the call is asked for
again: so the schedule, the attempts and the reason of the last failure stand in the row, where merchants see them.
"""

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row

from threepeat.sdk import Call, Context, item_number
from threepeat.sdk.events import Event
from threepeat_webhooks import payload, signing
from threepeat_webhooks.events import EndpointDisabled
from threepeat_webhooks.sending import Answer, post, wall_clock
from threepeat_webhooks.settings import WebhooksSettings

Ctx = Context[WebhooksSettings]

CALL = "deliver"
SECRET = "secret"  # noqa: S105 - the place that secrets are sealed for
PAUSES = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""How long to wait after each attempt that failed: the schedule of Standard Webhooks 1.0, 75 hours in all."""
JITTER = (0.9, 1.1)
MOST_ASKED = 86_400
"""Seconds that the other side can ask to be left alone."""
FAILING_FOR = timedelta(days=5)
"""An endpoint at which nothing has arrived for so long is disabled."""
FORGET_AFTER = timedelta(days=2)
"""Longer than any pause of the schedule: nobody knows how an endpoint was that was not called for so long."""
SLOW = 5_000
"""Milliseconds after which an attempt that fails has kept a place from the store's other endpoints."""
LONGEST_REST = timedelta(minutes=10)
"""An endpoint that fails slowly is left alone for as long as it has been failing, and for so long at the most."""
GONE = 410


def queue(ctx: Ctx, rows: Sequence[Row[Any]]) -> None:
    """Ask for the first attempt of deliveries that were just queued."""
    for row in rows:
        ctx.call(CALL, str(row.id), {}, member=row.member_id)


def prepare(ctx: Ctx, calls: Sequence[Call]) -> Mapping[str, Mapping[str, Any]]:
    """What each attempt needs, as things stand now: the address, the secrets, the event.

    What does not wait any more is left out; for what is not sent now there is the outcome instead.
    """
    rows = ctx.sql("prepare", ids=[item_number(call.key) for call in calls])
    sent = {row.position for row in rows if row.state == "active" and not row.resting}
    events = {event.position: event for event in ctx.events(sent)}
    named = ctx.external_ids({member for event in events.values() for member in payload.concerned(event)})
    return {str(row.id): _prepared(ctx, row, events.get(row.position), named) for row in rows}


def perform(settings: WebhooksSettings, call: Call) -> Mapping[str, Any]:
    """Make the attempt, and say what came of it."""
    del settings
    given = call.payload
    if "outcome" in given:
        outcome: Mapping[str, Any] = given["outcome"]
        return outcome
    headers = signing.headers(given["id"], wall_clock(), given["body"], given["secrets"])
    return asdict(post(given["url"], given["body"], headers))


def done(ctx: Ctx, call: Call, answer: Mapping[str, Any]) -> None:
    """Write down what came of an attempt."""
    delivery = item_number(call.key)
    if "verdict" in answer:
        stopped = answer["verdict"] == "stopped"
        _settle(ctx, delivery, "stopped" if stopped else "failed", failure="" if stopped else answer["verdict"])
    elif answer["failure"]:
        _put_off(ctx, call, delivery, answer)
    else:
        # Also where it was stopped meanwhile: it has arrived.
        ctx.sql("arrived", delivery=delivery)
        _settle(ctx, delivery, "delivered", answer)


def failed(ctx: Ctx, call: Call, error: str) -> None:
    """An attempt could not even be made, or ended its worker each time; somebody has to look at it."""
    del error
    _settle(ctx, item_number(call.key), "failed", failure="internal")


def _put_off(ctx: Ctx, call: Call, delivery: int, answer: Mapping[str, Any]) -> None:
    """Write down an attempt that failed, and ask for the next one if there is to be one."""
    # The endpoint first: who switches it off locks it before what waits for it.
    endpoint = ctx.sql("lock_endpoint", delivery=delivery)
    rows = ctx.sql("lock_delivery", id=delivery)
    if not endpoint or not rows:
        return
    goes_on = rows[0].state == "queued" and endpoint[0].state == "active"
    due = _next(ctx, rows[0].tries + 1, answer) if goes_on else None
    _settle(ctx, delivery, "queued" if due else "failed" if goes_on else "stopped", answer, due)
    if due:
        ctx.call(CALL, call.key, {}, member=call.member, at=due)
    if answer["status"] == GONE:
        _disable(ctx, endpoint[0].id, "gone")
    elif answer["failure"] != "resting":
        _fail(ctx, endpoint[0].id, slow=answer["milliseconds"] >= SLOW)


def _prepared(ctx: Ctx, row: Row[Any], event: Event | None, named: Mapping[int, str]) -> Mapping[str, Any]:
    if row.state != "active":
        return {"outcome": {"verdict": "stopped"}}
    if row.resting:
        return {"outcome": asdict(Answer(None, "resting"))}
    if event is None:
        return {"outcome": {"verdict": "unreadable"}}
    try:
        secrets = _secrets(ctx, row)
    except ValueError:
        return {"outcome": {"verdict": "secret"}}
    return {
        "url": row.url,
        "id": payload.webhook_id(ctx.tenant.id, event),
        "body": payload.body(event, named),
        "secrets": secrets,
    }


def _secrets(ctx: Ctx, row: Row[Any]) -> list[str]:
    """What signs, the newest first; an old secret that cannot be opened any more signs nothing.

    Raises:
        ValueError: The newest cannot be opened.
    """
    secrets = [ctx.unseal(row.secret, place=SECRET)]
    if row.old_secret is not None:
        with suppress(ValueError):
            secrets.append(ctx.unseal(row.old_secret, place=SECRET))
    return secrets


def _next(ctx: Ctx, tries: int, answer: Mapping[str, Any]) -> datetime | None:
    """When the next attempt is made; None if there is none."""
    if answer["status"] == GONE or tries > len(PAUSES):
        return None
    pause = PAUSES[tries - 1] * random.uniform(*JITTER)  # noqa: S311 - spreads load, guards nothing
    asked = timedelta(seconds=min(answer["retry_after"], MOST_ASKED))
    return ctx.now + max(pause, asked)


def _settle(
    ctx: Ctx,
    delivery: int,
    state: str,
    answer: Mapping[str, Any] | None = None,
    due: datetime | None = None,
    *,
    failure: str = "",
) -> None:
    """Write a delivery's outcome; without an answer no attempt was made."""
    ctx.sql(
        "settle",
        id=delivery,
        state=state,
        made=0 if answer is None else 1,
        status=None if answer is None else answer["status"],
        failure=failure if answer is None else answer["failure"],
        milliseconds=None if answer is None else answer["milliseconds"],
        due=due,
    )


def _fail(ctx: Ctx, endpoint: int, *, slow: bool) -> None:
    """Note that an attempt failed: slowly, the endpoint rests for a while; for days, it is disabled."""
    (row,) = ctx.sql("failing", id=endpoint, slow=slow, forget=FORGET_AFTER, rest=LONGEST_REST)
    if row.failing_since <= ctx.now - FAILING_FOR:
        _disable(ctx, endpoint, "failing")


def _disable(ctx: Ctx, endpoint: int, reason: Literal["gone", "failing"]) -> None:
    """Send nothing more to an endpoint, and say so."""
    if ctx.sql("disable", id=endpoint, reason=reason):
        ctx.sql("stop", endpoint=endpoint)
        ctx.emit(EndpointDisabled(endpoint=str(endpoint), reason=reason), member=None)
        ctx.log.warning("webhook endpoint disabled", endpoint=endpoint, reason=reason)
