"""Tables of a plugin: every row belongs to a tenant, and personal rows say what erasure does to them."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from sqlalchemy import BigInteger, DateTime, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column


class TenantOwned:
    """Mixin of every model: puts `tenant_id` first and maps int, str, datetime and dict to column types.

    Example:
        class Base(TenantOwned, DeclarativeBase):
            metadata = MetaData(schema="points")
    """

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInteger,
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
    }

    tenant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, sort_order=-1)


@dataclass(frozen=True, slots=True)
class OnErase:
    """What happens to a member's rows when the member is erased."""

    action: Literal["delete", "anonymise", "keep"]
    reason: str = ""


DELETE = OnErase("delete")
ANONYMISE = OnErase("anonymise")


def keep(reason: str) -> OnErase:
    """Keep the rows, and say why a regulator would agree."""
    return OnErase("keep", reason)


def personal(member: str, *, on_erase: OnErase, keeps: Collection[str] = ()) -> str:
    """The comment that marks a table as holding personal data.

    Core reads it from the database's catalogue, so erasure and export work without the plugin's code.

    Args:
        member: The column with core's member id.
        on_erase: `DELETE`, `ANONYMISE` or `keep(reason)`. To anonymise a row puts a random negative number in
            the place of the member, and a hash in the place of every text, under a key that is thrown away:
            equal texts of one member get equal hashes, so rows still find each other. JSON becomes null or
            `{}`. Numbers, flags, dates and enumerations stay: a birthday or a place belongs in a table with
            `DELETE`. Rows of erased people count for the sums, but nobody can claim anything by them.
        keeps: Text columns that anonymising leaves alone. Each needs a CHECK constraint that refuses free text,
            or a foreign key to a table without people.
    """
    comment = {"member": member, "on_erase": on_erase.action, "reason": on_erase.reason}
    return json.dumps({**comment, "keeps": sorted(keeps)} if keeps else comment)
