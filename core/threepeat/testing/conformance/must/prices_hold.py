"""Prices are money: a rule answers whatever is chosen, and what it holds is used or freed once."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel
from structlog.testing import capture_logs

from threepeat.events.platform import Platform
from threepeat.sdk.errors import Refused
from threepeat.sdk.events import MAX_AMOUNT
from threepeat.sdk.pricing import MAX_LINES, Basket, Hold, PriceRule, Quote, Returned
from threepeat.testing import samples
from threepeat.testing.conformance import baskets
from threepeat.testing.conformance.bench import Bench, NotApplicable, Stand
from threepeat.testing.conformance.project import FILE
from threepeat.testing.conformance.slots import odd, shown, slots
from threepeat.testing.conformance.states import State, differences, noise

TITLE = "A price is answered whatever is chosen, and what is held for it is used, freed and given back once."
FIX = (
    "Check asked.choice before it is used, and decline what does not fit. Let reserve, confirm, release and"
    " returned write by the hold's reservation, if that was not done yet, and let release undo what reserve did."
)
MEMBER = "ann"
MOST_CHOICES = 120
LINE = {"sku": "tea", "quantity": 1, "unit_price": 1}
EDGES: Mapping[str, Mapping[str, Any]] = {
    "that costs nothing": {"lines": [{**LINE, "unit_price": 0}]},
    "of one fen": {"lines": [LINE]},
    "of the largest amount": {"lines": [{**LINE, "unit_price": MAX_AMOUNT}]},
    "of the most lines": {"lines": [{**LINE, "sku": f"tea-{n}"} for n in range(MAX_LINES)]},
}
"""Baskets that no shop has thought of."""


def check(bench: Bench) -> Iterator[str]:
    """Choose everything that there is; then hold and pay, and hold and release, with everything told twice."""
    if not bench.installed.price_rules:
        raise NotApplicable("it has no price rules")
    yield from _whatever_is_chosen(bench)
    if any(rule.reserve is not None for rule in bench.installed.price_rules.values()):
        yield from _told_twice(bench)


# --- Asked -----------------------------------------------------------------------------------------------------


def _whatever_is_chosen(bench: Bench) -> Iterator[str]:
    """No choice and no basket makes a rule fail, and the same question has the same answer."""
    stand = _ready(bench.store())
    said = bench.project.baskets[0] if bench.project.baskets else baskets.PLAIN
    told: set[tuple[str, str]] = set()
    with capture_logs() as logs:
        for what, wants in _questions(stand, said):
            made = baskets.quote(stand, MEMBER, wants)
            if rule := _failed(stand, made):
                reason = next((f": {one['reason']}" for one in logs if one["event"] == "price rule failed"), "")
                if (rule, reason) not in told:
                    told.add((rule, reason))
                    yield f"{what}, the rule {rule} fails{reason}"
            elif made != baskets.quote(stand, MEMBER, wants):
                yield f"{what}, the answer is another when it is asked again"
            logs.clear()


def _questions(stand: Stand, said: Mapping[str, Any]) -> Iterator[tuple[str, Basket]]:
    for number, wants in enumerate(baskets.wanted(stand)):
        yield f"for {f'the basket {number} of {FILE}' if number else 'a plain basket'}", wants
    for name, edge in EDGES.items():
        yield f"for a basket {name}", baskets.basket(stand, {**edge, "choice": said.get("choice")})
    for number, (name, choice) in enumerate(_choices(stand, said)):
        if number < MOST_CHOICES:
            yield f"for the choice {name}", baskets.basket(stand, said, choice)


def _choices(stand: Stand, said: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Hostile values in place of the whole choice, and of each part of it."""
    for name, value in odd().items():
        yield shown(name), value
    chosen = stand.filled(said.get("choice"))
    parts = chosen if isinstance(chosen, dict) else {}
    for part in parts:
        for name, value in odd().items():
            yield f"{shown(name)} as {part}", {**parts, part: value}
    if isinstance(chosen, list):
        for name, value in odd().items():
            yield f"{shown(name)} among others", [*chosen, value]
    for rule in stand.bench.installed.price_rules.values():
        yield from _of_form(rule.choice)


def _of_form(model: type[BaseModel] | None) -> Iterator[tuple[str, Any]]:
    if model is not None:
        for slot in slots(model, samples.body(model)):
            for name, value in slot.edges.items():
                yield f"{name} as {slot.name}", slot.put(value)


def _failed(stand: Stand, made: Quote) -> str:
    mine = stand.bench.installed.id
    return next((one.rule for one in made.left_out if one.plugin == mine and one.why == "failed"), "")


# --- Held ------------------------------------------------------------------------------------------------------


Step = tuple[str, State, str]
"""When it is, what is left behind, and what is wrong by itself."""


