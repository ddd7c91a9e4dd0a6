"""Binds the parts together: this is what the entry point names."""

from collections.abc import Collection, Iterable, Mapping
from datetime import time
from typing import Any

from threepeat.sdk import (
    Context,
    Fact,
    Manifest,
    Metric,
    Period,
    Plugin,
    Route,
    Schedule,
    Series,
    _,
    fact,
    get,
    hookimpl,
    metric,
    post,
    schedule,
)
from threepeat.sdk.events import Event
from threepeat_birthday import routes
from threepeat_birthday.events import Celebrated
from threepeat_birthday.presents import celebrate
from threepeat_birthday.settings import BirthdaySettings

Ctx = Context[BirthdaySettings]


class BirthdayPlugin(Plugin[BirthdaySettings]):
    """A present on the member's birthday, once a year."""

    manifest = Manifest(
        id="birthday",
        kind="tactic",
        title=_("Birthday present"),
        summary=_("Members tell their birthday and get a present on it."),
    )
    settings_model = BirthdaySettings

    @hookimpl
    def events(self) -> Iterable[type[Event]]:
        """Who celebrated."""
        yield Celebrated

    @hookimpl
    def schedules(self) -> Iterable[Schedule]:
        """Presents come at nine in the morning, by the store's clock."""
        yield schedule("celebrate", celebrate, at=time(9))

    @hookimpl
    def routes(self) -> Iterable[Route]:
        """The member's birthday."""
        yield get("/date", routes.mine, summary=_("My birthday"))
        yield post("/date", routes.tell, summary=_("Tell my birthday"))

    @hookimpl
    def facts(self) -> Iterable[Fact]:
        """Whose birthday is this month."""
        title = {"en": "have their birthday this month", "zh": "本月生日"}
        yield fact("birthday.this_month", this_month, kind="flag", title=title, default=False)

    @hookimpl
    def metrics(self) -> Iterable[Metric]:
        """How many presents were given."""
        yield metric("presents", presents, question=_("How many presents are given each day?"))

    @hookimpl
    def merge_members(self, ctx: Context[Any], source: int, target: int) -> None:
        """Two accounts of one person become one."""
        ctx.sql("merge_dates", source=source, target=target)
        ctx.sql("merge_presents", source=source, target=target)


def this_month(ctx: Ctx, members: Collection[int]) -> Mapping[int, bool]:
    """Whose birthday is this month."""
    month = ctx.now.astimezone(ctx.tenant.timezone).month
    return {row.member_id: True for row in ctx.sql("born", members=sorted(members), month=month)}


def presents(ctx: Ctx, period: Period) -> Series:
    """Presents of each day."""
    rows = ctx.sql("by_day", first=period.days[0], last=period.days[-1])
    given = {row.given_on: row.presents for row in rows}
    return Series({_("Presents"): period.fill(given)}, kind="bar")


plugin = BirthdayPlugin()
