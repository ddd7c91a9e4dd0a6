"""How a store stands, in a few figures: for its first page."""

from dataclasses import dataclass

from sqlalchemy import text

from threepeat.events.opened import OpenTenant

# Letters are counted up to a bound: nobody needs to know how many thousands there are.
READ = text("""
    SELECT coalesce((SELECT head FROM core.stream WHERE tenant_id = :tenant), 0) AS head,
           EXISTS (SELECT FROM core.identity WHERE tenant_id = :tenant AND kind = 'shop') AS members,
           (SELECT count(*) FROM (
               SELECT FROM core.dead_letter WHERE tenant_id = :tenant AND state = 'waiting' LIMIT :most) l)
         + (SELECT count(*) FROM (
               SELECT FROM core.timer WHERE tenant_id = :tenant AND failed_at IS NOT NULL LIMIT :most) t
           ) AS letters
""")
MOST = 1000


@dataclass(frozen=True, slots=True)
class Store:
    """How a store stands.

    Attributes:
        head: Position of its newest event; 0 if there is none.
        members: It has some.
        tactics: How many are on.
        letters: Events, deadlines and calls that failed and wait to be tried again, counted up to a bound.
    """

    head: int
    members: bool
    tactics: int
    letters: int


def read(opened: OpenTenant) -> Store:
    """How a store stands now."""
    row = opened.scope.run(READ, most=MOST)[0]
    tactics = sum(one.slot is not None for one in opened.activations.values())
    return Store(row.head, row.members, tactics, row.letters)
