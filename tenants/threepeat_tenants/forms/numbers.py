"""Shapes of numbers: whole ones, amounts of money, and those with decimals."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from babel.numbers import format_decimal
from typing_extensions import override

from threepeat.sdk.wording import _
from threepeat_tenants.forms.fields import Field, TextField
from threepeat_tenants.forms.leaves import Leaf
from threepeat_tenants.forms.shapes import Head, Laying, Misfit, plain
from threepeat_tenants.forms.surroundings import Surroundings

WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")
GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
LONGEST_NUMBER = 100


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a model asks of a number or of a text's length; None asks nothing."""

    least: Any = None
    most: Any = None
    above: Any = None
    below: Any = None
    step: Any = None


class Number(Leaf):
    """A number with bounds."""

    bounds: Bounds

    mode: ClassVar[str] = "decimal"

    @override
    def lay(self, laying: Laying, path: str, head: Head) -> Field:
        around, bounds = laying.around, self.bounds
        low, high = (None if one is None else self.limit(one, around) for one in (bounds.least, bounds.most))
        limits = ""
        if low is not None and high is not None:
            limits = around.say(_("From {low} to {high}.", low=low, high=high))
        elif low is not None:
            limits = around.say(_("At least {low}.", low=low))
        elif high is not None:
            limits = around.say(_("At most {high}.", high=high))
        return TextField(
            **laying.common(path, head, optional=self.optional),
            limits=limits,
            text=laying.inputs.first(path) or "",
            mode=self.mode,
            placeholder=around.translate(head.placeholder) if head.placeholder else "",
            unit=self.unit(head, around),
            minimum=self._bound(bounds.least, around),
            maximum=self._bound(bounds.most, around),
            step=self._bound(bounds.step, around),
        )

    def _bound(self, value: Any, around: Surroundings) -> str:
        try:
            return "" if value is None else self.text(value, around)
        except (TypeError, ArithmeticError):
            return str(value)


@dataclass(frozen=True)
class Whole(Number):
    """A whole number of 64 bits."""

    optional: bool = False
    bounds: Bounds = Bounds()

    mode: ClassVar[str] = "numeric"

    @override
    def text(self, value: Any, around: Surroundings) -> str:
        del around
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(value)
        return str(value)

    @override
    def value(self, text: str, around: Surroundings) -> int:
        del around
        written = tidy(text)
        if not WHOLE.fullmatch(written):
            raise Misfit(_("Enter a whole number."))
        return storable(int(written))


@dataclass(frozen=True)
class Money(Number):
    """An amount, which the model counts in minor units and a person writes in whole ones."""

    optional: bool = False
    bounds: Bounds = Bounds()

    @override
    def text(self, value: Any, around: Surroundings) -> str:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(value)
        return f"{Decimal(value).scaleb(-places(around)):f}"

    @override
    def value(self, text: str, around: Surroundings) -> int:
        written = tidy(text)
        if not DECIMAL.fullmatch(written) or "e" in written.lower():
            raise Misfit(_("Enter an amount, such as {example}.", example=self.text(1250, around)))
        digits = places(around)
        minor = Decimal(written).scaleb(digits)
        if minor != minor.to_integral_value():
            if digits == 0:
                raise Misfit(_("Enter an amount without decimals."))
            raise Misfit(_("Use at most {digits} decimals.", digits=digits))
        return storable(int(minor))

    @override
    def unit(self, head: Head, around: Surroundings) -> str:
        del head
        return around.currency

    @override
    def limit(self, value: Any, around: Surroundings) -> str:
        digits = places(around)
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return str(format_decimal(Decimal(value).scaleb(-digits), format=pattern, locale=around.babel))


@dataclass(frozen=True)
class Fraction(Number):
    """A number with decimals.

    Attributes:
        exact: The model keeps a `Decimal`, which travels as a text.
    """

    optional: bool = False
    bounds: Bounds = Bounds()
    exact: bool = False

    @override
    def text(self, value: Any, around: Surroundings) -> str:
        del around
        if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
            raise TypeError(value)
        return value if isinstance(value, str) else str(value)

    @override
    def value(self, text: str, around: Surroundings) -> float | str:
        del around
        written = tidy(text)
        if not DECIMAL.fullmatch(written):
            raise Misfit(_("Enter a number."))
        if self.exact:
            return written
        number = float(written)
        if number in {float("inf"), float("-inf")}:
            raise Misfit(_("This number is too large."))
        return number

    @override
    def same(self, one: Any, other: Any, around: Surroundings) -> bool:
        del around
        if self.exact or isinstance(other, str):
            return plain(one) == plain(other)
        return bool(one == other)


def tidy(text: str) -> str:
    """A number as it was typed, without spaces, wide digits and commas between thousands."""
    if len(text) > LONGEST_NUMBER:
        return ""
    written = unicodedata.normalize("NFKC", text).strip()
    return written.replace(",", "") if GROUPED.fullmatch(written) else written


def storable(number: int) -> int:
    """A number that fits into 64 bits.

    Raises:
        Misfit: It does not.
    """
    if not -(2**63) <= number < 2**63:
        raise Misfit(_("This number is too large."))
    return number


def places(around: Surroundings) -> int:
    """How many decimals the store's money has."""
    return len(str(around.store.minor_units)) - 1
