"""A toy service whose price rules keep what they take: coupons of which there are few, a budget, and purses."""

from threepeat.sdk import (
    Declined,
    Invariant,
    Manifest,
    Plugin,
    PluginSettings,
    Reduction,
    Refused,
    Stage,
    hookimpl,
    price_rule,
)

COUPON = 700
CAMPAIGN = 300


class Stall(Plugin[PluginSettings]):
    """Everybody gets some percent off; `{"coupon": "a", "campaign": true, "pay": 500}` chooses more.

    Attributes:
        percent: Off everything, without being held.
        told: What the rules were told, as (what, reservation, rule, key).
        fails: Rules that fail when they are told something.
    """

    manifest = Manifest(id="stall", kind="service", title="Stall", summary="Keeps coupons and purses.")
    settings_model = PluginSettings

    def __init__(self):
        self.percent, self.told, self.fails = 0, [], set()

    @hookimpl
    def price_rules(self):
        yield price_rule("member", stage=Stage.MEMBER, quote=self.member)
        for name, stage, quote in (
            ("coupon", Stage.VOUCHER, self.coupon),
            ("campaign", Stage.PROMOTION, self.campaign),
            ("purse", Stage.POINTS, self.purse),
            ("delivery", Stage.DELIVERY, self.delivery),
        ):
            yield price_rule(
                name,
                stage=stage,
                quote=quote,
                reserve=self.reserve,
                confirm=self.confirm,
                release=self.release,
                returned=self.returned,
            )

    @hookimpl
    def invariants(self):
        yield Invariant("stock", "What is left and what is held or used is what there was.", "verify_stock")

    def member(self, _ctx, asked):
        if self.percent:
            yield Reduction("Member price", sum(asked.standing.values()) * self.percent // 100)

    def coupon(self, _ctx, asked):
        item = (asked.choice or {}).get("coupon")
        if item == "bad":
            yield Declined("Coupon", "it has ended", key="bad")
        elif item:
            yield Reduction("Coupon", COUPON, key=item, data={"item": item, "take": 1})

    def campaign(self, _ctx, asked):
        if (asked.choice or {}).get("campaign"):
            yield Reduction("Campaign", CAMPAIGN, lines={"tea"}, data={"item": "budget"})

    def purse(self, _ctx, asked):
        pay = (asked.choice or {}).get("pay")
        if pay:
            yield Reduction("Purse", pay, data={"item": f"purse {asked.member}"})

    def delivery(self, _ctx, asked):
        if (asked.choice or {}).get("free"):
            yield Reduction("Free delivery", shipping=asked.shipping, data={"item": "vans", "take": 1})

    def reserve(self, ctx, hold):
        self.hear("reserve", hold)
        binds = {"item": hold.data["item"], "take": hold.data.get("take", hold.amount)}
        name = {"reservation": hold.reservation, "rule": hold.rule, "key": hold.key}
        assert hold.until > ctx.now
        if ctx.sql("hold", **name, **binds, whole=hold.amount + hold.shipping) and not ctx.sql("take", **binds):
            raise Refused(f"{hold.data['item']} is gone", code="gone")

    def confirm(self, ctx, hold):
        self.hear("confirm", hold)
        assert hold.until is None
        name = {"reservation": hold.reservation, "rule": hold.rule, "key": hold.key}
        if not ctx.sql("use", **name, order=hold.order_id):
            raise RuntimeError(f"{hold.reservation} is not held")

    def release(self, ctx, hold):
        self.hear("release", hold)
        ctx.sql("free", reservation=hold.reservation, rule=hold.rule, key=hold.key)

    def returned(self, ctx, back):
        hold = back.hold
        self.hear("returned", hold)
        whole = hold.amount + hold.shipping
        amount = int(back.whole) if "take" in hold.data else hold.amount * back.amount // whole
        ctx.sql("back", reservation=hold.reservation, rule=hold.rule, key=hold.key, amount=amount)

    def hear(self, what, hold):
        if hold.rule in self.fails:
            raise ValueError(f"{hold.rule} fails")
        self.told.append((what, hold.reservation, hold.rule, hold.key))
