"""What plugins say, taken in the transaction of whoever says it; service notices go into the inbox at once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from threepeat.sdk import Message
from threepeat_messages import kinds
from threepeat_messages.channels import CHANNELS, Ctx, Letter
from threepeat_messages.hours import awake_at
from threepeat_messages.kinds import Kind

DELIVER = "deliver"


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of a message as it comes in: `sent` with a letter, `queued`, or `held` for a reason."""

    state: str
    channel: str
    reason: str = ""
    letter: Letter | None = None


class Outbox:
    """Implements `threepeat.sdk.Messages`: as many statements for a thousand messages as for one."""

    def __init__(self, ctx: Ctx) -> None:
        self._ctx = ctx

    def send(self, messages: Sequence[Message]) -> None:
        """Take a batch: into the inbox, into the queue, or kept with the reason why not."""
        ctx, known = self._ctx, kinds.every(self._ctx)
        judged = [_judge(ctx, one, known.get((one.plugin, one.kind))) for one in messages]
        rows = ctx.sql("take", now=ctx.now, **_columns(messages, judged))
        fresh = {(row.plugin, row.kind, row.key, row.member_id): row.id for row in rows}
        waiting: set[tuple[str, int]] = set()
        letters: dict[str, list[Letter]] = {}
        for message, one in zip(messages, judged, strict=True):
            made = fresh.get((message.plugin, message.kind, message.key, message.member))
            if made is not None and one.state == "queued":
                waiting.add((message.purpose, message.member))
            elif made is not None and one.letter is not None:
                letters.setdefault(one.channel, []).append(replace(one.letter, id=made))
        schedule(ctx, waiting)
        for channel, sent in letters.items():
            CHANNELS[channel].bring(ctx, sent)


def schedule(ctx: Ctx, waiting: set[tuple[str, int]]) -> None:
    """Have what is queued looked at, by purpose and member: marketing once the quiet hours are over."""
    awake = morning(ctx)
    for purpose, member in sorted(waiting):
        at = awake if purpose == "marketing" else ctx.now
        ctx.later(DELIVER, f"{purpose}:{member}", at, member=member)


def morning(ctx: Ctx) -> datetime:
    """When marketing may go: now, or at the end of the quiet hours."""
    return awake_at(ctx.now, ctx.tenant.timezone, ctx.settings.quiet_from, ctx.settings.quiet_until)


def stale(ctx: Ctx, happened_at: datetime, until: datetime | None) -> bool:
    """Whether it is too late to tell of something."""
    old = happened_at < ctx.now - timedelta(days=ctx.settings.stale_days)
    return old or (until is not None and until <= ctx.now)


def _judge(ctx: Ctx, message: Message, kind: Kind | None) -> Judged:
    """What is known at once; whatever needs a consent, a permission or the clock is queued."""
    if kind is None or not kind.enabled:
        return Judged("held", kind.channel if kind else "", "off")
    channel = CHANNELS.get(kind.channel)
    if channel is None or not channel.ready(ctx):
        return Judged("held", kind.channel, "no_channel")
    if not message.taking_part:
        return Judged("held", kind.channel, "not_taking_part")
    if stale(ctx, message.happened_at, message.until):
        return Judged("held", kind.channel, "too_old")
    if message.purpose == "marketing" or channel.permission(message.plugin, message.kind) is not None:
        return Judged("queued", kind.channel)
    letter = kind.letter(0, message.member, message.values)
    return Judged("sent", kind.channel, letter=letter) if letter else Judged("held", kind.channel, "outdated")


def _columns(messages: Sequence[Message], judged: Sequence[Judged]) -> dict[str, list[object]]:
    return {
        "members": [one.member for one in messages],
        "plugins": [one.plugin for one in messages],
        "kinds": [one.kind for one in messages],
        "keys": [one.key for one in messages],
        "purposes": [one.purpose for one in messages],
        "written": [
            json.dumps(one.values) if kept.state == "queued" else None
            for one, kept in zip(messages, judged, strict=True)
        ],
        "happened": [one.happened_at for one in messages],
        "untils": [one.until for one in messages],
        "channels": [one.channel for one in judged],
        "states": [one.state for one in judged],
        "reasons": [one.reason for one in judged],
        "titles": [json.dumps(one.letter.title) if one.letter else None for one in judged],
        "texts": [json.dumps(one.letter.text) if one.letter else None for one in judged],
    }
