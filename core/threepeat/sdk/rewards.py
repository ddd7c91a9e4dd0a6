"""Kinds of reward: what one plugin keeps and every tactic may give, with a price."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from threepeat.sdk.errors import PluginError
from threepeat.sdk.events import Event
from threepeat.sdk.timers import Due


@dataclass(frozen=True, slots=True)
class Grant:
    """A reward for a member.

    Attributes:
        member: Who gets it.
        amount: How much, in the kind's own unit; at least 1.
        rule: Which of the tactic's rules gives it; a short stable identifier of lower-case letters, digits and
            `. _ -`. A rule that gives two kinds is two rules.
        cause: What it is given for: an event, a deadline, or a text that is unique in the plugin. The same
            cause, rule and member is the same grant, for ever.
        item: Which one, for a kind of which a store has several, such as a voucher's template.
        paid: The member pays for it, so nobody is held out.
    """

    member: int
    amount: int
    rule: str
    cause: Event | Due | str
    item: str = ""
    paid: bool = False


class GrantState(StrEnum):
    """What became of a grant."""

    GRANTED = "granted"
    """It is the member's."""
    DUPLICATE = "duplicate"
    """It was given before, or stands twice in the batch."""
    HELD_OUT = "held_out"
    """The member is in the giving tactic's comparison group, or suspended."""
    OVER_BUDGET = "over_budget"
    """The rest of the month's budget does not cover it. It is not owed: whoever asks again, asks anew."""
    CLOSED = "closed"
    """It cannot be had now: who keeps this kind is closing or off in this store, or has no more of it."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant's outcome.

    Attributes:
        key: The grant's key, 32 hexadecimal digits, unique in the store; the kind's plugin keeps it under this
            key, and `revoke` finds it.
        state: What became of it.
        cost: What it costs the tactic, in minor units; 0 unless it was granted now.
        plugin: Who gives it.
    """

    key: str
    grant: Grant
    state: GrantState
    cost: int
    plugin: str


@dataclass(frozen=True, slots=True)
class Revocation:
    """Take back what an earlier grant gave.

    Attributes:
        key: The grant's key.
        amount: How much of it; never more than is left. None takes all.
    """

    key: str
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class Revoked:
    """What is really taken back: the amount that was still granted. `plugin` is the tactic that gave it."""

    key: str
    member: int
    amount: int
    plugin: str


@dataclass(frozen=True, slots=True)
class Spend:
    """A member pays with a reward.

    Attributes:
        member: Who pays.
        amount: How much; at least 1.
        reference: What it is for, at most 200 characters, unique for ever among the payments that the asking
            plugin takes in this kind: the same reference is the same payment. The kind's plugin sees it with
            the asking plugin's id and a colon before it.
    """

    member: int
    amount: int
    reference: str


class RewardChoice(BaseModel):
    """A reward as a setting: which kind and how much. The form offers the kinds that this store has.

    Core refuses a kind that nobody keeps in the store. Give it with
    `Grant(member, choice.amount, …, item=choice.item)`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = Field(max_length=80, title="Reward", description="A kind of reward that the store has.")
    amount: int = Field(ge=1, le=10**9, title="How much", description="In the kind's own unit.")
    item: str = Field(default="", max_length=80, title="Which", description="For a kind that has several.")


@dataclass(frozen=True, slots=True)
class Reward:
    """A kind of reward and who keeps it. Build it with `reward`."""

    kind: str
    title: Mapping[str, str]
    grant: Callable[[Any, Sequence[Granted]], Collection[str] | None]
    revoke: Callable[[Any, Sequence[Revoked]], None]
    balance: Callable[[Any, Collection[int]], Mapping[int, int]]
    spend: Callable[[Any, Sequence[Spend]], None] | None
    cost: Callable[..., int | None]
    items: Callable[[Any], Mapping[str, str]] | None = None


def reward(
    kind: str,
    *,
    title: Mapping[str, str],
    grant: Callable[[Any, Sequence[Granted]], Collection[str] | None],
    revoke: Callable[[Any, Sequence[Revoked]], None],
    balance: Callable[[Any, Collection[int]], Mapping[int, int]],
    cost: Callable[..., int | None],
    spend: Callable[[Any, Sequence[Spend]], None] | None = None,
    items: Callable[[Any], Mapping[str, str]] | None = None,
) -> Reward:
    """Declare a kind of reward that this plugin keeps and every tactic may give.

    Each callable takes a context of this plugin first, in the transaction of whoever gives.

    Args:
        kind: The plugin's id, or `{plugin id}.{name}`.
        title: What merchants read, by language: `{"en": "points", "zh": "积分"}`.
        grant: Keeps a batch of new grants. Core has made sure that each is new. It may return the keys of those
            that it has no more of, found by a conditional write: then the batch is undone and given without them.
        revoke: Takes amounts back; what the member has spent already is the plugin's to settle. It is also
            called while this plugin is closing or off: reversals are complete.
        balance: What members have now, by member; whoever is absent has none.
        cost: What an amount costs the tactic that gives it, in minor units, rounded up; takes the amount and, for
            a kind with `items`, the item. None if it cannot be given now.
        spend: Lets members pay with it: checks and takes in one conditional write, never by reading first. A
            reference that it knows is paid already. It raises `Refused` with the code `not-enough` if one has
            too little, and then nobody has paid. None if nobody can pay with this kind.
        items: Which ones the store has of this kind, their titles by id, the first ones first; forms offer them.
            None if there is only one. An amount then says how many of it.
    """
    if "en" not in title or "zh" not in title:
        raise PluginError(f"the reward {kind!r} needs a title in en and in zh")
    return Reward(kind, dict(title), grant, revoke, balance, spend, cost, items)
