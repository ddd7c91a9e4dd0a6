"""Every kind of message that the store's plugins send, with what the merchant made of it."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import KnownKind
from threepeat.sdk.messages import fill
from threepeat_messages.channels import INBOX, Ctx, Letter


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind as it is sent now.

    Attributes:
        known: What its plugin says.
        texts: The merchant's own, by language; those that are missing are the plugin's.
        changed_at: When the merchant last changed it; None if never.
    """

    known: KnownKind
    enabled: bool
    channel: str
    texts: Mapping[str, str]
    revision: int
    changed_at: datetime | None

    @property
    def template(self) -> Mapping[str, str]:
        """The text in each language, with its placeholders."""
        return {**self.known.text, **self.texts}

    def letter(self, row: int, member: int, values: Mapping[str, Mapping[str, str]]) -> Letter | None:
        """The message that a member reads: what a merchant's text cannot say any more, the plugin's own says.

        Returns:
            None if no text fits the values: while they waited, the plugin has come to need others.
        """
        known, said = self.known, {}
        for language, template in self.template.items():
            given = values.get(language) or values.get("en") or {}
            found = _first((template, known.text[language], known.text["en"]), given)
            if found is None:
                return None
            said[language] = found
        return Letter(row, member, known.plugin, known.name, self.template, known.title, said)


def every(ctx: Ctx) -> dict[tuple[str, str], Kind]:
    """All of them by plugin and name, in the order of the plugins."""
    changed = {(row.plugin, row.kind): row for row in ctx.sql("templates")}
    return {(one.plugin, one.name): _kind(one, changed.get((one.plugin, one.name))) for one in ctx.message_kinds}


def _first(texts: Iterable[str], values: Mapping[str, str]) -> str | None:
    """The first text that the values fit, filled."""
    for text in texts:
        with suppress(ValueError):
            return fill(text, values)
    return None


def _kind(known: KnownKind, row: Row[Any] | None) -> Kind:
    if row is None:
        return Kind(known, enabled=True, channel=INBOX, texts={}, revision=1, changed_at=None)
    texts = {"en": row.text_en, "zh": row.text_zh}
    return Kind(
        known,
        enabled=row.enabled,
        channel=row.channel,
        texts={language: said for language, said in texts.items() if said},
        revision=row.revision,
        changed_at=row.changed_at,
    )
