"""What members are about to buy in a store with the plugin, and what a checkout makes of it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from threepeat.sdk.pricing import Basket, Hold, Quote
from threepeat.testing.conformance.bench import Stand
from threepeat.testing.conformance.project import FILE, ProjectError

PLAIN: Mapping[str, Any] = {"lines": ({"sku": "tea", "quantity": 2, "unit_price": 5000},), "shipping": 800}
HELD_FOR = timedelta(minutes=15)


def wanted(stand: Stand) -> list[Basket]:
    """A plain basket, and those of the project.

    Raises:
        ProjectError: What the project says is no basket.
    """
    return [basket(stand, one) for one in (PLAIN, *stand.bench.project.baskets)]


def basket(stand: Stand, said: Mapping[str, Any], choice: Any = None) -> Basket:
    """A basket as the project writes it.

    Args:
        stand: The store; items of its collections stand in for their names.
        said: Lines, shipping and choice.
        choice: Chosen of the plugin instead of what the project says.

    Raises:
        ProjectError: It is none.
    """
    if unknown := said.keys() - {"lines", "shipping", "choice", "asks"}:
        raise ProjectError(f"baskets of {FILE} have no use for {', '.join(sorted(unknown))}")
    lines = [{"id": str(number), **one} for number, one in enumerate(said.get("lines", ()), 1)]
    chosen = stand.filled(said.get("choice")) if choice is None else choice
    choices = {} if chosen is None else {stand.bench.installed.id: chosen}
    try:
        return msgspec.convert({"lines": lines, "shipping": said.get("shipping", 0), "choices": choices}, Basket)
    except msgspec.ValidationError as error:
        raise ProjectError(f"baskets of {FILE}: {error}") from None


def prepare(stand: Stand, member: str) -> None:
    """Let a member's phone ask for what the project's baskets need, such as a voucher that is bought with.

    Raises:
        ProjectError: Something is refused, or not answered as the project says.
    """
    for one in stand.bench.project.baskets:
        for asks in one.get("asks", ()):
            method = "POST" if "post" in asks else "GET"
            path = f"/v1/me/{stand.bench.installed.id}{stand.filled(asks.get('post') or asks.get('get'))}"
            answer = stand.call(method, path, stand.filled(asks.get("body")), token=stand.token(member))
            if not answer.is_success:
                raise ProjectError(
                    f"baskets of {FILE}: {method} {path} is answered {answer.status_code}: {answer.text}"
                )
            for name, place in asks.get("keep", {}).items():
                stand.made[name] = _at(answer.json(), place)


def _at(value: Any, place: str) -> str:
    """A part of an answer, such as `series.0.version`."""
    for step in place.split("."):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (LookupError, ValueError, TypeError):
            raise ProjectError(f"baskets of {FILE}: the answer has no {place}") from None
    return str(value)


def quote(stand: Stand, member: str, wants: Basket) -> Quote:
    """What a basket comes to for a member."""
    number = stand.member(member)
    made: Quote = stand.act(lambda ctx: ctx.pricing.quote(number, wants))
    return made


def holds(stand: Stand, member: str, made: Quote, reservation: str) -> list[Hold]:
    """What the plugin holds for a quote."""
    until = datetime.now(UTC) + HELD_FOR
    return [
        Hold(
            reservation=reservation,
            plugin=one.plugin,
            rule=one.rule,
            key=one.key,
            member=stand.member(member),
            amount=one.amount,
            shares=one.shares,
            shipping=one.shipping,
            data=one.data,
            until=until,
            prices=made.lines,
            total=made.total,
        )
        for one in made.applied
        if one.held and one.plugin == stand.bench.installed.id
    ]


def paid(held: list[Hold]) -> list[Hold]:
    """The same once the order is paid."""
    return [msgspec.structs.replace(one, until=None, order_id=f"order-{one.reservation}") for one in held]


def taken_off(stand: Stand, made: Quote) -> Iterator[tuple[str, int, int]]:
    """What the plugin takes off: its rule, off the goods, off delivery."""
    for one in made.applied:
        if one.plugin == stand.bench.installed.id:
            yield one.rule, one.amount, one.shipping
