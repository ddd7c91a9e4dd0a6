"""One place for two kinds of people: a store's staff in its tenant, and operators beside all tenants."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, TextClause, text

from threepeat.database.engine import Scope
from threepeat.sdk.wording import _
from threepeat.tenancy import audit
from threepeat.tenancy.errors import NotFound
from threepeat_tenants.accounts.people import Kind, Person, Role


@dataclass(frozen=True, slots=True)
class Both:
    """One statement for either kind of people."""

    staff: TextClause
    operator: TextClause


def both(sql: str) -> Both:
    """Write a statement once.

    Args:
        sql: `{kind}` is the table of the people, `p` its alias, and the beginning of their sessions' and links'
            tables; `{p}` and `{r}` hold what has that alias inside the tenant; `{column}`, `{value}` and `{role}`
            name the tenant and the role where there are any; `{logins}` is what they sign in with.
    """
    return Both(
        text(
            sql.format(
                kind="staff",
                p="p.tenant_id = :tenant AND",
                r="r.tenant_id = :tenant AND",
                column="tenant_id,",
                value=":tenant,",
                role="p.role",
                logins="ARRAY[p.email, p.phone]",
            )
        ),
        text(
            sql.format(
                kind="operator", p="", r="", column="", value="", role="NULL AS role", logins="ARRAY[p.login]"
            )
        ),
    )


HOLD = both("""
    SELECT p.id AS person_id, p.name, {role}, p.locale, p.password_hash, p.disabled_at FROM core.{kind} p
    WHERE {p} p.id = :id FOR NO KEY UPDATE
""")
SET_PASSWORD = both("UPDATE core.{kind} p SET password_hash = :hash WHERE {p} p.id = :id")
SET_LOCALE = both("""
    UPDATE core.{kind} p SET locale = :locale WHERE {p} p.id = :id AND p.locale IS DISTINCT FROM :locale
""")


class Desk:
    """Where one kind of people is kept, in an open transaction.

    Args:
        place: A tenant's scope for its staff; a connection of the ops role for operators.
    """

    def __init__(self, place: Scope | Connection) -> None:
        self._scope = place if isinstance(place, Scope) else None
        self._connection = place.connection if isinstance(place, Scope) else place
        self.kind: Kind = "staff" if isinstance(place, Scope) else "operator"
        self.tenant_id = place.tenant_id if isinstance(place, Scope) else None

    def run(self, statement: Both, /, **binds: object) -> Sequence[Row[Any]]:
        """Run a statement; the tenant is bound already."""
        if self._scope is not None:
            return self._scope.run(statement.staff, **binds)
        result = self._connection.execute(statement.operator, binds)
        return result.all() if result.returns_rows else ()

    def count(self, statement: Both, /, **binds: object) -> int:
        """Run a write and say how many rows it touched."""
        if self._scope is not None:
            return self._scope.count(statement.staff, **binds)
        return self._connection.execute(statement.operator, binds).rowcount

    def one(self, statement: Both, /, **binds: object) -> Row[Any] | None:
        """The first row of the answer, if there is one."""
        rows = self.run(statement, **binds)
        return rows[0] if rows else None

    def hold(self, person_id: int) -> Row[Any]:
        """Lock a person's row. Theirs before those of their sessions and links, everywhere.

        Raises:
            NotFound: There is no such person.
        """
        row = self.one(HOLD, id=person_id) if 0 < person_id < 1 << 63 else None
        if row is None:
            raise NotFound(_("there is no such person"))
        return row

    def set_locale(self, person_id: int, locale: str | None) -> None:
        """Write the language that a person chose for themselves.

        Raises:
            NotFound: There is no such person.
        """
        self.hold(person_id)
        if self.count(SET_LOCALE, id=person_id, locale=locale):
            self.record(f"{self.kind}:{person_id}", "locale_chosen", person_id, locale=locale)

    def last(self, write: Callable[[], None]) -> None:
        """Do it as late as the transaction lets it, so that its locks come after all others."""
        if self._scope is not None:
            self._scope.before_commit.append(write)
        else:
            write()

    def record(self, actor: str, action: str, person_id: int, **details: object) -> None:
        """Write an entry about a person into the trail they belong to."""
        subject = f"{self.kind}:{person_id}"
        if self._scope is not None:
            audit.record(self._scope, actor, f"staff.{action}", subject, **details)
        else:
            audit.record_for_operators(self._connection, actor, f"operator.{action}", subject, **details)

    def person(self, row: Row[Any]) -> Person:
        """The person of a row with name, role and locale."""
        role = None if row.role is None else Role(row.role)
        return Person(self.kind, row.person_id, row.name, role, row.locale)
