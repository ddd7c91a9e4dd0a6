"""Binds the parts together: this is what the entry point names."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, time
from typing import Any

from pydantic import BaseModel, Field

from threepeat.sdk import (
    Context,
    Fact,
    Funnel,
    Manifest,
    MessageKind,
    Metric,
    Outbound,
    Period,
    Plugin,
    Reaction,
    Route,
    Schedule,
    _,
    fact,
    get,
    hookimpl,
    message_kind,
    metric,
    ngettext,
    outbound,
    schedule,
    when,
)
from threepeat.sdk.events import Event, OrderPaid, OrderRefunded
from threepeat_weatherpack import offers
from threepeat_weatherpack.events import PackOffered
from threepeat_weatherpack.settings import WeatherpackSettings
from threepeat_weatherpack.source import fetch

Ctx = Context[WeatherpackSettings]


class Offered(BaseModel):
    """The pack, if it is offered to the member now."""

    pack: str = Field(title=_("Name of the pack"))
    sku: str = Field(title=_("SKU of the pack"))
    until: datetime | None = Field(title=_("Until"), description="Null if nothing is offered.")


class Weatherpack(Plugin[WeatherpackSettings]):
    """Offers the stay-home pack before a storm."""

    manifest = Manifest(
        id="weatherpack",
        kind="tactic",
        title=_("Weather pack"),
        summary=_("Before a storm, members who shop for their weekends are offered the stay-home pack."),
    )
    settings_model = WeatherpackSettings

    @hookimpl
    def events(self) -> Iterable[type[Event]]:
        """Who was offered the pack."""
        yield PackOffered

    @hookimpl
    def reactions(self) -> Iterable[Reaction]:
        """Orders of weekends; orders and refunds of the pack, also while it is switched off."""
        yield when(OrderPaid, offers.note)
        yield when(OrderPaid, offers.bought, always=True)
        yield when(OrderRefunded, offers.refunded, always=True, unread={"lines"})

    @hookimpl
    def schedules(self) -> Iterable[Schedule]:
        """The source is asked twice a day."""
        yield schedule("morning", offers.ask, at=time(7))
        yield schedule("evening", offers.ask, at=time(17))

    @hookimpl
    def outbounds(self) -> Iterable[Outbound]:
        """The source."""
        yield outbound("forecast", perform=fetch, done=offers.offer)

    @hookimpl
    def message_kinds(self) -> Iterable[MessageKind]:
        """The offer."""
        yield message_kind(
            "offer",
            title=_("A storm is coming"),
            text=_("A storm is coming. {pack}: everything for a few days at home, until {day}."),
            purpose="marketing",
            variables={"pack": _("The name of the pack"), "day": _("The day on which the storm is over")},
        )

    @hookimpl
    def routes(self) -> Iterable[Route]:
        """The offer."""
        yield get("/offer", mine, summary=_("My stay-home pack"))

    @hookimpl
    def facts(self) -> Iterable[Fact]:
        """Who has an offer."""
        title = {"en": "are offered the stay-home pack", "zh": "有宅家包优惠"}
        yield fact("weatherpack.offered", offered, kind="flag", title=title, default=False)

    @hookimpl
    def metrics(self) -> Iterable[Metric]:
        """How many buy what they are offered."""
        yield metric("journey", journey, question=_("How many buy the pack that they are offered?"))

    @hookimpl
    def open_obligations(self, ctx: Context[Any]) -> Iterable[str]:
        """Offers whose storm is not over."""
        count = ctx.sql("outstanding", now=ctx.now)[0].offers
        if count:
            yield ngettext("{n} member is offered the pack", "{n} members are offered the pack", count, n=count)

    @hookimpl
    def merge_members(self, ctx: Context[Any], source: int, target: int) -> None:
        """Two accounts of one person become one."""
        ctx.sql("merge_weekends", source=source, target=target)
        ctx.sql("merge_offers", source=source, target=target)


def mine(ctx: Ctx) -> Offered:
    """What the member is offered now."""
    rows = ctx.sql("mine", member=ctx.member, now=ctx.now)
    return Offered(pack=ctx.settings.pack, sku=ctx.settings.sku, until=rows[0].until if rows else None)


def offered(ctx: Ctx, members: Collection[int]) -> Mapping[int, bool]:
    """Who has an offer."""
    return {row.member_id: True for row in ctx.sql("having", members=sorted(members), now=ctx.now)}


def journey(ctx: Ctx, period: Period) -> Funnel:
    """How many were offered the pack, and how many bought it."""
    row = ctx.sql("journey", since=period.begin, until=period.end)[0]
    return Funnel(((_("Offered"), row.offered), (_("Bought"), row.bought)))


plugin = Weatherpack()
