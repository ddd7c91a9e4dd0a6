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
SURVIVED = text("DELETE FROM core.attempt WHERE tenant_id = :tenant AND plugin = :plugin AND what = :what")
UNCOUNT = text("""
    UPDATE core.attempt SET attempts = attempts - 1 WHERE tenant_id = :tenant AND plugin = :plugin AND what = :what
""")


class Careful:
    """Counts the attempts of one turn: only the one that is under way counts, whatever the turn comes to."""

    def __init__(self, database: Database, tenant: Tenant) -> None:
        self._database = database
        self._tenant = tenant
        self._under_way: tuple[str, str] | None = None
        self._given_up: list[tuple[str, str]] = []

    def exceeded(self, plugin: str, what: str) -> bool:
        """Count an attempt that is about to begin; true if there were enough already.

        The one before it came to its end, so it is not what takes the worker down.
        """
        with self._database.tenant(self._tenant.id) as scope:
            self._survived(scope)
            row = scope.one(COUNT, plugin=plugin, what=what)
        if row is not None and row.attempts > ATTEMPTS:
            # It stays counted until the turn stands that puts it aside: another may end the worker before.
            self._given_up.append((plugin, what))
            self._under_way = None
            return True
        self._under_way = (plugin, what)
        return False

    def finish(self, scope: Scope) -> None:
        """Forget the attempts of this turn, in the transaction that makes it stand."""
        self._survived(scope)
        for plugin, what in self._given_up:
            scope.run(SURVIVED, plugin=plugin, what=what)
        self._under_way, self._given_up = None, []

    def excuse(self) -> None:
        """The attempt under way ended because the database went away: that is not its fault."""
        if self._under_way is not None:
            plugin, what = self._under_way
            with self._database.tenant(self._tenant.id) as scope:
                scope.run(UNCOUNT, plugin=plugin, what=what)

    def _survived(self, scope: Scope) -> None:
        if self._under_way is not None:
            plugin, what = self._under_way
            scope.run(SURVIVED, plugin=plugin, what=what)
