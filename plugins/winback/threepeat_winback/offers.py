"""Wakes sleepers each morning, and reads from the log who had been active before the tactic was switched on."""

from datetime import timedelta

from threepeat.sdk import Context, Due, Notice, Occurrence, midnight
from threepeat.sdk.events import AppointmentAttended, OrderPaid, ServiceProgressed, VisitMade
from threepeat_winback.events import Offered
from threepeat_winback.messages import WAKE
from threepeat_winback.settings import WinbackSettings

Ctx = Context[WinbackSettings]

VALUE = (OrderPaid, VisitMade, AppointmentAttended, ServiceProgressed)
"""What counts as being active; opening the mini-program does not."""
LOOKED_AT = 10_000
"""How many sleepers are looked at in a morning, so that those who do not fit keep no others back."""
CHUNK = 20_000
"""How many positions of the log are read at a time."""
LEARN = "learn"


def wake(ctx: Ctx, occurrence: Occurrence) -> None:
    """Make the day's offers: sleepers who fit, those first who fell asleep last.

    Whoever is looked at and gets no offer, such as the comparison group, rests for the cooldown like the others.
    """
    settings, now = ctx.settings, ctx.now
    found = ctx.sql(
        "sleepers",
        asleep=now - timedelta(days=settings.asleep_after_days),
        lost=now - timedelta(days=settings.lost_after_days),
        cooled=now - timedelta(days=settings.cooldown_days),
        offers=settings.most_offers,
        most=max(LOOKED_AT, settings.most_a_day),
    )
    sleepers = [row.member_id for row in found]
    if not sleepers:
        return
    meant = ctx.taking_part(sleepers)
    if not settings.audience.is_everybody:
        meant &= ctx.matching(settings.audience, meant)
    chosen = [member for member in sleepers if member in meant][: settings.most_a_day]
    # Sleepers behind the last one who was chosen were not needed today: they are looked at tomorrow.
    full = len(chosen) == settings.most_a_day
    looked = sleepers[: sleepers.index(chosen[-1]) + 1] if full else sleepers
    ctx.sql("look", members=looked)
    if not chosen:
        return
    zone = ctx.tenant.timezone
    last = now.astimezone(zone).date() + timedelta(days=settings.offer_days)
    until = midnight(last + timedelta(days=1), zone)
    reward = settings.reward
    rows = ctx.sql("offer", members=chosen, until=until, kind=reward.kind, amount=reward.amount, item=reward.item)
    for row in rows:
        offered = Offered(kind=reward.kind, item=reward.item, amount=reward.amount, until=until)
        ctx.emit(offered, member=row.member_id, cause=f"offer {row.id}")
    ctx.message(WAKE, [Notice(row.member_id, f"offer {row.id}", {"day": last}, until=until) for row in rows])
    ctx.log.info("members woken", day=str(occurrence.day), looked=len(looked), offers=len(rows))


def begin(ctx: Ctx) -> None:
    """Have the log read, backwards from here: nobody told the tactic of what happened while it was off."""
    if ctx.sql("begin"):
        ctx.later(LEARN, LEARN, ctx.now)


def learn(ctx: Ctx, due: list[Due]) -> None:
    """Read a stretch of the log from before the tactic was switched on; the older one comes next."""
    del due
    rows = ctx.sql("stretch", most=CHUNK, kinds=[event.type for event in VALUE], order=OrderPaid.type)
    # Whoever was merged into another or erased stands in the log under the old id, and is left out.
    since = ctx.facts(["member.since"], {row.member_id for row in rows})["member.since"]
    present = [row for row in rows if row.member_id in since]
    ctx.sql(
        "note",
        members=[row.member_id for row in present],
        times=[row.last_at for row in present],
        bought=[row.bought for row in present],
    )
    if ctx.sql("advance", most=CHUNK)[0].position > 0:
        ctx.later(LEARN, LEARN, ctx.now)
