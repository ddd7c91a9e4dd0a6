"""What a store with the sampler has besides: two services, and tactics that want its slot."""

from pydantic import BaseModel

from threepeat.sdk import (
    AsOf,
    Grant,
    Manifest,
    Plugin,
    PluginError,
    PluginSettings,
    Revocation,
    Spend,
    hookimpl,
    post,
    reward,
)

TITLE = {"en": "thanks", "zh": "感谢"}


class Ground(Plugin[PluginSettings]):
    """What the sampler stands on."""

    manifest = Manifest(id="ground", kind="service", title="Ground", summary="Is stood on.")
    settings_model = PluginSettings


class Rival(Plugin[PluginSettings]):
    """A tactic that does nothing but hold a slot."""

    settings_model = PluginSettings

    def __init__(self, name):
        self.manifest = Manifest(id=name, kind="tactic", title=name, summary="Holds a slot.")


class Ask(BaseModel):
    """What is asked of another plugin.

    Attributes:
        what: A kind of reward, or a fact.
        key: What it is for; to revoke, the key of the grant.
        item: Which one, of a kind of which a store has several.
    """

    what: str
    key: str = ""
    item: str = ""


class Patron(Plugin[PluginSettings]):
    """Gives and asks for what other plugins have, in the transaction of a member's command.

    A plugin's mistake, such as asking for what nobody keeps, is the answer `error`.
    """

    manifest = Manifest(id="patron", kind="service", title="Patron", summary="Gives and asks.")
    settings_model = PluginSettings

    @hookimpl
    def rewards(self):
        yield reward(
            "patron",
            title=TITLE,
            grant=lambda *_: None,
            revoke=lambda *_: None,
            balance=lambda *_: {},
            cost=lambda *_: 0,
        )

    @hookimpl
    def routes(self):
        yield post("/grant", self.grant, summary="Give ten")
        yield post("/revoke", self.revoke, summary="Take five of them back")
        yield post("/spend", self.spend, summary="Pay one")
        yield post("/balance", self.balance, summary="How many there are")
        yield post("/fact", self.fact, summary="What is known")
        yield post("/factor", self.factor, summary="What it is multiplied by")

    def grant(self, ctx, ask: Ask) -> str:
        def work():
            (given,) = ctx.grant(ask.what, [Grant(ctx.member, 10, "gift", ask.key, ask.item)])
            return f"{given.state} {given.key}"

        return tried(work)

    def revoke(self, ctx, ask: Ask) -> str:
        return tried(lambda: ctx.revoke(ask.what, [Revocation(ask.key, 5)]))

    def spend(self, ctx, ask: Ask) -> str:
        return tried(lambda: ctx.spend(ask.what, [Spend(ctx.member, 1, ask.key)]))

    def balance(self, ctx, ask: Ask) -> str:
        return tried(lambda: ctx.balance(ask.what, [ctx.member]).get(ctx.member, "nothing"))

    def fact(self, ctx, ask: Ask) -> str:
        return tried(lambda: ctx.facts([ask.what], [ctx.member])[ask.what].get(ctx.member, "nothing"))

    def factor(self, ctx, ask: Ask) -> str:
        return tried(lambda: ctx.multiplier(ask.what, [AsOf(ctx.member, 1, ctx.now)])[0])


def tried(work) -> str:
    try:
        return str(work())
    except PluginError:
        return "error"
