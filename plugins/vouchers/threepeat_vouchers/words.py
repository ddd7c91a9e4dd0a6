"""A voucher's terms in sentences."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from threepeat.sdk import Amount, Store, Wording, _, ngettext

if TYPE_CHECKING:
    from threepeat_vouchers.form import Template
    from threepeat_vouchers.terms import Reduced

MOST_NAMED = 5
"""Categories or SKUs that a sentence names."""


def terms(template: "Template", store: Store) -> Iterator[Wording]:
    """What it gives, what it counts for and when."""
    yield gives(template, store)
    yield from _counts(template)
    if template.validity == "dates" and template.first_day is not None and template.last_day is not None:
        yield _("Valid from {first} to {last}.", first=template.first_day, last=template.last_day)
    elif template.start_after_days:
        yield ngettext(
            "Valid on {days} day, beginning {after} days after it is given.",
            "Valid on {days} days, beginning {after} days after it is given.",
            template.days or 1,
            days=template.days or 1,
            after=template.start_after_days,
        )
    else:
        yield ngettext(
            "Valid on {days} day, the one on which it is given.",
            "Valid on {days} days, beginning with the one on which it is given.",
            template.days or 1,
            days=template.days or 1,
        )
    if template.stacks == "listed":
        yield _("Not beside every other reduction.")


def gives(template: "Template", store: Store) -> Wording:
    """What it gives, and from which amount."""
    money = store.money
    if template.kind == "gift":
        said = _gift(template, money(template.threshold))
    elif template.kind == "delivery":
        said = _delivery(template, money(template.threshold), money(template.cap or 0))
    elif template.kind == "percent":
        said = _percent(template, money(template.threshold), money(template.cap or 0))
    elif template.threshold:
        said = _("{amount} off from {from_}.", amount=money(template.amount or 0), from_=money(template.threshold))
    else:
        said = _("{amount} off.", amount=money(template.amount or 0))
    return said


def example(template: "Template", store: Store, amount: int, found: "Reduced") -> Wording:
    """What it takes off an order, as an example."""
    money = store.money
    if template.kind == "gift":
        gift = template.gift_name or template.gift_sku
        return _("An order of {amount} brings {gift}.", amount=money(amount), gift=gift)
    if template.kind == "delivery":
        return _(
            "An order of {amount} with {delivery} for delivery costs {less} less.",
            amount=money(amount),
            delivery=store.money(store.minor_units * 10),
            less=money(found.shipping),
        )
    return _("An order of {amount} costs {less} less.", amount=money(amount), less=money(found.amount))


def missing(template: "Template", more: Amount) -> Wording:
    """How much more it takes."""
    if template.scope == "categories":
        return _("Spend {more} more on {things}", more=more, things=_names(template.categories))
    if template.scope == "skus":
        return _("Spend {more} more on what it is for", more=more)
    return _("Spend {more} more", more=more)


def _gift(template: "Template", least: Amount) -> Wording:
    gift = template.gift_name or template.gift_sku
    if template.threshold:
        return _("{n} × {gift} as a gift from {from_}.", n=template.gift_quantity, gift=gift, from_=least)
    return _("{n} × {gift} as a gift.", n=template.gift_quantity, gift=gift)


def _delivery(template: "Template", least: Amount, most: Amount) -> Wording:
    if template.cap is not None and template.threshold:
        return _("Up to {most} of the delivery free from {from_}.", most=most, from_=least)
    if template.cap is not None:
        return _("Up to {most} of the delivery free.", most=most)
    return _("Free delivery from {from_}.", from_=least) if template.threshold else _("Free delivery.")


def _percent(template: "Template", least: Amount, most: Amount) -> Wording:
    percent = template.percent or 0
    if template.cap is not None and template.threshold:
        return _("{percent}% off from {from_}, at most {most}.", percent=percent, from_=least, most=most)
    if template.cap is not None:
        return _("{percent}% off, at most {most}.", percent=percent, most=most)
    if template.threshold:
        return _("{percent}% off from {from_}.", percent=percent, from_=least)
    return _("{percent}% off.", percent=percent)


def _counts(template: "Template") -> Iterator[Wording]:
    if template.scope == "categories":
        yield _("For {things}.", things=_names(template.categories))
    elif template.scope == "skus":
        yield _("For certain things only.")
    if template.except_categories:
        yield _("Not for {things}.", things=_names(template.except_categories))
    elif template.except_skus:
        yield _("Some things are excluded.")


def _names(names: Iterable[str]) -> str:
    named = list(names)
    return ", ".join(named[:MOST_NAMED]) + ("…" if len(named) > MOST_NAMED else "")
