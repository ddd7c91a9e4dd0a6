"""Checks of what people type, each with an error that names the field."""

import re

from threepeat.sdk.wording import _
from threepeat.tenancy.errors import Invalid

# Control characters, and half a surrogate pair, which no database stores.
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def line(field: str, value: str, most: int) -> str:
    """A text of one line, stripped.

    Raises:
        Invalid: It is empty, longer than `most` characters, or holds control characters.
    """
    value = value.strip()
    if not 1 <= len(value) <= most:
        raise Invalid(field, _("use 1 to {n} characters", n=most))
    if UNPRINTABLE.search(value):
        raise Invalid(field, _("holds a character that cannot be shown"))
    return value


def whole(field: str, value: object, least: int, most: int) -> int:
    """A whole number between two bounds.

    Raises:
        Invalid: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Invalid(field, _("choose {least} to {most}", least=least, most=most))
    return value
