"""A toy tactic that multiplies what others give: half as much again for each order that a member has paid."""

from fractions import Fraction

from threepeat.sdk import Manifest, Plugin, PluginSettings, fact, hookimpl, multiplier, when
from threepeat.sdk.events import OrderPaid


class Levels(Plugin[PluginSettings]):
    """Keeps each member's steps with their positions, so that it can answer as of any of them."""

    manifest = Manifest(id="levels", kind="tactic", title="Levels", summary="Multiplies.")
    settings_model = PluginSettings
    statement = "as_of"

    @hookimpl
    def reactions(self):
        yield when(OrderPaid, self.step, always=True)

    @hookimpl
    def multipliers(self):
        yield multiplier("earner.stamps", self.factors)

    @hookimpl
    def facts(self):
        title = {"en": "number of steps", "zh": "步数"}
        yield fact("levels.steps", self.steps, kind="number", title=title, default=0)

    @hookimpl
    def merge_members(self, ctx, source, target):
        raise NotImplementedError

    def step(self, ctx, events):
        ctx.sql("step", members=[event.member for event in events], positions=[event.position for event in events])

    def factors(self, ctx, moments):
        rows = ctx.sql(
            self.statement,
            members=[moment.member for moment in moments],
            positions=[moment.position for moment in moments],
        )
        return [Fraction(2 + row.steps, 2) for row in rows]

    def steps(self, ctx, members):
        return {row.member_id: row.steps for row in ctx.sql("steps", members=sorted(members))}
