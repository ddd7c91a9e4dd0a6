"""A toy tactic that declares one of everything."""

from datetime import time
from fractions import Fraction
from typing import ClassVar

from pydantic import Field

from threepeat.sdk import (
    Grant,
    Invariant,
    Manifest,
    Plugin,
    PluginSettings,
    Refused,
    fact,
    get,
    hookimpl,
    multiplier,
    outbound,
    post,
    reward,
    schedule,
    timer,
    when,
)
from threepeat.sdk.events import PLUGIN, AppointmentAttended, Event, VisitMade

TITLE = {"en": "stamps", "zh": "印花"}


class SamplerTold(Event, frozen=True, kw_only=True):
    """A hook was called."""

    type: ClassVar[str] = "sampler.told"
    senders: ClassVar = PLUGIN
    about_member: ClassVar[bool] = False
    hook: str


class SamplerSettings(PluginSettings):
    """How much a visit is worth."""

    rate: int = Field(default=1, ge=1, le=100)


class Sampler(Plugin[SamplerSettings]):
    """Keeps stamps: one for a visit, more if others give them."""

    manifest = Manifest(
        id="sampler", kind="tactic", title="Sampler", summary="One of everything.", requires=("ground",)
    )
    settings_model = SamplerSettings

    @hookimpl
    def events(self):
        yield SamplerTold

    @hookimpl
    def reactions(self):
        yield when(VisitMade, self.visited)
        yield when(AppointmentAttended, self.attended, always=True)

    @hookimpl
    def timers(self):
        yield timer("prize", self.prizes)

    @hookimpl
    def schedules(self):
        yield schedule("weekly", self.nothing, at=time(9), weekday=0)
        yield schedule("daily", self.nothing, always=True)

    @hookimpl
    def outbounds(self):
        yield outbound("tell", perform=lambda _settings, call: call.key)

    @hookimpl
    def facts(self):
        yield fact("sampler.stamps", self.balance, kind="number", title=TITLE, default=0)

    @hookimpl
    def multipliers(self):
        yield multiplier("patron", lambda _, moments: [Fraction(2)] * len(moments))

    @hookimpl
    def rewards(self):
        yield reward(
            "sampler",
            title=TITLE,
            grant=self.grant,
            revoke=self.revoke,
            balance=self.balance,
            spend=self.spend,
            cost=lambda _, amount: amount,
        )

    @hookimpl
    def routes(self):
        yield get("/stamps", self.stamps, summary="My stamps")
        yield get("/chances", self.stamps, summary="What I could win", always=False)
        yield post("/join", self.stamps, summary="Join")
        yield post("/claim", self.stamps, summary="Claim what is mine", always=True)

    @hookimpl
    def invariants(self):
        yield Invariant("purses", "A purse holds what came in less what went out.", "verify_purses")

    @hookimpl
    def on_enabled(self, ctx):
        ctx.emit(SamplerTold(hook="on_enabled"), member=None)

    @hookimpl
    def on_closing(self, ctx):
        ctx.emit(SamplerTold(hook="on_closing"), member=None)

    @hookimpl
    def open_obligations(self, ctx):
        held = ctx.sql("held_by_all")[0].held
        return [f"{held} stamps"] if held else []

    @hookimpl
    def on_disabled(self, ctx):
        ctx.emit(SamplerTold(hook="on_disabled"), member=None)

    @hookimpl
    def merge_members(self, ctx, source, target):
        ctx.sql("merge", source=source, target=target)

    @hookimpl
    def export_member(self, ctx, member):
        return {"stamps": self.balance(ctx, [member]).get(member, 0)}

    @hookimpl
    def erase_member(self, ctx, member):
        """There is nothing outside of the tables."""

    def visited(self, ctx, events):
        for event in events:
            ctx.call("tell", f"visit-{event.id}", {}, member=event.member)
        lines = [(f"visit:{event.id}", event.member, ctx.settings.rate) for event in events]
        self._add(ctx, lines)

    def attended(self, ctx, events):
        """It only has to be told."""

    def prizes(self, ctx, due):
        ctx.grant("patron", [Grant(one.member, 1, "prize", one) for one in due])

    def nothing(self, ctx, occurrence):
        """It only has to be told."""

    def stamps(self, ctx) -> int:
        return self.balance(ctx, [ctx.member]).get(ctx.member, 0)

    def grant(self, ctx, granted):
        self._add(ctx, [(f"grant:{one.key}", one.grant.member, one.grant.amount) for one in granted])

    def revoke(self, ctx, revoked):
        self._add(ctx, [(f"back:{one.key}", one.member, -one.amount) for one in revoked])

    def balance(self, ctx, members):
        return {row.member_id: row.held for row in ctx.sql("held", members=sorted(members))}

    def spend(self, ctx, spends):
        lines = [(f"spend:{one.reference}", one.member, -one.amount) for one in spends]
        if any(row.held < 0 for row in self._add(ctx, lines)):
            raise Refused("too few stamps", code="not-enough")

    def _add(self, ctx, lines):
        """Write lines that are not there yet and add them to the purses; returns what the purses hold."""
        references, members, amounts = (list(column) for column in zip(*lines, strict=True))
        return ctx.sql("add", references=references, members=members, amounts=amounts)
