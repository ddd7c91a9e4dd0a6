"""Whoever may sign in, and what their role lets them do."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from threepeat.sdk.wording import _
from threepeat.tenancy.errors import Invalid

MAX_NAME = 100
LOCALES = ("en", "zh-CN")

# Control characters, and half a surrogate pair, which no database stores.
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Kind = Literal["staff", "operator"]


class Role(StrEnum):
    """What a person of a store's staff may do there."""

    OWNER = "owner"
    OPERATOR = "operator"
    ANALYST = "analyst"

    @property
    def may_write(self) -> bool:
        """Switch, set and manage tactics, and look after members."""
        return self is not Role.ANALYST

    @property
    def may_own(self) -> bool:
        """Look after staff and keys, and whatever cannot be undone."""
        return self is Role.OWNER


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signed in.

    Attributes:
        role: In the store; None for an operator.
        locale: The language they chose; None leaves it to the browser.
    """

    kind: Kind
    id: int
    name: str
    role: Role | None
    locale: str | None

    @property
    def by(self) -> str:
        """Who they are in an audit trail: `staff:3`."""
        return f"{self.kind}:{self.id}"


def read_name(value: str) -> str:
    """A person's name as it is stored.

    Raises:
        Invalid: It is empty, too long, or holds what no name has.
    """
    name = value.strip()
    if not 1 <= len(name) <= MAX_NAME or UNPRINTABLE.search(name):
        raise Invalid("name", _("use 1 to {n} characters", n=MAX_NAME))
    return name


def read_locale(value: str | None) -> str | None:
    """A language of the consoles, or None for the browser's.

    Raises:
        Invalid: There is no such language.
    """
    if value is not None and value not in LOCALES:
        raise Invalid("locale", _("choose from {choices}", choices=", ".join(LOCALES)))
    return value
