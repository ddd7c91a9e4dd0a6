"""Monthly budgets: what a plugin's rewards may cost, charged as the last thing that a transaction does.

Whether a grant is covered is decided by what stands there and by what the transaction owes already; the budget's
row is written right before the commit, by an update that only holds if others have not used it up meanwhile.
So nobody waits for anything while holding a budget, and a command holds it for the time of a commit only.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from psycopg.errors import SerializationFailure
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from threepeat.database.engine import Scope
from threepeat.sdk.context import Store

MOST = 5 * 10**17
"""What a plugin without a limit may spend in a month: nothing wraps around."""

Owed = Counter[tuple[str, date]]
"""What still has to be charged, in minor units by plugin and month; below zero is given back."""

READ = text("""
    SELECT a.monthly_budget, coalesce(sum(b.spent), 0)::bigint AS spent FROM core.activation a
    LEFT JOIN core.budget b ON b.tenant_id = a.tenant_id AND b.plugin = a.plugin AND b.month = :month
    WHERE a.tenant_id = :tenant AND a.plugin = :plugin GROUP BY a.monthly_budget
""")
SPENT = text("""
    SELECT plugin, sum(spent)::bigint AS spent FROM core.budget
    WHERE tenant_id = :tenant AND month = :month GROUP BY plugin
""")
# Where there is a limit, all charges go to the stripe 0, whose row is seen as it is once it is locked; the other
# stripes stand still. Where there is none, each connection adds up in a stripe of its own: nobody waits.
# A limit counts from the first grant that sees it. Differences cannot wrap around, sums could.
CHARGE = text("""
    WITH given AS (
        SELECT plugin, month, cost, a.monthly_budget - (
                   SELECT coalesce(sum(o.spent), 0) FROM core.budget o
                   WHERE o.tenant_id = a.tenant_id AND o.plugin = a.plugin AND o.month = g.month AND o.stripe > 0
               ) AS most
        FROM unnest(CAST(:plugins AS text[]), CAST(:months AS date[]), CAST(:costs AS bigint[]))
             AS g (plugin, month, cost)
        JOIN core.activation a USING (plugin) WHERE a.tenant_id = :tenant
    )
    INSERT INTO core.budget AS b (tenant_id, plugin, month, stripe, spent)
    SELECT :tenant, plugin, month,
           CASE WHEN most IS NULL AND cost > 0 THEN 1 + pg_backend_pid() % 15 ELSE 0 END, cost
    FROM given WHERE cost <= 0 OR cost <= coalesce(most, :most) ORDER BY plugin, month
    ON CONFLICT (tenant_id, plugin, month, stripe) DO UPDATE SET spent = b.spent + excluded.spent
    WHERE excluded.spent <= 0 OR b.spent <= (
        SELECT CASE WHEN b.stripe > 0 THEN :most ELSE g.most END - excluded.spent FROM given g
        WHERE g.plugin = b.plugin AND g.month = b.month)
""")


class OvertakenError(OperationalError):
    """Others have used up a budget since it was read: nothing of the transaction stands, and it may be repeated.

    To whoever repeats transactions it is a serialization failure like PostgreSQL's own.
    """

    def __init__(self) -> None:
        super().__init__("charge budgets", None, SerializationFailure("a budget was used up meanwhile"))


@dataclass(frozen=True, slots=True)
class Budget:
    """A plugin's budget of a month, in minor units; without a limit everything is covered."""

    limit: int | None
    spent: int

    @property
    def room(self) -> int:
        """What is left of it; below zero if the limit was lowered."""
        return (MOST if self.limit is None else self.limit) - self.spent


class Settlement:
    """What a transaction owes to budgets; charged right before it commits."""

    def __init__(self, scope: Scope) -> None:
        self.owed: Owed = Counter()
        self._scope = scope

    def __call__(self) -> None:
        """Charge it.

        Raises:
            OvertakenError: A budget does not cover it any more.
        """
        charges = sorted((plugin, month, cost) for (plugin, month), cost in self.owed.items() if cost)
        if charges:
            charged = self._scope.count(
                CHARGE,
                plugins=[plugin for plugin, _, _ in charges],
                months=[month for _, month, _ in charges],
                costs=[cost for _, _, cost in charges],
                most=MOST,
            )
            if charged != len(charges):
                raise OvertakenError
        self.owed.clear()


def month_of(store: Store, moment: datetime) -> date:
    """The first day of the store's local month."""
    return moment.astimezone(store.timezone).date().replace(day=1)


def read(scope: Scope, plugin: str, month: date) -> Budget:
    """A plugin's budget as it stands, with what this transaction owes already."""
    row = scope.run(READ, plugin=plugin, month=month)[0]
    return Budget(row.monthly_budget, row.spent + settlement(scope).owed[plugin, month])


def spent(scope: Scope, store: Store) -> Mapping[str, int]:
    """What each plugin's rewards of the present month cost, in minor units."""
    month = month_of(store, scope.now)
    found = Counter({row.plugin: row.spent for row in scope.run(SPENT, month=month)})
    found.update({plugin: cost for (plugin, of), cost in settlement(scope).owed.items() if of == month})
    return found


def settlement(scope: Scope) -> Settlement:
    """The transaction's settlement."""
    for last in scope.before_commit:
        if isinstance(last, Settlement):
            return last
    made = Settlement(scope)
    scope.before_commit.append(made)
    return made
