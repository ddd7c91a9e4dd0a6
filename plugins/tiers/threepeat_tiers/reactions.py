"""What events bring, for whole batches. Growth is noted of everybody; only members who take part rise."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from threepeat.sdk.events import Event, MemberRegistered, OrderPaid, OrderRefunded
from threepeat_tiers import floors, growth, standings
from threepeat_tiers.climbing import Entry, Standing
from threepeat_tiers.rising import rise
from threepeat_tiers.rules import Rules
from threepeat_tiers.versions import Ctx, InForce, in_force, versions

E = TypeVar("E", bound=Event)


def registered(ctx: Ctx, events: list[MemberRegistered]) -> None:
    """Meet members: whoever registers stands in the tier that needs no growth."""
    _count(ctx, events, lambda _rules: growth.met(ctx, events))


def paid(ctx: Ctx, events: list[OrderPaid]) -> None:
    """Count orders, and keep what was bought as a tier."""
    force = _count(ctx, events, lambda rules: growth.paid(ctx, events, rules))
    floors.bought(ctx, events, force.rules)


def refunded(ctx: Ctx, events: list[OrderRefunded]) -> None:
    """Take growth off; a tier that was bought with an order that went back in full ends."""
    force = in_force(ctx)
    known, rules = _rules(ctx, events, force)
    growth.refunded(ctx, events, _by_member(events, known, rules, force))
    floors.refunded(ctx, events)


def taking_part(kind: str) -> Callable[[Ctx, list[E]], None]:
    """The handler of a kind of interaction; where it counts for nobody, it costs one look at the versions."""

    def handler(ctx: Ctx, events: list[E]) -> None:
        if any(one.kind == kind for one in ctx.settings.interactions) or ctx.sql("counted", kind=kind)[0].counted:
            _count(ctx, events, lambda rules: growth.taken_part(ctx, kind, events, rules))

    return handler


def _count(ctx: Ctx, events: Sequence[Event], bring: Callable[[Mapping[int, Rules]], list[Entry]]) -> InForce:
    force = in_force(ctx)
    known, rules = _rules(ctx, events, force)
    entries = bring(_by_member(events, known, rules, force))
    growth.add(ctx, ((entry.member_id, entry.day, entry.value) for entry in entries))
    if entries and not force.closing:
        rise(ctx, force, rules, known, entries, events)
    return force


def _rules(ctx: Ctx, events: Sequence[Event], force: InForce) -> tuple[dict[int, Standing], dict[int, Rules]]:
    known = standings.read(ctx, {event.member for event in events})
    named = {number for one in known.values() for number in (one.version, one.fell_version) if number is not None}
    return known, {**versions(ctx, named - {force.number}), force.number: force.rules}


def _by_member(
    events: Sequence[Event], known: Mapping[int, Standing], rules: Mapping[int, Rules], force: InForce
) -> dict[int, Rules]:
    """The rules under which each member stands."""
    return {
        event.member: rules[known[event.member].version] if event.member in known else force.rules
        for event in events
    }
