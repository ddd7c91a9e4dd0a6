"""Ways to a member. There are the inbox and, for development, the server's log; others are added here.

A channel brings what was decided to be sent, in the transaction that marks it as sent. One that calls the outside
asks for an outbound call there, which is made after the commit and only if there is one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from threepeat.sdk import Context, _
from threepeat_messages.settings import MessagesSettings

Ctx = Context[MessagesSettings]

INBOX, LOG = "inbox", "log"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that goes out now.

    Attributes:
        id: Of its row.
        template: The text before its values were put in, which holds nothing about the member.
        text: What the member reads, by language (`en`, `zh`).
    """

    id: int
    member: int
    plugin: str
    kind: str
    template: Mapping[str, str]
    title: Mapping[str, str]
    text: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to a member.

    Attributes:
        title: What merchants call it.
        bring: Brings a batch of letters.
        ready: Whether the store has it now.
        permission: The platform's template whose one-time permission a message uses up, by plugin and kind; None
            if none is needed. What needs one is sent in a turn of its own, never inside the sender's call.
    """

    name: str
    title: str
    bring: Callable[[Ctx, Sequence[Letter]], None]
    ready: Callable[[Ctx], bool] = lambda ctx: True  # noqa: ARG005 - a default
    permission: Callable[[str, str], str | None] = lambda plugin, kind: None  # noqa: ARG005 - a default


def leave(ctx: Ctx, letters: Sequence[Letter]) -> None:
    """Nothing more is to do: a message that is marked as sent is in the inbox."""
    del ctx, letters


def write_down(ctx: Ctx, letters: Sequence[Letter]) -> None:
    """Write to the server's log what would be said, without any value."""
    for one in letters:
        ctx.log.info(
            "message", message=one.id, member=one.member, of=one.plugin, kind=one.kind, template=one.template["en"]
        )


CHANNELS = {
    one.name: one
    for one in (
        Channel(INBOX, _("Inbox"), leave),
        Channel(LOG, _("Development log"), write_down, ready=lambda ctx: ctx.settings.development),
    )
}
"""Every channel, by name."""


def purposes(channel: str) -> tuple[str, str]:
    """What a member agrees to who reads marketing on a channel: marketing as such, or on this channel."""
    return ("marketing", f"marketing.{channel}")
