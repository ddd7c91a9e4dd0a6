"""The checkout service."""

from collections.abc import Iterable
from datetime import time
from typing import Any

from threepeat.sdk import (
    Context,
    Invariant,
    Manifest,
    Metric,
    Plugin,
    Provided,
    Reaction,
    Schedule,
    Timer,
    _,
    hookimpl,
    ngettext,
    provide_checkout,
    schedule,
    timer,
    when,
)
from threepeat.sdk.events import Event, OrderCancelled, OrderCreated, OrderPaid, OrderRefunded, RefundRequested
from threepeat_checkout import reactions, tidying
from threepeat_checkout.keeping import TIMER
from threepeat_checkout.metrics import METRICS
from threepeat_checkout.quotes import Quotes
from threepeat_checkout.settings import CheckoutSettings


class Checkout(Plugin[CheckoutSettings]):
    """Prices that stand for a while, what is held for orders, and what comes back of them."""

    manifest = Manifest(
        id="checkout",
        kind="service",
        title=_("Checkout"),
        summary=_("Prices baskets with everything a member has, and holds it until the order is paid."),
        holdout="none",
    )
    settings_model = CheckoutSettings

    @hookimpl
    def events(self) -> Iterable[type[Event]]:
        """What it asks the shop for."""
        yield RefundRequested

    @hookimpl
    def reactions(self) -> Iterable[Reaction]:
        """What becomes of orders; what was quoted is honoured also while it closes."""
        yield when(OrderCreated, reactions.created, always=True, unread={"lines"})
        yield when(OrderPaid, reactions.paid, always=True, unread={"lines"})
        yield when(OrderCancelled, reactions.cancelled, always=True)
        yield when(OrderRefunded, reactions.refunded, always=True)

    @hookimpl
    def timers(self) -> Iterable[Timer]:
        """The end of what is held, and sweeping that takes longer."""
        yield timer(TIMER, tidying.release)
        yield timer(tidying.SWEEP, tidying.go_on)

    @hookimpl
    def schedules(self) -> Iterable[Schedule]:
        """Quotes that nobody wanted go at night."""
        yield schedule("nightly", tidying.nightly, at=time(4), always=True)

    @hookimpl
    def provides(self) -> Iterable[Provided]:
        """The checkout that `/v1/quotes` asks."""
        yield provide_checkout(Quotes)

    @hookimpl
    def metrics(self) -> Iterable[Metric]:
        """Whether prices lead to orders."""
        return METRICS

    @hookimpl
    def invariants(self) -> Iterable[Invariant]:
        """Prices, payments and returns fit together."""
        yield Invariant("held", "What a held or paid price fell by is what its reductions took.", "verify_held")
        yield Invariant("paid", "A price is paid by one order, an order pays one price.", "verify_paid")
        yield Invariant("returned", "No more of a reduction comes back than it took.", "verify_returned")

    @hookimpl
    def open_obligations(self, ctx: Context[Any]) -> Iterable[str]:
        """Orders that something is held for."""
        orders = ctx.sql("outstanding")[0].orders
        if orders:
            yield ngettext(
                "{n} order that is not paid yet is held for a member",
                "{n} orders that are not paid yet are held for members",
                orders,
                n=orders,
            )

    @hookimpl
    def merge_members(self, ctx: Context[Any], source: int, target: int) -> None:
        """One person's quotes."""
        ctx.sql("merge", source=source, target=target)

    @hookimpl
    def erase_member(self, ctx: Context[Any], member: int) -> None:
        """Let go of what is held, so that others can have it."""
        tidying.release_all_of(ctx, member)


plugin = Checkout()
