"""The group buy tactic."""

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
    Route,
    Schedule,
    Timer,
    _,
    get,
    hookimpl,
    ngettext,
    post,
    schedule,
    timer,
    when,
)
from threepeat.sdk.events import Event, OrderPaid, OrderRefunded, RefundFailed, RefundRequested
from threepeat_groupbuy import campaigns, ending, merging, notices, prices, reactions, refunds, routes, tidying
from threepeat_groupbuy.events import GroupFailed, GroupJoined, GroupOpened, GroupSucceeded
from threepeat_groupbuy.facts import FACTS
from threepeat_groupbuy.groups import GROUPS
from threepeat_groupbuy.metrics import METRICS
from threepeat_groupbuy.settings import GroupbuySettings


class Groupbuy(Plugin[GroupbuySettings]):
    """A lower price for those who find each other in time, and the money back for those who do not."""

    manifest = Manifest(
        id="groupbuy",
        kind="tactic",
        title=_("Group buy"),
        summary=_("Members buy together at a lower price; groups that do not fill in time are refunded."),
        requires=("orders", "checkout"),
        holdout="none",
    )
    settings_model = GroupbuySettings

    @hookimpl
    def events(self) -> Iterable[type[Event]]:
        """What it tells others, and what it asks the shop for."""
        yield from (GroupOpened, GroupJoined, GroupSucceeded, GroupFailed, RefundRequested)

    @hookimpl
    def message_kinds(self) -> Iterable[MessageKind]:
        """What members are told of their groups."""
        return notices.KINDS

    @hookimpl
    def reactions(self) -> Iterable[Reaction]:
        """What was paid, and what was paid back."""
        yield when(OrderPaid, reactions.paid, always=True, unread={"lines"})
        yield when(OrderRefunded, reactions.refunded, always=True)
        yield when(RefundFailed, reactions.refund_failed, always=True)

    @hookimpl
    def timers(self) -> Iterable[Timer]:
        """The ends of groups and of campaigns that take them along, and refunds that nobody answers."""
        yield timer(ending.EXPIRE, ending.expire)
        yield timer(campaigns.END, ending.end_with_campaign)
        yield timer(refunds.ASK, refunds.go_on)
        yield timer(tidying.SWEEP, tidying.go_on)

    @hookimpl
    def schedules(self) -> Iterable[Schedule]:
        """Seats that nobody paid for go at night."""
        yield schedule("nightly", tidying.nightly, at=time(4), always=True)

    @hookimpl
    def price_rules(self) -> Iterable[PriceRule]:
        """The group price. Open groups can be joined while the tactic closes: it fulfils what was paid for."""
        return prices.RULES

    @hookimpl
    def routes(self) -> Iterable[Route]:
        """Campaigns, groups, and the member's own."""
        yield get("/campaigns", routes.campaigns, summary=_("Group buys"))
        yield get("/groups", routes.groups, summary=_("Groups that I can join"))
        yield get("/groups/{group}", routes.group, summary=_("One group"))
        yield get("/mine", routes.mine, summary=_("My groups"))
        yield post("/groups/{group}/leave", routes.leave, summary=_("Leave a group"), always=True)

    @hookimpl
    def collections(self) -> Iterable[CollectionOf[Any]]:
        """Campaigns, their groups, and money that goes back."""
        yield campaigns.CAMPAIGNS
        yield GROUPS
        yield refunds.REFUNDS

    @hookimpl
    def facts(self) -> Iterable[Fact]:
        """How many groups of a member succeeded."""
        return FACTS

    @hookimpl
    def metrics(self) -> Iterable[Metric]:
        """Whether groups fill, and what they bring."""
        return METRICS

    @hookimpl
    def invariants(self) -> Iterable[Invariant]:
        """No group holds too many, none is stuck, and nobody's money is forgotten."""
        yield Invariant(
            "seats", "A group's counts are those of its seats, never more than it holds.", "verify_seats"
        )
        yield Invariant("states", "Paid seats stand as their group does.", "verify_states")
        yield Invariant(
            "complete", "A group succeeds with enough seats, and at least two real ones.", "verify_complete"
        )
        yield Invariant("in_time", "No group is open long after its time.", "verify_in_time")
        yield Invariant("refunds", "Of a paid seat without a group the money is asked back.", "verify_refunds")
        yield Invariant("heads", "One member leads an open group.", "verify_heads")
        yield Invariant("answers", "A refund is done once its money came back.", "verify_answers")

    @hookimpl
    def merge_members(self, ctx: Context[Any], source: int, target: int) -> None:
        """One person's seats."""
        merging.merge_members(ctx, source, target)

    @hookimpl
    def erase_member(self, ctx: Context[Any], member: int) -> None:
        """Others lead the member's groups; everything else of an erasure the catalogue knows."""
        ending.hand_over(ctx, member)

    @hookimpl
    def open_obligations(self, ctx: Context[Any]) -> Iterable[str]:
        """Groups that may still fill, seats that may still be paid, and money that is on its way back."""
        row = ctx.sql("outstanding")[0]
        if row.groups:
            yield ngettext(
                "{n} group is open: it fills, or is refunded when its time is over",
                "{n} groups are open: they fill, or are refunded when their time is over",
                row.groups,
                n=row.groups,
            )
        if row.seats:
            yield ngettext(
                "{n} seat is held for an order that is not paid yet",
                "{n} seats are held for orders that are not paid yet",
                row.seats,
                n=row.seats,
            )
        if row.refunds:
            yield ngettext(
                "{n} refund was asked for and is not answered",
                "{n} refunds were asked for and are not answered",
                row.refunds,
                n=row.refunds,
            )


plugin = Groupbuy()
