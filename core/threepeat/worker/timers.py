"""Deadlines and schedules that have come, handed to their plugin in batches."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import Row, text

from threepeat.database.engine import Scope
from threepeat.events.context import PluginContext
from threepeat.events.opened import OpenTenant
from threepeat.plugins import Installed
from threepeat.sdk.errors import PluginError
from threepeat.sdk.timers import Due, Occurrence, Schedule
from threepeat.tenancy.switches import SwitchState
from threepeat.worker import calendar

# One index probe for each plugin and kind, however many rows are not due yet. The instant is bound: under
# row-level security a condition on core.now() would not reach the index.
DUE = text("""
    SELECT t.place, t.plugin, t.kind, t.name, t.key, t.due_at, t.member_id, t.payload, t.depth
    FROM unnest(CAST(:plugins AS text[])) AS p (plugin), unnest(CAST(:kinds AS text[])) AS k (kind),
    LATERAL (
        SELECT t.ctid AS place, t.* FROM core.timer t
        WHERE t.tenant_id = :tenant AND t.plugin = p.plugin AND t.kind = k.kind AND t.due_at <= :now
        ORDER BY t.due_at LIMIT :most
    ) t
    ORDER BY t.due_at, t.name, t.key LIMIT :most
""")
NEXT = text("""
    SELECT g.plugin, g.kind, t.due_at
    FROM unnest(CAST(:plugins AS text[]), CAST(:kinds AS text[])) AS g (plugin, kind),
    LATERAL (
        SELECT t.due_at FROM core.timer t
        WHERE t.tenant_id = :tenant AND t.plugin = g.plugin AND t.kind = g.kind
        ORDER BY t.due_at LIMIT 1
    ) t
    WHERE t.due_at IS NOT NULL
""")
# Each row is looked up at the place where it was read, which costs the same however many others are open. A row
# that was set again since then is elsewhere and stays; name and key say that no other row has taken its place.
# Rows are locked in the order of their keys.
FIRED = text("""
    WITH locked AS (
        SELECT t.place FROM (
            SELECT * FROM unnest(CAST(:places AS tid[]), CAST(:names AS text[]), CAST(:keys AS text[]),
                                 CAST(:dues AS timestamptz[])) AS given (place, name, key, due_at)
            ORDER BY name, key
        ) AS given, LATERAL (
            SELECT t.ctid AS place FROM core.timer t
            WHERE t.tenant_id = :tenant AND t.plugin = :plugin AND t.kind = 'timer' AND t.ctid = given.place
              AND (t.name, t.key, t.due_at) = (given.name, given.key, given.due_at)
            FOR UPDATE
        ) AS t
    )
    DELETE FROM core.timer t
    WHERE t.tenant_id = :tenant AND t.ctid = ANY(ARRAY(SELECT place FROM locked))
    RETURNING t.name, t.key
""")
GIVEN_UP = text("""
    UPDATE core.timer SET due_at = NULL, failed_at = core.now(), error = :error, attempts = attempts + 1
    WHERE tenant_id = :tenant AND plugin = :plugin AND kind = 'timer' AND name = :name AND key = :key
""")
PLAN = text("""
    INSERT INTO core.timer AS t (tenant_id, plugin, kind, name, key, due_at, payload)
    SELECT :tenant, plugin, 'schedule', name, '', due_at, jsonb_build_object('rule', rule)
    FROM unnest(CAST(:plugins AS text[]), CAST(:names AS text[]), CAST(:dues AS timestamptz[]),
                CAST(:rules AS text[])) AS given (plugin, name, due_at, rule)
    ORDER BY plugin, name
    ON CONFLICT (tenant_id, plugin, kind, name, key) DO UPDATE
    SET due_at = excluded.due_at, payload = t.payload || excluded.payload
    WHERE t.payload ->> 'rule' IS DISTINCT FROM excluded.payload ->> 'rule'
""")
UNPLAN = text("""
    DELETE FROM core.timer t
    WHERE t.tenant_id = :tenant AND t.kind = 'schedule' AND t.plugin = ANY(CAST(:all AS text[]))
      AND (t.plugin, t.name) NOT IN (SELECT * FROM unnest(CAST(:plugins AS text[]), CAST(:names AS text[])))
""")
PLAN_NEXT = text("""
    UPDATE core.timer SET due_at = :due, payload = payload || CAST(:payload AS jsonb), error = :error
    WHERE tenant_id = :tenant AND plugin = :plugin AND kind = 'schedule' AND name = :name AND due_at = :was
