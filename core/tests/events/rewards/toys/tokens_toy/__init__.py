"""A toy tactic that keeps tokens: what came in, what went back and what was paid, to the last one."""

from threepeat.sdk import Invariant, Manifest, Plugin, PluginSettings, Refused, hookimpl, reward
from threepeat.sdk.events import PLUGIN, Event

TITLE = {"en": "tokens", "zh": "代币"}


class TokensGiven(Event, frozen=True, kw_only=True):
    """Tokens came in."""

    type = "tokens.given"
    senders = PLUGIN
    tokens: int


class Tokens(Plugin[PluginSettings]):
    """One token costs three minor units; `tokens.praise` costs nothing and buys nothing; there are several charms.

    Attributes:
        fails_at: Keeping a grant of this amount fails, after everything was written.
        rare: How many rare charms there are for a batch.
    """

    manifest = Manifest(id="tokens", kind="tactic", title="Tokens", summary="Keeps tokens.")
    settings_model = PluginSettings
    fails_at = None
    cost_of_one = 3
    rare = 0

    @hookimpl
    def events(self):
        return (TokensGiven,)

    @hookimpl
    def rewards(self):
        yield reward(
            "tokens",
            title=TITLE,
            grant=self.keep,
            revoke=self.revoke,
            balance=self.balance,
            spend=self.spend,
            cost=lambda _, amount: amount * self.cost_of_one,
        )
        yield reward(
            "tokens.praise",
            title=TITLE,
            grant=lambda *_: None,
            revoke=lambda *_: None,
            balance=lambda *_: {},
            cost=lambda *_: 0,
        )

        yield reward(
            "tokens.charm",
            title=TITLE,
            grant=self.keep_charms,
            revoke=self.revoke,
            balance=self.balance,
            cost=lambda _, amount, item: None if item == "gone" else amount * 5,
            items=lambda _: {"ruby": "Ruby", "rare": "Rare"},
        )

    @hookimpl
    def invariants(self):
        yield Invariant("purses", "A purse holds what came in less what went out.", "verify_purses")

    @hookimpl
    def open_obligations(self, ctx):
        held = ctx.sql("all")[0].held
        return [f"{held} tokens"] if held else []

    @hookimpl
    def merge_members(self, ctx, source, target):
        ctx.sql("merge", source=source, target=target)

    def keep(self, ctx, granted):
        self.grant(ctx, granted)  # a test may have put another in its place

    def keep_charms(self, ctx, granted):
        self.grant(ctx, granted)
        return [one.key for one in granted if one.grant.item == "rare"][self.rare :]

    def grant(self, ctx, granted):
        ctx.sql(
            "give",
            keys=[one.key for one in granted],
            members=[one.grant.member for one in granted],
            amounts=[one.grant.amount for one in granted],
        )
        for one in granted:
            told = TokensGiven(tokens=one.grant.amount)
            ctx.emit(told, member=one.grant.member, cause=f"{one.plugin}:{one.key}")
        if any(one.grant.amount == self.fails_at for one in granted):
            raise ValueError("the keeper failed")

    def revoke(self, ctx, revoked):
        ctx.sql("take", members=[one.member for one in revoked], amounts=[one.amount for one in revoked])

    def balance(self, ctx, members):
        return {row.member_id: row.held for row in ctx.sql("held", members=sorted(members))}

    def spend(self, ctx, spends):
        rows = ctx.sql(
            "pay",
            references=[one.reference for one in spends],
            members=[one.member for one in spends],
            amounts=[one.amount for one in spends],
        )
        if any(not row.paid for row in rows):
            raise Refused("too few tokens", code="not-enough")


class Careless(Tokens):
    """Looks whether there is enough, and only then takes it."""

    def spend(self, ctx, spends):
        for one in spends:
            held = self.balance(ctx, [one.member]).get(one.member, 0)
            if held < one.amount:
                raise Refused("too few tokens", code="not-enough")
            ctx.sql("set", member=one.member, held=held - one.amount, reference=one.reference, amount=one.amount)
