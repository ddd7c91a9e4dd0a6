"""After a turn that took its worker down: things are handed over singly, and each attempt is counted first.

The count is committed before the attempt, in a transaction of its own, so that it survives what the attempt
does to the process.
"""

from sqlalchemy import text

from threepeat.database.engine import Database, Scope
from threepeat.tenancy.tenants import Tenant

ATTEMPTS = 3

COUNT = text("""
    INSERT INTO core.attempt AS a (tenant_id, plugin, what, attempts) VALUES (:tenant, :plugin, :what, 1)
    ON CONFLICT (tenant_id, plugin, what) DO UPDATE SET attempts = a.attempts + 1
    RETURNING attempts
""")
DONE = text("""
    DELETE FROM core.attempt a USING unnest(CAST(:plugins AS text[]), CAST(:whats AS text[])) AS d (plugin, what)
    WHERE a.tenant_id = :tenant AND a.plugin = d.plugin AND a.what = d.what
""")
UNCOUNT = text("""
    UPDATE core.attempt SET attempts = attempts - 1 WHERE tenant_id = :tenant AND plugin = :plugin AND what = :what
""")


class Careful:
    """Counts the attempts of one turn."""

    def __init__(self, database: Database, tenant: Tenant) -> None:
        self._database = database
        self._tenant = tenant
        self._begun: list[tuple[str, str]] = []

    def exceeded(self, plugin: str, what: str) -> bool:
        """Count an attempt that is about to begin; true if there were enough already."""
        with self._database.tenant(self._tenant.id) as scope:
            row = scope.one(COUNT, plugin=plugin, what=what)
        self._begun.append((plugin, what))
        return row is not None and row.attempts > ATTEMPTS

    def finish(self, scope: Scope) -> None:
        """Forget the attempts of this turn, in the transaction that makes their effects stand."""
        plugins, whats = [plugin for plugin, _ in self._begun], [what for _, what in self._begun]
        scope.run(DONE, plugins=plugins, whats=whats)

    def excuse(self) -> None:
        """The last attempt ended because the database went away: that is not its fault."""
        if self._begun:
            plugin, what = self._begun[-1]
            with self._database.tenant(self._tenant.id) as scope:
                scope.run(UNCOUNT, plugin=plugin, what=what)
