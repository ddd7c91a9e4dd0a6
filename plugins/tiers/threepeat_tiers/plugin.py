"""The tiers of members."""

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
    Multiplier,
    Plugin,
    PriceRule,
    Reaction,
    Route,
    Schedule,
    Timer,
    _,
    get,
    hookimpl,
    multiplier,
    ngettext,
    post,
    schedule,
    timer,
    when,
)
from threepeat.sdk.events import (
    AccountFollowed,
    AppointmentAttended,
    CodeScanned,
    ContentViewed,
    Event,
    FeedbackSubmitted,
    MemberRegistered,
    OrderPaid,
    OrderRefunded,
    ProductFavorited,
    ReviewSubmitted,
    ServiceProgressed,
    SessionStarted,
    VisitMade,
)
from threepeat_tiers import (
    benefits,
    catalogue,
    floors,
    gifts,
    learning,
    merging,
    messages,
    reactions,
    reviews,
    routes,
    versions,
)
from threepeat_tiers.events import TierAtRisk, TierChanged
from threepeat_tiers.facts import FACTS
from threepeat_tiers.grants import GRANTS
from threepeat_tiers.metrics import METRICS
from threepeat_tiers.settings import TiersSettings


class Tiers(Plugin[TiersSettings]):
    """Tiers by growth or by ranking: up at once, down only at a review, with benefits for each."""

    manifest = Manifest(
        id="tiers",
        kind="tactic",
        title=_("Member tiers"),
        summary=_("Members rise by what they buy and do, and see what keeps their tier."),
    )
    settings_model = TiersSettings

    @hookimpl
    def events(self) -> Iterable[type[Event]]:
        """What it tells others."""
        yield TierChanged
        yield TierAtRisk

    @hookimpl
    def reactions(self) -> Iterable[Reaction]:
        """Growth is noted of everybody and at all times; only who takes part in a tactic that is on rises."""
        yield when(MemberRegistered, reactions.registered, always=True)
        yield when(OrderPaid, reactions.paid, always=True, unread={"lines"})
        yield when(OrderRefunded, reactions.refunded, always=True)
        yield when(VisitMade, reactions.taking_part(VisitMade.type), always=True)
        yield when(AppointmentAttended, reactions.taking_part(AppointmentAttended.type), always=True)
        yield when(ServiceProgressed, reactions.taking_part(ServiceProgressed.type), always=True)
        yield when(ReviewSubmitted, reactions.taking_part(ReviewSubmitted.type), always=True, unread={"text"})
        yield when(FeedbackSubmitted, reactions.taking_part(FeedbackSubmitted.type), always=True)
        yield when(ContentViewed, reactions.taking_part(ContentViewed.type), always=True)
        yield when(CodeScanned, reactions.taking_part(CodeScanned.type), always=True)
        yield when(AccountFollowed, reactions.taking_part(AccountFollowed.type), always=True)
        yield when(ProductFavorited, reactions.taking_part(ProductFavorited.type), always=True)
        yield when(SessionStarted, reactions.taking_part(SessionStarted.type), always=True)

    @hookimpl
    def schedules(self) -> Iterable[Schedule]:
        """Reviews before the day begins, so that late events of the night still count."""
        yield schedule("review", reviews.begin, at=time(4))
        yield schedule("birthday", gifts.celebrate, at=time(9))
        yield schedule("settle", gifts.settle, at=time(5), always=True)

    @hookimpl
    def timers(self) -> Iterable[Timer]:
        """Long work goes on a stretch at a time; floors are looked at when they begin and end."""
        yield timer(reviews.REVIEW, reviews.go_on)
        yield timer(versions.RULES_CHANGED, reviews.rules_changed)
        yield timer(gifts.BIRTHDAYS, gifts.go_on)
        yield timer(gifts.SETTLE, gifts.settle_on)
        yield timer(floors.FLOOR, floors.looked)
        yield timer(merging.LOOK, merging.looked)
        yield timer(learning.LEARN, learning.learn)

    @hookimpl
    def message_kinds(self) -> Iterable[MessageKind]:
        """Where members stand, and what keeps them there."""
        return messages.KINDS

    @hookimpl
    def facts(self) -> Iterable[Fact]:
        """Tier, level, growth and early access."""
        return FACTS

    @hookimpl
    def multipliers(self) -> Iterable[Multiplier]:
        """The factor of the tier on points."""
        yield multiplier("points", benefits.factors)

    @hookimpl
    def price_rules(self) -> Iterable[PriceRule]:
        """Member price, a discount on top, free shipping."""
        return benefits.PRICE_RULES

    @hookimpl
    def routes(self) -> Iterable[Route]:
        """My tier and its history; the birthday."""
        yield get("/tier", routes.my_tier, summary=_("My tier"))
        yield get("/history", routes.history, summary=_("How my tier changed"))
        yield post("/birthday", routes.tell_birthday, summary=_("Tell my birthday"))

    @hookimpl
    def collections(self) -> Iterable[CollectionOf[Any]]:
        """The tiers, and those that are granted to single members."""
        yield catalogue.TIERS
        yield GRANTS

    @hookimpl
    def metrics(self) -> Iterable[Metric]:
        """Who stands where, who moves, who is about to fall."""
        return METRICS

    @hookimpl
    def invariants(self) -> Iterable[Invariant]:
        """Where members stand follows from what is written."""
        yield Invariant("level", "A member's tier is the highest of earned, bought and granted.", "verify_level")
        yield Invariant("trail", "The last change of a member says where the member stands.", "verify_trail")
        yield Invariant("growth", "The growth of a day is the sum of what brought it.", "verify_growth")
        yield Invariant("orders", "An order's growth is what its refunds leave.", "verify_orders")
        yield Invariant("gifts", "No reward stands under two gifts.", "verify_gifts")

    @hookimpl
    def on_enabled(self, ctx: Context[Any]) -> None:
        """Begin with three tiers, and learn what members have done before."""
        learning.begin(ctx)
        catalogue.begin(ctx)
        versions.in_force(ctx)

    @hookimpl
    def on_closing(self, ctx: Context[Any]) -> None:
        """From here on nobody rises and nothing is given on entering."""
        ctx.sql("closing")

    @hookimpl
    def open_obligations(self, ctx: Context[Any]) -> Iterable[str]:
        """Tiers that were paid for, and rewards that are owed."""
        row = ctx.sql("outstanding")[0]
        if row.floors:
            yield ngettext("{n} bought tier still runs", "{n} bought tiers still run", row.floors, n=row.floors)
        if row.gifts:
            yield ngettext(
                "{n} promised reward could not be given yet",
                "{n} promised rewards could not be given yet",
                row.gifts,
                n=row.gifts,
            )

    @hookimpl
    def merge_members(self, ctx: Context[Any], source: int, target: int) -> None:
        """One person stands in one tier."""
        merging.merge_members(ctx, source, target)


plugin = Tiers()
