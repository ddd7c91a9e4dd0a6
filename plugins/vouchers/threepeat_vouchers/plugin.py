"""The vouchers service."""

from collections.abc import Iterable
from typing import Any

from threepeat.sdk import (
    CollectionOf,
    Context,
    Fact,
    Invariant,
    Manifest,
    MessageKind,
    Metric,
    Plugin,
    PriceRule,
    Reaction,
    Reward,
    Route,
    Timer,
    _,
    get,
    hookimpl,
    ngettext,
    post,
    timer,
    when,
)
from threepeat.sdk.events import Event, OrderPaid
from threepeat_vouchers import batches, merging, messages, prices, reactions, routes, templates
from threepeat_vouchers.batches import BATCHES
from threepeat_vouchers.events import VoucherIssued, VoucherReturned, VoucherUsed
from threepeat_vouchers.facts import FACTS
from threepeat_vouchers.metrics import METRICS
from threepeat_vouchers.rewards import REWARD
from threepeat_vouchers.settings import VouchersSettings
from threepeat_vouchers.templates import TEMPLATES


class Vouchers(Plugin[VouchersSettings]):
    """Vouchers that members hold and bearers enter, each for one order at a time."""

    manifest = Manifest(
        id="vouchers",
        kind="service",
        title=_("Vouchers"),
        summary=_("Vouchers for tactics to give, for members to take, and as codes to print or send."),
    )
    settings_model = VouchersSettings

    @hookimpl
    def events(self) -> Iterable[type[Event]]:
        """What it tells others."""
        yield from (VoucherIssued, VoucherUsed, VoucherReturned)

    @hookimpl
    def reactions(self) -> Iterable[Reaction]:
        """What was paid for orders with vouchers."""
        yield when(OrderPaid, reactions.paid, always=True, unread={"lines"})

    @hookimpl
    def timers(self) -> Iterable[Timer]:
        """Codes are made in parts, and vouchers voided."""
        yield timer(batches.MAKE, batches.make)
        yield timer(templates.VOID, templates.go_on_voiding)

    @hookimpl
    def message_kinds(self) -> Iterable[MessageKind]:
        """A voucher that came without a tap of the member's own."""
        return messages.KINDS

    @hookimpl
    def facts(self) -> Iterable[Fact]:
        """How many vouchers a member can use."""
        return FACTS

    @hookimpl
    def rewards(self) -> Iterable[Reward]:
        """Vouchers that others give."""
        yield REWARD

    @hookimpl
    def price_rules(self) -> Iterable[PriceRule]:
        """What vouchers take off."""
        return prices.RULES

    @hookimpl
    def routes(self) -> Iterable[Route]:
        """The wallet, what can be taken, and codes."""
        yield get("/wallet", routes.wallet, summary=_("My vouchers"))
        yield get("/offers", routes.offers, summary=_("Vouchers that I can take"), always=False)
        yield post("/claim", routes.claim, summary=_("Take a voucher"))
        yield post("/codes", routes.enter, summary=_("Enter a code"))

    @hookimpl
    def collections(self) -> Iterable[CollectionOf[Any]]:
        """Templates, and batches of codes."""
        yield TEMPLATES
        yield BATCHES

    @hookimpl
    def metrics(self) -> Iterable[Metric]:
        """Whether vouchers are used, and what they take off."""
        return METRICS

    @hookimpl
    def invariants(self) -> Iterable[Invariant]:
        """Counts are those of the rows."""
        yield Invariant("locks", "No two orders hold a voucher, and each order's vouchers say so.", "verify_locks")
        yield Invariant("totals", "As many are given as counted, never more than the number.", "verify_totals")
        yield Invariant("budgets", "What vouchers take off is counted and within the budget.", "verify_budgets")
        yield Invariant("taking", "A member's count is that of the vouchers taken.", "verify_taking")
        yield Invariant("codes", "A code is one voucher of its own template.", "verify_codes")
        yield Invariant("revoked", "What was taken back cannot be used.", "verify_revoked")

    @hookimpl
    def merge_members(self, ctx: Context[Any], source: int, target: int) -> None:
        """One person has one wallet."""
        merging.merge_members(ctx, source, target)

    @hookimpl
    def open_obligations(self, ctx: Context[Any]) -> Iterable[str]:
        """Vouchers that members may still use."""
        many = ctx.sql("outstanding")[0].vouchers
        if many:
            yield ngettext(
                "{vouchers} voucher that a member holds can still be used",
                "{vouchers} vouchers that members hold can still be used",
                many,
                vouchers=many,
            )


plugin = Vouchers()
