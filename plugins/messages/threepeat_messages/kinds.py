"""Every kind of message that the store's plugins send, with what the merchant made of it."""

from collections.abc import Mapping
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

    def letter(self, row: int, member: int, values: Mapping[str, Mapping[str, str]]) -> Letter:
        """The message that a member reads; what a merchant's text cannot say any more, the plugin's own says."""
        known, said = self.known, {}
        for language, template in self.template.items():
            given = values.get(language) or values.get("en") or {}
            try:
                said[language] = fill(template, given)
            except ValueError:
                said[language] = fill(known.text["en"], given)
        return Letter(row, member, known.plugin, known.name, self.template, known.title, said)


def every(ctx: Ctx) -> dict[tuple[str, str], Kind]:
    """All of them by plugin and name, in the order of the plugins."""
    changed = {(row.plugin, row.kind): row for row in ctx.sql("templates")}
    return {(one.plugin, one.name): _kind(one, changed.get((one.plugin, one.name))) for one in ctx.message_kinds}


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
