"""Where a form is shown: the store it is for, and who says the words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from babel import Locale
from babel.numbers import format_decimal, get_currency_symbol

from threepeat.sdk.context import Store
from threepeat.sdk.facts import Fact
from threepeat.sdk.rewards import Reward


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a form needs to know besides its model.

    Attributes:
        store: Whose currency and time zone the form speaks.
        locale: The reader's language, `en` or `zh-CN`.
        say: Says the form's own texts in that language.
        translate: Says a text of the plugin in that language.
        facts: What an audience may ask about in this store, by name.
        kinds: The rewards that may be chosen in this store, by kind.
        items: What can be chosen from, titles by id, by kind of reward or another source that a field names.
    """

    store: Store
    locale: str = "en"
    say: Callable[[str], str] = str
    translate: Callable[[str], str] = str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    kinds: Mapping[str, Reward] = field(default_factory=dict)
    items: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def language(self) -> Literal["en", "zh"]:
        """The language as the SDK's titles and sentences name it."""
        return "zh" if self.locale.startswith("zh") else "en"

    @property
    def babel(self) -> Locale:
        """The language as Babel has it."""
        return Locale.parse("zh_CN" if self.language == "zh" else "en")

    @property
    def currency(self) -> str:
        """The sign of the store's money, such as `¥`."""
        return str(get_currency_symbol(self.store.currency, locale=self.babel))

    def number(self, value: float | Decimal) -> str:
        """A number in words of the reader's language, with its thousands apart."""
        try:
            return str(format_decimal(value, locale=self.babel, decimal_quantization=False))
        except (ArithmeticError, ValueError):  # longer than Babel reckons
            return str(value)
