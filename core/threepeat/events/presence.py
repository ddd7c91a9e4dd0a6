"""What a database knows of plugins, installed or not: how they stand, who has them on, what they keep."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from threepeat.database import migrate
from threepeat.database.migrate import State
from threepeat.database.personal import PersonalTable, personal_tables
from threepeat.events import plugin_checks
from threepeat.events.platform import sources
from threepeat.events.plugin_checks import PluginCheck
from threepeat.plugins import Registry
from threepeat.sdk.migrations import Roles

STORES = text("""
    SELECT plugin, count(*) FILTER (WHERE state = 'enabled') AS enabled,
           count(*) FILTER (WHERE state = 'closing') AS closing
    FROM core.activation WHERE state <> 'off' GROUP BY plugin
""")


@dataclass(frozen=True, slots=True)
class Presence:
    """What a database knows of plugins.

    Attributes:
        states: How the schema of each plugin stands to its code; one without tables has none.
        enabled: In how many stores each is on; who is missing is on in none.
        closing: In how many stores each is closing.
        personal: The tables of each that hold members' data.
        checks: What came of checking each; none where core's schema is pending.
    """

    states: Mapping[str, State]
    enabled: Mapping[str, int]
    closing: Mapping[str, int]
    personal: Mapping[str, Sequence[PersonalTable]]
    checks: Mapping[str, PluginCheck]

    @property
    def dormant(self) -> list[str]:
        """The plugins of which only the tables are left, by name."""
        return sorted(name for name, state in self.states.items() if state is State.DORMANT)


def read(ops: Connection, roles: Roles, registry: Registry) -> Presence:
    """Read it as ops.

    Args:
        ops: A connection of the ops role.
        roles: The roles of the database.
        registry: The plugins whose code is here; to it the schemas are compared.
    """
    schemas = migrate.status(ops, roles, [migrate.CORE, *sources(registry)])
    states = {one.schema: one.state for one in schemas}
    current = states.pop(migrate.CORE.schema) is not State.PENDING
    stores = ops.execute(STORES).all()
    personal: dict[str, list[PersonalTable]] = defaultdict(list)
    for one in personal_tables(ops):
        personal[one.table.schema].append(one)
    return Presence(
        states=states,
        enabled={row.plugin: row.enabled for row in stores},
        closing={row.plugin: row.closing for row in stores},
        personal=dict(personal),
        checks=plugin_checks.read(ops) if current else {},
    )
