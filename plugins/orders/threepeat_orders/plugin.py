"""The orders service."""

from collections.abc import Iterable
from typing import Any

from threepeat.sdk import (
    Context,
    Fact,
    Invariant,
    Manifest,
    Metric,
    Plugin,
    Provided,
    Reaction,
    _,
    hookimpl,
    provide_orders,
    when,
)
from threepeat.sdk.events import OrderPaid, OrderRefunded
from threepeat_orders import merging, reactions
from threepeat_orders.facts import FACTS
from threepeat_orders.metrics import METRICS
from threepeat_orders.readmodel import OrdersReadModel
from threepeat_orders.settings import OrdersSettings


class OrdersPlugin(Plugin[OrdersSettings]):
    """What members bought: orders, lines, refunds, and a summary per buyer."""

    manifest = Manifest(
        id="orders",
        kind="service",
        title=_("Orders"),
        summary=_("Keeps what members bought, so that tactics can ask for it."),
    )
    settings_model = OrdersSettings

    @hookimpl
    def reactions(self) -> Iterable[Reaction]:
        """Payments and refunds."""
        yield when(OrderPaid, reactions.paid, always=True, unread={"lines"})
        yield when(OrderRefunded, reactions.refunded, always=True, unread={"lines"})

    @hookimpl
    def facts(self) -> Iterable[Fact]:
        """How much, how often and how lately a member bought."""
        return FACTS

    @hookimpl
    def provides(self) -> Iterable[Provided]:
        """`ctx.orders` for every tactic."""
        yield provide_orders(OrdersReadModel)

    @hookimpl
    def merge_members(self, ctx: Context[Any], source: int, target: int) -> None:
        """One person's orders are one buyer's."""
        merging.merge_members(ctx, source, target)

    @hookimpl
    def metrics(self) -> Iterable[Metric]:
        """What comes in, and who comes back."""
        return METRICS

    @hookimpl
    def invariants(self) -> Iterable[Invariant]:
        """Sums agree with what they sum."""
        yield Invariant(
            "buyers", "A buyer's summary is the sum of the buyer's orders and refunds.", "verify_buyers"
        )
        yield Invariant("refunded", "An order's refunded sum is the sum of its refunds.", "verify_refunded")


plugin = OrdersPlugin()
