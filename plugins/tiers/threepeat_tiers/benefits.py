"""What a tier brings: prices, free shipping, and a factor on points."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from threepeat.sdk import Asked, AsOf, PriceRule, Reduction, Stage, _, price_rule
from threepeat_tiers.rules import Rules, TierRule
from threepeat_tiers.versions import Ctx, newest, versions

MEMBER = "member"
"""The group of which one reduction stands: a member has one own price."""
ONE = Fraction(1)


def current(ctx: Ctx, members: Collection[int]) -> Mapping[int, tuple[Rules, TierRule]]:
    """The tiers in which members stand now, with their version; whoever stands in none is absent.

    Bought and granted tiers count from their first to their last instant, whether a worker has seen them or not.
    """
    rows = ctx.sql("current", members=sorted(members))
    named = {row.version for row in rows}
    rules: dict[int | None, Rules] = dict(versions(ctx, named - {None}).items())
    if None in named:
        rules[None] = newest(ctx)[1]  # a floor that no worker has seen yet
    found = {}
    for row in rows:
        own = rules[row.version]
        tier = own.at(row.level)
        if tier is not None:
            found[row.member_id] = own, tier
    return found


def factors(ctx: Ctx, moments: Sequence[AsOf]) -> list[Fraction]:
    """What multiplies the points of each moment: the tier that counted there. The trail decides, for ever."""
    rows = ctx.sql(
        "as_of", members=[moment.member for moment in moments], positions=[moment.position for moment in moments]
    )
    rules = versions(ctx, {row.version for row in rows})
    found = [ONE] * len(moments)
    for row in rows:
        tier = rules[row.version].at(row.to_level)
        found[row.n - 1] = tier.factor if tier is not None else ONE
    return found


def member_price(ctx: Ctx, asked: Asked) -> Iterable[Reduction]:
    """The tier's own price for what it covers."""
    tier = _tier(ctx, asked)
    if tier is not None:
        yield from _off(tier, asked, tier.percent_off, _("{tier} price", tier=tier.name), MEMBER)


def extra_off(ctx: Ctx, asked: Asked) -> Iterable[Reduction]:
    """Percent off on top, of what the goods come to after the member price."""
    tier = _tier(ctx, asked)
    if tier is not None:
        yield from _off(tier, asked, tier.extra_percent_off, _("{tier} extra discount", tier=tier.name))


def free_shipping(ctx: Ctx, asked: Asked) -> Iterable[Reduction]:
    """Delivery for nothing."""
    tier = _tier(ctx, asked)
    if tier is not None and tier.free_shipping and asked.shipping:
        title = _("{tier} free shipping", tier=tier.name)
        yield Reduction(title, shipping=asked.shipping, key=str(tier.level))


PRICE_RULES: tuple[PriceRule, ...] = (
    price_rule("member_price", stage=Stage.MEMBER, quote=member_price),
    price_rule("extra_off", stage=Stage.PROMOTION, quote=extra_off),
    price_rule("free_shipping", stage=Stage.DELIVERY, quote=free_shipping),
)


def _tier(ctx: Ctx, asked: Asked) -> TierRule | None:
    if asked.member is None:
        return None
    found = current(ctx, [asked.member]).get(asked.member)
    return found[1] if found is not None else None


def _off(tier: TierRule, asked: Asked, percent: int, title: str, group: str = "") -> Iterator[Reduction]:
    """Percent off what the tier covers, rounded down."""
    lines = [line.id for line in asked.basket.lines if tier.scope.covers(line.sku, line.category)]
    amount = sum(asked.standing[line] for line in lines) * percent // 100
    if amount:
        yield Reduction(title, amount=amount, lines=lines, group=group, key=str(tier.level))
