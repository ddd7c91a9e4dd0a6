"""Odds and terms in sentences."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from babel.numbers import format_percent

from threepeat.sdk import Store, Wording, _, ngettext
from threepeat_blindbox import goods
from threepeat_blindbox.odds import base, effective

if TYPE_CHECKING:
    from threepeat_blindbox.form import SeriesForm

MOST_SHOWN = 12
LEAST_PERCENT = Fraction(1, 10**6)
"""What four digits behind the point can say."""
NORMAL_PRICE = 200
"""In whole yuan: what one box normally costs at most by the guideline of 2022."""
TOP_PRIZE = 50_000
"""In whole yuan: what a prize that is drawn may be worth."""


def percent(rate: Fraction) -> str:
    """A rate as people read it, the same in every language; what can come is never 0, what need not never 100."""
    if 0 < rate < LEAST_PERCENT:
        return "<0.0001%"
    if 1 - LEAST_PERCENT < rate < 1:
        return ">99.9999%"
    exact = Decimal(rate.numerator) / Decimal(rate.denominator)
    return format_percent(exact, format="0.####%", locale="en")


def odds(form: "SeriesForm", store: Store) -> Iterator[Wording]:
    """What the weights come to, and what the rules say of price and goods."""
    pool = form.pool()
    left = {one.item: one.left for one in pool.items}
    plain, real = base(pool, left), effective(pool, left)
    for one in form.items[:MOST_SHOWN]:
        if form.pity:
            yield _(
                "{item}: {plain} in a draw, {real} in the long run with the guarantee.",
                item=one.name,
                plain=percent(plain[one.sku]),
                real=percent(real[one.sku]),
            )
        else:
            yield _("{item}: {plain} in a draw.", item=one.name, plain=percent(plain[one.sku]))
    if form.mode == "urn":
        boxes = sum(one.stock or 0 for one in form.items)
        yield ngettext("{n} box in all.", "{n} boxes in all.", boxes, n=boxes)
    if too_dear(form, store):
        most = store.money(NORMAL_PRICE * store.minor_units)
        yield _("One box costs more than {most}: guidelines say that it normally should not.", most=most)
    if form.daily_boxes is None and form.daily_money is None:
        yield _("There is no limit for a day: the rules ask for one in number or money.")
    if any(goods.needs_care(f"{one.name} {one.category}") for one in form.items):
        yield _("Food and cosmetics: see to quality, shelf life and how it is kept.")


def too_dear(form: "SeriesForm", store: Store) -> bool:
    """Whether a box costs more than the guideline says."""
    return store.currency == "CNY" and form.price > NORMAL_PRICE * store.minor_units


def over_prize(form: "SeriesForm", store: Store) -> bool:
    """Whether an item is worth more than a prize may be."""
    most = TOP_PRIZE * store.minor_units
    return store.currency == "CNY" and any(one.value > most for one in form.items)
