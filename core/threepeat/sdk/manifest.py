"""The label on a plugin: plain data, readable without side effects."""

import re
from dataclasses import dataclass
from typing import Literal

from threepeat.sdk.errors import PluginError

PLUGIN_ID = re.compile(r"[a-z][a-z0-9_]{1,30}")
RESERVED_IDS = frozenset(
    {"core", "public", "information_schema", "threepeat", "member", "me", "offers", "export", "consents"}
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """Who a plugin is and what it stands on.

    Attributes:
        id: Lower-case identifier. It names the database schema, the routes and the settings.
        kind: `tactic` (a merchant toggles it, counts against the cap) or `service` (tactics stand on it).
        title: Name shown to merchants.
        summary: One sentence shown to merchants.
        requires: Ids of services that must be there, served before this plugin.
        holdout: `member` keeps a comparison group of members; `none` where members interfere or have paid.

    Raises:
        PluginError: The id is malformed or reserved.
    """

    id: str
    kind: Literal["tactic", "service"]
    title: str
    summary: str
    requires: tuple[str, ...] = ()
    holdout: Literal["member", "none"] = "member"

    def __post_init__(self) -> None:
        if not PLUGIN_ID.fullmatch(self.id):
            raise PluginError(f"the id {self.id!r} must match {PLUGIN_ID.pattern}")
        if self.id in RESERVED_IDS or self.id.startswith("pg_"):
            raise PluginError(f"the id {self.id!r} is reserved")
        if self.kind == "service" and self.holdout == "member":
            object.__setattr__(self, "holdout", "none")
