"""The facts of an installation: what core itself knows of members, and what plugins declare."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from sqlalchemy import text

from threepeat.database.engine import Scope
from threepeat.plugins import Registry
from threepeat.sdk.audience import Audience, AudienceError
from threepeat.sdk.facts import Fact, fact
from threepeat.tenancy.errors import Fault, Invalid
from threepeat.tenancy.walking import Path, find

# Who was merged into another is asked about as that one; of whoever is being erased nothing is told any more.
PRESENT = text("""
    SELECT id, created_at FROM core.member
    WHERE tenant_id = :tenant AND id = ANY(CAST(:members AS bigint[]))
      AND merged_into IS NULL AND erase_requested_at IS NULL
""")


def present(scope: Scope, members: Collection[int]) -> dict[int, datetime]:
    """Which of these are members of the store, and since when."""
    return {row.id: row.created_at for row in scope.run(PRESENT, members=sorted(set(members)))}


CORE: Mapping[str, Fact] = {
    one.name: one
    for one in (
        fact(
            "member.since",
            present,
            kind="instant",
            title={"en": "first contact with the store", "zh": "首次接触本店"},
        ),
    )
}
"""What core knows; their `answer` takes a scope instead of a context."""


def catalogue(registry: Registry) -> dict[str, Fact]:
    """Every fact that an audience may name, by name: core's, then the plugins' in serving order."""
    return {**CORE, **{name: one for plugin in registry for name, one in plugin.facts.items()}}


def require_known(value: object, facts: Mapping[str, Fact], path: Path = ()) -> None:
    """Check every audience that was given anywhere in settings or a record.

    Raises:
        Invalid: A condition cannot be answered; the field is its path.
    """
    found = list(faults(value, facts, path))
    if found:
        raise Invalid.every(found)


def faults(value: object, facts: Mapping[str, Fact], path: Path = ()) -> Iterator[Fault]:
    """What `require_known` refuses: for each audience the first condition that cannot be answered."""
    for where, audience in find(Audience, value, path):
        try:
            audience.check(facts)
        except AudienceError as error:
            yield Fault(".".join(map(str, (*where, *error.path))), error.reason)
