"""Sentences that readers see: written in English, shown in their language."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal


@lru_cache(maxsize=256)
def spoken(locale: str) -> Locale:
    """Babel's locale of a name such as `zh_CN`, which takes longer to find than a number to write.

    Raises:
        ValueError: It is not the name of a locale.
        UnknownLocaleError: Babel does not know it.
    """
    return Locale.parse(locale)


@dataclass(frozen=True, slots=True)
class Amount:
    """Money in a sentence, which each language writes in its own way. `Store.money` makes it.

    Attributes:
        minor: How much, in minor units.
        currency: ISO 4217 code.
        minor_units: Minor units in one whole unit of that currency.
    """

    minor: int
    currency: str
    minor_units: int

    def said(self, locale: str) -> str:
        """The money as a language writes it, such as `¥128.00`."""
        return format_currency(Decimal(self.minor) / self.minor_units, self.currency, locale=spoken(locale))

    def __str__(self) -> str:
        return self.said("en")


Value = int | str | date | Amount
"""What a placeholder stands for; an int is a quantity, and is written as the language groups digits."""


def said(value: Value, locale: str) -> str:
    """A value as a language writes it, such as `1,280`."""
    if isinstance(value, Amount):
        return value.said(locale)
    if isinstance(value, date):
        return format_date(value, "medium", locale=spoken(locale))
    return format_decimal(value, locale=spoken(locale)) if isinstance(value, int) else value


class Wording(str):
    """An English sentence that remembers how it was made, so that a console can say it in another language.

    To everything else it is the English text. The translation is looked up by `template` in the plugin's
    `locale/{language}/LC_MESSAGES/messages.po`.

    Attributes:
        template: The text with its placeholders, in the singular.
        plural: The same for any other number than one; empty if there is no number.
        number: The number that chooses between the two.
        values: What the placeholders stand for.
    """

    template: str
    plural: str
    number: int
    values: Mapping[str, Value]

    def __new__(
        cls, template: str, plural: str = "", number: int = 1, values: Mapping[str, Value] | None = None
    ) -> "Wording":
        """Write the English sentence."""
        values = dict(values or {})
        chosen = plural if plural and number != 1 else template
        shown = {name: said(value, "en") for name, value in values.items()}
        made = super().__new__(cls, chosen.format_map(shown) if shown else chosen)
        made.template, made.plural, made.number, made.values = template, plural, number, values
        return made


class Spoken(str):
    """A text that is there in several languages already, such as another plugin's title; English to the rest.

    Attributes:
        titles: The text by language; `en` is one of them.
    """

    titles: Mapping[str, str]

    def __new__(cls, titles: Mapping[str, str]) -> "Spoken":
        """Keep the text in each language."""
        made = super().__new__(cls, titles["en"])
        made.titles = dict(titles)
        return made


def _(template: str, /, **values: Value) -> Wording:
    """Mark a text for translation: `_("Points")`, `_("{name} is sold out", name=item.name)`."""
    return Wording(template, values=values)


def ngettext(one: str, many: str, number: int, /, **values: Value) -> Wording:
    """Mark a text with a number: `ngettext("{n} member", "{n} members", members, n=members)`."""
    return Wording(one, many, number, values)