""")


def due(scope: Scope, plugins: Collection[str], kinds: Collection[str], most: int) -> list[Row[Any]]:
    """Rows whose time has come, the earliest first."""
    if not plugins:
        return []
    return list(scope.run(DUE, plugins=list(plugins), kinds=list(kinds), most=most, now=scope.now))


def next_due(scope: Scope, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], datetime]:
    """When the next row of plugins and kinds is due, by the tenant's clock.

    Pairs of a plugin and a kind without any are absent; a row that failed is never due.
    """
    rows = scope.run(NEXT, plugins=[name for name, _ in wanted], kinds=[kind for _, kind in wanted])
    return {(row.plugin, row.kind): row.due_at for row in rows}


@dataclass
class Deadlines:
    """Deadlines on their way to one plugin; it is the `Work` of a share.

    Attributes:
        places: Where the row of each name and key was read.
    """

    opened: OpenTenant
    plugin: Installed
    places: Mapping[tuple[str, str], str]

    def free(self, items: Sequence[Due]) -> list[Due]:
        """All of them: deadlines wait for nobody's letters."""
        return list(items)

    def run(self, context: PluginContext, items: Sequence[Due]) -> Sequence[Due] | None:
        """Hand them over and remove them.

        Returns:
            None; or, if some were cancelled or set again meanwhile, the others.
        """
        for name, group in groupby(items, key=lambda item: item.name):
            handler = self.plugin.timers.get(name)
            if handler is None:
                raise PluginError(f"{self.plugin.id} does not declare the timer {name!r} any more")
            handler.handler(context, list(group))
        gone = {(row.name, row.key) for row in self._remove(items)}
        return None if len(gone) == len(items) else [item for item in items if (item.name, item.key) in gone]

    def failed(self, item: Due, error: str) -> None:
        """Give a deadline up."""
        self.opened.scope.run(GIVEN_UP, plugin=self.plugin.id, name=item.name, key=item.key, error=error)

    def name(self, item: Due) -> str:
        """What it is called among the counted attempts."""
        return f"timer:{item.name}:{item.key}"

    def depth(self, item: Due) -> int:
        """How many events caused one another to bring it about."""
        return item.depth

    def _remove(self, items: Sequence[Due]) -> Sequence[Row[Any]]:
        return self.opened.scope.run(
            FIRED,
            plugin=self.plugin.id,
            places=[self.places[item.name, item.key] for item in items],
            names=[item.name for item in items],
            keys=[item.key for item in items],
            dues=[item.due_at for item in items],
        )


@dataclass
class Occurrences:
    """Schedules of one plugin whose time has come; it is the `Work` of a share."""

    opened: OpenTenant
    plugin: Installed

    def free(self, items: Sequence[Occurrence]) -> list[Occurrence]:
        """All of them."""
        return list(items)

    def run(self, context: PluginContext, items: Sequence[Occurrence]) -> None:
        """Run each schedule that runs in the plugin's state, and plan it anew."""
        closing = self.opened.state(self.plugin.id) is not SwitchState.ENABLED
        for item in items:
            declared = self.plugin.schedules[item.name]
            if declared.always or not closing:
                declared.handler(context, item)
            self._plan(item, {"previous": item.day.isoformat()}, None)

    def failed(self, item: Occurrence, error: str) -> None:
        """Leave it for the next time, which makes up for this one."""
        self._plan(item, {}, error)

    def name(self, item: Occurrence) -> str:
        """What it is called among the counted attempts."""
        return f"schedule:{item.name}:{item.day}"

    def depth(self, item: Occurrence) -> int:  # noqa: ARG002 - nothing caused it
        """Nothing caused it but time."""
        return 0

    def _plan(self, item: Occurrence, payload: dict[str, str], error: str | None) -> None:
        scope, zone = self.opened.scope, self.opened.tenant.store.timezone
        following = calendar.after(self.plugin.schedules[item.name], zone, scope.now)[1]
        scope.run(
            PLAN_NEXT,
            plugin=self.plugin.id,
            name=item.name,
            was=item.due_at,
            due=following,
            payload=orjson.dumps(payload).decode(),
            error=error,
        )


def deadlines(rows: Iterable[Row[Any]]) -> list[Due]:
    """Rows of kind `timer` as their handlers see them."""
    return [
        Due(row.name, row.key, row.due_at.astimezone(UTC), row.member_id, row.payload, row.depth) for row in rows
    ]


def occurrences(opened: OpenTenant, plugin: Installed, rows: Iterable[Row[Any]]) -> list[Occurrence]:
    """Rows of kind `schedule` as their handlers see them, for the latest day that has come."""
    zone, now = opened.tenant.store.timezone, opened.scope.now
    found = []
    for row in rows:
        if row.name in plugin.schedules:
            before = row.payload.get("previous")
            day = calendar.latest(plugin.schedules[row.name], zone, now)
            previous = date.fromisoformat(before) if before else None
            found.append(Occurrence(row.name, day, row.due_at.astimezone(UTC), previous))
    return found


def plan(opened: OpenTenant, plugins: Sequence[Installed]) -> None:
    """See to it that every schedule has its row, under its present rule, and no other row is left."""
    zone, now = opened.tenant.store.timezone, opened.scope.now
    wanted = [(plugin.id, one) for plugin in plugins for one in plugin.schedules.values()]
    names = {"plugins": [plugin for plugin, _ in wanted], "names": [one.name for _, one in wanted]}
    opened.scope.run(UNPLAN, all=[plugin.id for plugin in plugins], **names)
    opened.scope.run(
        PLAN,
        dues=[calendar.after(one, zone, now)[1] for _, one in wanted],
        rules=[_rule(one, str(zone)) for _, one in wanted],
        **names,
    )


def _rule(schedule: Schedule, zone: str) -> str:
    return f"{schedule.at.isoformat()} {schedule.weekday} {schedule.day} {zone}"
