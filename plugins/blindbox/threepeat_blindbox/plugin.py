"""The blind box tactic."""

from collections.abc import Iterable
from datetime import time
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
    Schedule,
    Timer,
    _,
    get,
    hookimpl,
    message_kind,
    ngettext,
    post,
    schedule,
    timer,
    when,
)
from threepeat.sdk.events import Event, OrderPaid, OrderRefunded, RefundFailed, RefundRequested
from threepeat_blindbox import intake, merging, prices, refunds, routes
from threepeat_blindbox.chances import CHANCES, REWARD
from threepeat_blindbox.events import BoxOpened, SeriesClosed
from threepeat_blindbox.metrics import METRICS
from threepeat_blindbox.series import SERIES
from threepeat_blindbox.settings import BlindboxSettings


class Blindbox(Plugin[BlindboxSettings]):
    """Boxes whose odds are those of the pool that draws, with evidence that anyone can check."""

    manifest = Manifest(
        id="blindbox",
        kind="tactic",
        title=_("Blind boxes"),
        summary=_("Series of surprise boxes with published odds, a guarantee, and draws that anybody can check."),
        requires=("checkout",),
        holdout="member",
    )
    settings_model = BlindboxSettings

    @hookimpl
    def events(self) -> Iterable[type[Event]]:
        """What it tells others."""
        yield from (BoxOpened, SeriesClosed, RefundRequested)

    @hookimpl
    def message_kinds(self) -> Iterable[MessageKind]:
        """What members are told."""
        yield message_kind(
            "opened",
            title=_("A box was opened"),
            text=_("Your box of {series} holds: {item}."),
            variables={"series": _("The series"), "item": _("What was in it")},
        )
        yield message_kind(
            "opened_several",
            title=_("Boxes were opened"),
            text=_("Your {n} boxes of {series} are open: see what is in them."),
            variables={"series": _("The series"), "n": _("How many")},
        )
        yield message_kind(
            "paid_back",
            title=_("A box is paid back"),
            text=_("A box that you paid for was not drawn. {amount} will be paid back."),
            variables={"amount": _("How much is paid back")},
        )

    @hookimpl
    def reactions(self) -> Iterable[Reaction]:
        """What was paid for is drawn, and what comes back is taken back, whoever it is and also while closing."""
        yield when(OrderPaid, intake.paid, always=True)
        yield when(OrderRefunded, refunds.refunded, always=True)
        yield when(RefundFailed, refunds.failed, always=True)

    @hookimpl
    def timers(self) -> Iterable[Timer]:
        """The end of boxes that nobody opens."""
        yield timer(intake.UNOPENED, refunds.expired)

    @hookimpl
    def schedules(self) -> Iterable[Schedule]:
        """Money that is owed is asked for each day, and what nobody needs any more goes."""
        yield schedule("ask_again", refunds.ask_again, at=time(6), always=True)
        yield schedule("tidy", intake.tidy, at=time(4), always=True)

    @hookimpl
    def facts(self) -> Iterable[Fact]:
        """How often a member can draw."""
        yield CHANCES

    @hookimpl
    def rewards(self) -> Iterable[Reward]:
        """Chances to draw that others give."""
        yield REWARD

    @hookimpl
    def price_rules(self) -> Iterable[PriceRule]:
        """What is held for orders with boxes."""
        return prices.RULES

    @hookimpl
    def routes(self) -> Iterable[Route]:
        """Series, boxes, chances and evidence. What was paid for or won can be opened at any time."""
        yield get("/series", routes.shelf, summary=_("Series on sale, with their odds"), always=False)
        yield post("/age", routes.declare, summary=_("Confirm my age"), always=True)
        yield post("/nonces", routes.give_nonce, summary=_("Give a random number for an order"), always=True)
        yield get("/boxes", routes.boxes, summary=_("My boxes"))
        yield post("/boxes/open", routes.open_box, summary=_("Open a box"), always=True)
        yield post("/boxes/decline", routes.decline, summary=_("Give up a box for its price"), always=True)
        yield get("/chances", routes.chances, summary=_("My chances to draw"))
        yield post("/chances/use", routes.use_chance, summary=_("Draw for a chance"), always=True)
        yield get("/evidence/{series}", routes.evidence, summary=_("Evidence of a closed series"))
        yield get("/verifier", routes.verifier, summary=_("Programs that check evidence"))

    @hookimpl
    def collections(self) -> Iterable[CollectionOf[Any]]:
        """Series."""
        yield SERIES

    @hookimpl
    def metrics(self) -> Iterable[Metric]:
        """Whether what comes is what was published, and who comes back."""
        return METRICS

    @hookimpl
    def invariants(self) -> Iterable[Invariant]:
        """What draws leave behind fits together."""
        yield Invariant("draws", "Draws have numbers without a gap, each from the pool on sale.", "verify_draws")
        yield Invariant("chain", "Each receipt holds the one before it, and is what was stored.", "verify_chain")
        yield Invariant("stock", "What is left of an item is what was put in less what was drawn.", "verify_stock")
        yield Invariant("places", "Held are the boxes of orders and those that wait.", "verify_places")
        yield Invariant("misses", "A buyer's misses are the draws since the last hit.", "verify_misses")
        yield Invariant(
            "seed", "A seed is committed to before the first draw, revealed at the end.", "verify_seed"
        )
        yield Invariant("limits", "A day's count is that of the boxes, within the limits.", "verify_limits")
        yield Invariant("boxes", "An opened box has one draw, and a draw one box.", "verify_boxes")

    @hookimpl
    def open_obligations(self, ctx: Context[Any]) -> Iterable[str]:
        """Boxes, chances and money that members wait for."""
        (row,) = ctx.sql("outstanding")
        if row.held:
            yield ngettext(
                "{n} box is held for an unpaid order", "{n} boxes are held for unpaid orders", row.held, n=row.held
            )
        if row.waiting:
            yield ngettext(
                "{n} box that was paid for is not opened",
                "{n} boxes that were paid for are not opened",
                row.waiting,
                n=row.waiting,
            )
        if row.chances:
            yield ngettext(
                "{n} chance to draw can still be used",
                "{n} chances to draw can still be used",
                row.chances,
                n=row.chances,
            )
        if row.owed:
            yield ngettext(
                "{n} order waits to be paid back", "{n} orders wait to be paid back", row.owed, n=row.owed
            )

    @hookimpl
    def merge_members(self, ctx: Context[Any], source: int, target: int) -> None:
        """One person's boxes."""
        merging.merge_members(ctx, source, target)

    @hookimpl
    def erase_member(self, ctx: Context[Any], member: int) -> None:
        """Let go of what waits, so that others can have it and the series can end; its money is asked back."""
        refunds.give_up(ctx, member)


plugin = Blindbox()
