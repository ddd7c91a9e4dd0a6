"""A message service for tests: it keeps what plugins say, and nothing else."""

from collections.abc import Iterable, Sequence
from typing import Any

from threepeat.sdk import Context, Manifest, Message, Plugin, PluginSettings, Provided, hookimpl, provide_messages


class Postbox(Plugin[PluginSettings]):
    """Takes everything that is said; put it into a test's registry beside the plugin under test.

    Attributes:
        taken: What it was handed, in order, also by calls that were undone afterwards.
    """

    manifest = Manifest(id="postbox", kind="service", title="Postbox", summary="Keeps what is said.")
    settings_model = PluginSettings

    def __init__(self) -> None:
        self.taken: list[Message] = []

    @hookimpl
    def provides(self) -> Iterable[Provided]:
        """Itself."""
        yield provide_messages(self._opened)

    def send(self, messages: Sequence[Message]) -> None:
        """Keep a batch."""
        self.taken += messages

    def said(self, kind: str, member: int | None = None) -> list[dict[str, str]]:
        """The values in English of every message of a kind, of one member or of all, in order."""
        return [dict(one.values["en"]) for one in self.taken if one.kind == kind and member in {None, one.member}]

    def _opened(self, ctx: Context[Any]) -> "Postbox":
        del ctx
        return self