def _told_twice(bench: Bench) -> Iterator[str]:
    """What is left behind is the same whether each handler is told once or twice."""
    deaf = _Deaf()
    stands = bench.store(), bench.store(), bench.store(platform=deaf.platform(bench))
    for stand in stands:
        _ready(stand)
    held = False
    for number in range(len(baskets.wanted(stands[0]))):
        for deaf.to, course in COURSES:
            once, twin, twice = (list(course(stand, number)) for stand in stands)
            held = held or bool(once)
            found = list(_compared(once, twin, twice))
            yield from found
            if found:
                return  # what follows from it would be told again
    if not held:
        yield f"no basket holds anything of it: write one that does as [[baskets]] in {FILE}"


def _compared(once: list[Step], twin: list[Step], twice: list[Step]) -> Iterator[str]:
    if len(once) != len(twice):
        yield "told twice, what could be held cannot be held any more"
        return
    for (when, wanted, wrong), (_, other, _), (_, found, more) in zip(once, twin, twice, strict=True):
        yield from (f"{when}: {one}" for one in [wrong] if one)
        yield from (f"told twice, {when}: {one}" for one in [more] if one and not wrong)
        for one in differences(wanted, found, noise(wanted, other)):
            yield f"told twice, {when}: {one}"


def _held(stand: Stand, number: int) -> Iterator[Step]:
    """It is held; what comes of it is no matter."""
    held = _reserve(stand, baskets.quote(stand, MEMBER, baskets.wanted(stand)[number]))
    if held:
        yield "when it is held", stand.state(), ""
        stand.act(lambda ctx: ctx.pricing.release(held))


def _released(stand: Stand, number: int) -> Iterator[Step]:
    """It is held, and the order is not paid."""
    wants = baskets.wanted(stand)[number]
    made = baskets.quote(stand, MEMBER, wants)
    held = _reserve(stand, made)
    if held:
        stand.act(lambda ctx: ctx.pricing.release(held))
        before, now = (
            sorted(baskets.taken_off(stand, one)) for one in (made, baskets.quote(stand, MEMBER, wants))
        )
        changed = f"it took off {before} before and now takes off {now}" if before != now else ""
        stand.drain()
        yield "when what was held is released", stand.state(), changed


def _paid(stand: Stand, number: int) -> Iterator[Step]:
    """It is held and paid, and comes back by and by."""
    held = baskets.paid(_reserve(stand, baskets.quote(stand, MEMBER, baskets.wanted(stand)[number])))
    if held:
        stand.act(lambda ctx: ctx.pricing.confirm(held))
        stand.drain()
        yield "when the order is paid", stand.state(), ""
        for when, whole in (("half of it", False), ("all of it", True)):
            back = [_returned(one, whole=whole) for one in held]
            stand.act(lambda ctx, back=back: ctx.pricing.returned(back))
            stand.drain()
            yield f"when {when} has come back", stand.state(), ""


def _reserve(stand: Stand, made: Quote) -> list[Hold]:
    """Hold what the plugin gave; nothing if it refuses."""
    held = baskets.holds(stand, MEMBER, made, secrets.token_hex(16))
    try:
        stand.act(lambda ctx: ctx.pricing.reserve(held))
    except Refused:
        return []
    return held


def _returned(hold: Hold, *, whole: bool) -> Returned:
    amount = hold.amount + hold.shipping
    return Returned(hold=hold, reference=f"back-{whole}", amount=amount if whole else amount // 2, whole=whole)


def _ready(stand: Stand) -> Stand:
    stand.live(MEMBER)
    baskets.prepare(stand, MEMBER)
    stand.drain()
    return stand


class _Deaf:
    """A checkout that tells some things twice that become of a quote.

    Attributes:
        to: Which.
    """

    to: frozenset[str] = frozenset()

    def platform(self, bench: Bench) -> Platform:
        """The bench's platform with it."""
        plugin = bench.installed
        rules = {name: self._told(rule) for name, rule in plugin.price_rules.items()}
        return bench.altered(replace(plugin, price_rules=rules))

    def _told(self, rule: PriceRule) -> PriceRule:
        return replace(
            rule,
            reserve=self._again("reserve", rule.reserve),
            confirm=self._again("confirm", rule.confirm),
            release=self._again("release", rule.release),
            returned=self._again("returned", rule.returned),
        )

    def _again(self, name: str, handler: Callable[[Any, Any], None] | None) -> Callable[[Any, Any], None] | None:
        if handler is None:
            return None

        def handle(ctx: Any, told: Any) -> None:
            handler(ctx, told)
            if name in self.to:
                handler(ctx, told)

        return handle


COURSES: tuple[tuple[frozenset[str], Callable[[Stand, int], Iterator[Step]]], ...] = (
    (frozenset({"reserve"}), _held),
    (frozenset({"release"}), _released),
    (frozenset({"confirm", "returned"}), _paid),
)
"""What is told twice in which course of events."""
