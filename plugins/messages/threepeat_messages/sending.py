"""What waits is sent or kept with the reason: for all members whose time has come at once.

The members are locked by the turn, so nobody takes a consent back meanwhile. Rows are locked in one order
(messages, allowances, permissions), then everything is decided, and every write is conditional all the same.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Due
from threepeat_messages import kinds
from threepeat_messages.channels import CHANNELS, Channel, Ctx, Letter, purposes
from threepeat_messages.hours import minute, monday
from threepeat_messages.kinds import Kind
from threepeat_messages.taking import DELIVER, morning, stale

MOST = 2_000
"""Messages that are looked at in one transaction; the others come in the next."""


@dataclass(slots=True)
class Verdict:
    """What becomes of a message.

    Attributes:
        state: `sent` or `held`.
        consent_at: Of the statement under which marketing goes.
        permission: The one-time permission that it uses up.
    """

    row: Row[Any]
    state: str
    reason: str = ""
    channel: str = ""
    consent_at: datetime | None = None
    permission: str | None = None
    letter: Letter | None = None


@dataclass(slots=True)
class Room:
    """How much may still go: of marketing by member, and by one-time permission."""

    marketing: dict[int, int] = field(default_factory=dict)
    permitted: dict[tuple[int, str], int] = field(default_factory=dict)


def deliver(ctx: Ctx, due: list[Due]) -> None:
    """Look at what waits for some members, service notices first; in quiet hours at nothing else."""
    mine = [(one.key, one.member) for one in due if one.member is not None]
    awake = morning(ctx)
    quiet = awake > ctx.now
    rows = ctx.sql("queued", members=sorted({member for _, member in mine}), marketing=not quiet, most=MOST)
    if quiet:  # the merchant has made them longer
        _look_again(ctx, [one for one in mine if one[0].startswith("marketing:")], awake)
    if len(rows) == MOST:
        _look_again(ctx, [one for one in mine if one[1] >= rows[-1].member_id], ctx.now)
    if rows:
        settle(ctx, rows)


def settle(ctx: Ctx, rows: Sequence[Row[Any]]) -> None:
    """Decide about messages that are locked, and write it down."""
    known = kinds.every(ctx)
    active = ctx.taking_part({row.member_id for row in rows if row.purpose == "marketing"})
    agreed = _agreed(ctx, rows, known)
    verdicts = [_judge(ctx, row, known.get((row.plugin, row.kind)), active, agreed) for row in rows]
    day = ctx.now.astimezone(ctx.tenant.timezone).date()
    room = _room(ctx, verdicts, known, day)
    for one in verdicts:
        if one.state == "sent":
            _take_room(one, known[one.row.plugin, one.row.kind], room)
    _write(ctx, verdicts, day)
    letters: dict[str, list[Letter]] = {}
    for one in verdicts:
        if one.letter is not None:
            letters.setdefault(one.channel, []).append(one.letter)
    for channel, sent in letters.items():
        CHANNELS[channel].bring(ctx, sent)


def _look_again(ctx: Ctx, waiting: Sequence[tuple[str, int]], at: datetime) -> None:
    """Set deadlines anew, by key and member."""
    for key, member in waiting:
        ctx.later(DELIVER, key, at, member=member)


def _agreed(
    ctx: Ctx, rows: Sequence[Row[Any]], known: Mapping[tuple[str, str], Kind]
) -> dict[tuple[int, str], datetime]:
    """Since when members agree to marketing, by member and channel."""
    asked: dict[str, set[int]] = {}
    for row in rows:
        kind = known.get((row.plugin, row.kind))
        if row.purpose == "marketing" and kind is not None:
            asked.setdefault(kind.channel, set()).add(row.member_id)
    return {
        (member, channel): since
        for channel, concerned in asked.items()
        for member, since in ctx.consenting(concerned, purposes(channel)).items()
    }


def _judge(
    ctx: Ctx,
    row: Row[Any],
    kind: Kind | None,
    active: frozenset[int],
    agreed: Mapping[tuple[int, str], datetime],
) -> Verdict:
    """What becomes of a message as far as nothing of it is scarce."""
    if kind is None or not kind.enabled:
        return Verdict(row, "held", "off", row.channel)
    since = agreed.get((row.member_id, kind.channel)) if row.purpose == "marketing" else None
    reason = _obstacle(ctx, row, kind, active=row.member_id in active, agreed=since is not None)
    if reason:
        return Verdict(row, "held", reason, kind.channel)
    return Verdict(row, "sent", channel=kind.channel, consent_at=since)


def _obstacle(ctx: Ctx, row: Row[Any], kind: Kind, *, active: bool, agreed: bool) -> str:
    """The first reason not to send it; empty if there is none."""
    channel = CHANNELS.get(kind.channel)
    if channel is None or not channel.ready(ctx):
        return "no_channel"
    if stale(ctx, row.happened_at, row.until):
        return "too_old"
    if row.purpose == "service":
        return ""
    if not active:
        return "suspended"
    return "" if agreed else "no_consent"


def _room(ctx: Ctx, verdicts: Sequence[Verdict], known: Mapping[tuple[str, str], Kind], day: date) -> Room:
    """What is left of everything scarce, locked."""
    room = Room()
    sold = sorted(
        {one.row.member_id for one in verdicts if one.state == "sent" and one.row.purpose == "marketing"}
    )
    if sold:
        settings = ctx.settings
        for row in ctx.sql("allowances", members=sold, day=day, week=monday(day)):
            left = min(settings.per_day - row.day_sent, settings.per_week - row.week_sent)
            room.marketing[row.member_id] = max(left, 0)
    needed = {
        (one.row.member_id, template)
        for one in verdicts
        if one.state == "sent" and (template := _template(known[one.row.plugin, one.row.kind])) is not None
    }
    if needed:
        members, templates = sorted({member for member, _ in needed}), sorted({name for _, name in needed})
        for row in ctx.sql("permissions", members=members, templates=templates):
            room.permitted[row.member_id, row.template] = row.room
    return room


def _template(kind: Kind) -> str | None:
    channel: Channel = CHANNELS[kind.channel]
    return channel.permission(kind.known.plugin, kind.known.name)


def _take_room(one: Verdict, kind: Kind, room: Room) -> None:
    """Send it if there is room for it, and take that; else say what was lacking."""
    member, template, marketing = one.row.member_id, _template(kind), one.row.purpose == "marketing"
    letter = kind.letter(one.row.id, member, one.row.written or {})
    lacking = {
        "outdated": letter is None,
        "cap": marketing and not room.marketing.get(member, 0),
        "no_permission": template is not None and not room.permitted.get((member, template), 0),
    }
    if reason := next((name for name, lacks in lacking.items() if lacks), ""):
        one.state, one.reason, one.consent_at = "held", reason, None
        return
    if marketing:
        room.marketing[member] -= 1
    if template is not None:
        room.permitted[member, template] -= 1
        one.permission = template
    one.letter = letter


def _write(ctx: Ctx, verdicts: Sequence[Verdict], day: date) -> None:
    """Count what goes, and write down what became of each.

    Raises:
        RuntimeError: Something that was locked is not as it was.
    """
    if not verdicts:
        return
    settings, sent = ctx.settings, [one for one in verdicts if one.state == "sent"]
    caps = {"per_day": settings.per_day, "per_week": settings.per_week}
    counted = Counter(one.row.member_id for one in sent if one.row.purpose == "marketing")
    if counted:
        order = sorted(counted)
        numbers = [counted[member] for member in order]
        days = {"day": day, "week": monday(day)}
        _every(order, ctx.sql("allow", members=order, numbers=numbers, **days, **caps))
    used = Counter((one.row.member_id, one.permission) for one in sent if one.permission is not None)
    if used:
        pairs = sorted(used)
        _every(
            pairs,
            ctx.sql(
                "use_permissions",
                members=[member for member, _ in pairs],
                templates=[template for _, template in pairs],
                numbers=[used[pair] for pair in pairs],
            ),
        )
    done = ctx.sql(
        "settle",
        zone=ctx.tenant.timezone.key,
        quiet_from=minute(settings.quiet_from),
        quiet_until=minute(settings.quiet_until),
        ids=[one.row.id for one in verdicts],
        states=[one.state for one in verdicts],
        reasons=[one.reason for one in verdicts],
        channels=[one.channel for one in verdicts],
        titles=[json.dumps(one.letter.title) if one.letter else None for one in verdicts],
        texts=[json.dumps(one.letter.text) if one.letter else None for one in verdicts],
        consents=[one.consent_at for one in verdicts],
        permissions=[one.permission for one in verdicts],
        capped=[one.state == "sent" and one.row.purpose == "marketing" for one in verdicts],
        **caps,
    )
    _every(verdicts, done)


def _every(wanted: Sequence[object], written: Sequence[object]) -> None:
    if len(wanted) != len(written):
        raise RuntimeError(f"{len(wanted)} rows were locked and {len(written)} could be written")
