"""Messages to members: what a plugin may say, and who sends it.

A plugin declares each kind of message with its text, and hands over what to say to whom. Whether, when and by
which channel a member reads it is decided by the service that provides `Messages`, for all plugins together.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from string import Formatter
from typing import Literal, Protocol

from threepeat.sdk.errors import PluginError
from threepeat.sdk.events import Event
from threepeat.sdk.timers import Due
from threepeat.sdk.wording import Value

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MAX_TEXT = 1000
"""How long a text may be, and each value in it."""

Purpose = Literal["service", "marketing"]
"""A `service` notice answers something that the member did or has, and needs no consent; `marketing` does."""


@dataclass(frozen=True, slots=True)
class MessageKind:
    """A kind of message. Build it with `message_kind`."""

    name: str
    title: str
    text: str
    purpose: Purpose
    variables: Mapping[str, str]


def message_kind(
    name: str,
    *,
    title: str,
    text: str,
    purpose: Purpose = "service",
    variables: Mapping[str, str] | None = None,
) -> MessageKind:
    """Declare a kind of message, sent with `ctx.message(name, …)`.

    Args:
        name: Short identifier, unique in the plugin; stored, so it stays as it is.
        title: What merchants call it, such as `_("Points expire")`.
        text: What members read unless the merchant writes something else, with a placeholder for each variable:
            `_("{points} points expire on {day}.")`. The plugin's catalogue translates it.
        purpose: `service` for what answers something that the member did or has, `marketing` for everything else.
        variables: What each placeholder stands for, for the merchant who writes a text of their own.

    Raises:
        PluginError: A name does not fit, or the text and the variables differ.
    """
    if not NAME.fullmatch(name):
        raise PluginError(f"the message {name!r} must match {NAME.pattern}")
    if purpose not in ("service", "marketing"):
        raise PluginError(f"the message {name!r}: the purpose is service or marketing, not {purpose!r}")
    known = dict(variables or {})
    for variable in known:
        if not NAME.fullmatch(variable):
            raise PluginError(f"the message {name!r}: the variable {variable!r} must match {NAME.pattern}")
    try:
        used = placeholders(text)
    except ValueError as error:
        raise PluginError(f"the message {name!r}: {error}") from None
    if not text.strip() or len(text) > MAX_TEXT:
        raise PluginError(f"the message {name!r} needs a text of 1 to {MAX_TEXT} characters")
    if used != known.keys():
        wrong = sorted(used ^ known.keys())
        raise PluginError(f"the message {name!r}: the text and the variables differ in {', '.join(wrong)}")
    return MessageKind(name, title, text, purpose, known)


def placeholders(text: str) -> frozenset[str]:
    """The variables that a text names, as `{points}`; two braces stand for one.

    Raises:
        ValueError: A brace stands alone, or one holds something else than a name. The message says which.
    """
    return frozenset(name for _, name in _parts(text) if name)


def fill(text: str, values: Mapping[str, str]) -> str:
    """A text with its values in place. A value is taken as it is, whatever braces it holds.

    Raises:
        ValueError: The text names what is not among the values.
    """
    parts = _parts(text)
    missing = {name for _, name in parts if name} - values.keys()
    if missing:
        raise ValueError(f"nothing is known of {', '.join(sorted(missing))}")
    return "".join(before + (values[name] if name else "") for before, name in parts)


# A few texts are filled for a hundred thousand members.
@lru_cache(maxsize=1024)
def _parts(text: str) -> tuple[tuple[str, str], ...]:
    """What a text consists of: what is read as it stands, each with the variable behind it, if any."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        raise ValueError("a brace stands alone: write {{ or }} for one that members read") from None
    for _, name, form, conversion in parts:
        if name is not None and (form or conversion or not NAME.fullmatch(name)):
            raise ValueError(f"{{{name}}} is not the name of a variable")
    return tuple((before, name or "") for before, name, _, _ in parts)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell a member.

    Attributes:
        member: Whom.
        cause: What it is about: an event, a deadline, or a text that is unique in the plugin. The same cause,
            kind and member is the same message, for ever.
        values: What each variable of the kind stands for, as in a `Wording`: an int is a quantity, an `Amount`
            money, a date a day; a datetime with a zone is said in the store's time.
        until: Later than this it is of no use, such as when an offer is over.
    """

    member: int
    cause: Event | Due | str
    values: Mapping[str, Value] = field(default_factory=dict)
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A notice as the service gets it.

    Attributes:
        plugin: Who says it.
        kind: The kind's name; with `plugin` it finds a `KnownKind`.
        key: Of its cause, 32 hexadecimal digits: the same plugin, kind and cause have the same. With the member
            it makes the message unique in the store.
        purpose: The kind's.
        values: What each variable is written as, by language (`en`, `zh`) and name.
        happened_at: When its cause came about.
        until: Later than this it is of no use.
        taking_part: Its sender may hand this member something: the member is not in the tactic's comparison group.
    """

    plugin: str
    kind: str
    key: str
    member: int
    purpose: Purpose
    values: Mapping[str, Mapping[str, str]]
    happened_at: datetime
    until: datetime | None
    taking_part: bool


@dataclass(frozen=True, slots=True)
class KnownKind:
    """A kind of message that a plugin may send in the store now; every text by language (`en`, `zh`).

    Attributes:
        plugin: The plugin's id.
        owner: What the plugin is called.
        name: The kind's name.
        text: What it says by default, with its placeholders.
        variables: What each placeholder stands for, by its name.
    """

    plugin: str
    owner: Mapping[str, str]
    name: str
    title: Mapping[str, str]
    text: Mapping[str, str]
    purpose: Purpose
    variables: Mapping[str, Mapping[str, str]]


class Messages(Protocol):
    """Brings messages to members, or keeps them with the reason why not."""

    def send(self, messages: Sequence[Message]) -> None:
        """Take what one call of a plugin has to say, in its transaction and savepoint.

        Each is new to core in this call; one that the service took in an earlier call is the same message, and is
        not sent again.
        """
        ...
