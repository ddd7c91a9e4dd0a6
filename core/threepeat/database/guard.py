"""The second lock: a session for plugin code that stays inside its tenant and its transaction.

Row-level security is the guarantee; this guard turns a slip into a clear error at the line that made it.
"""

from collections.abc import Iterator
from typing import Any, NoReturn, cast

from sqlalchemy import (
    BindParameter,
    ColumnClause,
    CompoundSelect,
    Connection,
    Delete,
    Insert,
    Lateral,
    Select,
    TableClause,
    TableValuedAlias,
    TextClause,
    TextualSelect,
    Update,
    event,
)
from sqlalchemy.orm import FromStatement, ORMExecuteState, Session, UOWTransaction, with_loader_criteria
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql import ClauseElement, operators
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, Grouping
from sqlalchemy.sql.selectable import AliasedReturnsRows, FromClauseAlias

from threepeat.sdk.errors import PluginError
from threepeat.sdk.models import TenantOwned

TENANT_COLUMN = "tenant_id"
PARTS = (Select, CompoundSelect, Update, Delete)
TEXT = "ad-hoc text() is refused: put the statement into sql/ and call ctx.sql(name)"


class GuardError(PluginError):
    """Plugin code reached outside its tenant or its transaction."""


class GuardedSession(Session):
    """An ORM session bound to a tenant's open transaction."""

    def __init__(self, connection: Connection, tenant_id: int) -> None:
        super().__init__(bind=connection, join_transaction_mode="rollback_only", expire_on_commit=False)
        self.tenant_id = tenant_id
        self._open = True
        event.listen(self, "do_orm_execute", self._on_execute)
        event.listen(self, "before_flush", self._on_flush)

    def commit(self) -> NoReturn:
        """Refused: core commits effects and position together."""
        raise GuardError("ctx.db.commit() is refused: core commits when the handler returns")

    def rollback(self) -> NoReturn:
        """Refused: raising an exception undoes the call."""
        raise GuardError("ctx.db.rollback() is refused: raise an exception to undo the call")

    def connection(self, *_: Any, **__: Any) -> NoReturn:
        """Refused: a bare connection knows no tenant."""
        raise GuardError("ctx.db.connection() is refused: use the ORM, or ctx.sql for set-based statements")

    def begin(self, *_: Any, **__: Any) -> NoReturn:
        """Refused: the transaction is open."""
        raise GuardError("ctx.db.begin() is refused: the transaction is open already")

    def finish(self) -> None:
        """Write what is pending and let go of the objects; the transaction stays open."""
        self.flush()
        self.expunge_all()

    def bulk_save_objects(self, *_: Any, **__: Any) -> NoReturn:
        """Refused: the old bulk calls pass every check by."""
        raise GuardError(
            "ctx.db's bulk_… calls are refused: use ctx.db.add_all() or ctx.db.execute(insert(…), rows)"
        )

    bulk_insert_mappings = bulk_save_objects
    bulk_update_mappings = bulk_save_objects

    def _on_execute(self, state: ORMExecuteState) -> None:
        statement = state.statement
        if isinstance(statement, (TextClause, TextualSelect, FromStatement, ExecutableDDLElement)):
            raise GuardError(TEXT)
        if isinstance(statement, (Insert, Update)):
            self._check_values(state, statement)
        orm = state.is_orm_statement and not isinstance(statement, Insert)
        _Part(cast("ClauseElement", statement), self.tenant_id, orm=orm).check()
        if orm:
            tenant_id = self.tenant_id
            state.statement = statement.options(
                with_loader_criteria(TenantOwned, lambda model: model.tenant_id == tenant_id, include_aliases=True)
            )

    def _check_values(self, state: ORMExecuteState, statement: Insert | Update) -> None:
        """Stamp the rows of an INSERT and of an ORM bulk UPDATE; refuse values of another tenant."""
        insert = isinstance(statement, Insert)
        given: Any = state.parameters
        rows: list[dict[str, Any]] = given if isinstance(given, list) else [given] if given else []
        for row in rows:
            if insert or (state.is_orm_statement and isinstance(given, list)):
                row.setdefault(TENANT_COLUMN, self.tenant_id)
        named = {row.get(TENANT_COLUMN, self.tenant_id) for row in rows}
        for target, value in (statement._values or {}).items():  # noqa: SLF001 - a compiler of ours would be longer
            if getattr(target, "key", target) == TENANT_COLUMN:
                named.add(value.effective_value if isinstance(value, BindParameter) else value)
        if isinstance(statement, Insert) and (not named or statement.select is not None):
            raise GuardError(f"an INSERT into {_name(statement.table)} lacks this tenant's tenant_id")
        if any(not isinstance(value, int) or value != self.tenant_id for value in named):
            raise GuardError(f"the statement gives rows of {_name(statement.table)} to another tenant")

    def _on_flush(self, _session: Session, _context: UOWTransaction, _instances: object) -> None:
        for row in (*self.new, *self.dirty, *self.deleted):
            if isinstance(row, TenantOwned):
                if row.tenant_id is None and row in self.new:
                    row.tenant_id = self.tenant_id
                if row.tenant_id != self.tenant_id:
                    raise GuardError(f"a row of {type(row).__name__} names another tenant")


class _Part:
    """A SELECT, UPDATE or DELETE: the tables it reads or writes and the conditions that tie them to the tenant.

    Args:
        part: The statement, or one inside it.
        tenant_id: The tenant.
        orm: The session adds the condition for mapped classes.
        outer: What the statement around it ties; a subquery in a condition may refer to it.
    """

    def __init__(
        self, part: ClauseElement, tenant_id: int, *, orm: bool, outer: frozenset[Any] = frozenset()
    ) -> None:
        self._tenant_id = tenant_id
        self._orm = orm
        self._seats: set[Any] = set()
        self._mapped: set[Any] = set()
        self._inside: list[tuple[ClauseElement, bool]] = []
        self._tied: set[Any] = set(outer)
        for element in _walk(part):
            self._look(element)
        if isinstance(part, (Select, Update, Delete)) and part.whereclause is not None:
            self._tie(part.whereclause)
        if isinstance(part, Select):
            for _, condition, _, how in part._setup_joins:  # noqa: SLF001 - they are no Join before it is compiled
                if not (how["isouter"] or how["full"]):
                    self._tie(condition)
        if isinstance(part, (Update, Delete)):
            self._seats.add(part.table)
            self._mapped &= {part.table}  # the session adds no condition for the other classes of a write
        if orm:
            self._tied |= self._mapped
        if isinstance(part, Insert):
            self._tied.add(part.table)  # its rows were checked

    def check(self) -> None:
        """Refuse it if it leaves a table open, or anything inside it does.

        Raises:
            GuardError: So it is.
        """
        for seat in self._seats - self._tied:
            raise GuardError(f"the statement reads or writes {_name(seat)} without tenant_id = the tenant")
        for part, sees in self._inside:
            outer = frozenset(self._tied if sees else ())
            _Part(part, self._tenant_id, orm=self._orm, outer=outer).check()

    def _look(self, element: ClauseElement) -> None:
        if isinstance(element, TextClause):
            raise GuardError(TEXT)
        if isinstance(element, Insert) or isinstance(getattr(element, "element", None), Insert):
            raise GuardError("an INSERT inside another statement is refused: use ctx.sql(name)")
        if isinstance(element, PARTS):
            self._inside.append((element, True))
        elif _is_table(element):
            self._seats.add(element)
            if _of_class(element):
                self._mapped.add(element)
        elif isinstance(element, AliasedReturnsRows) and not isinstance(element, TableValuedAlias):
            self._inside.append((element.element, isinstance(element, Lateral)))
        elif isinstance(element, ColumnClause) and _is_table(element.table) and _of_class(element):
            self._mapped.add(element.table)

    def _tie(self, condition: Any) -> None:
        if isinstance(condition, Grouping):
            self._tie(condition.element)
        elif isinstance(condition, BooleanClauseList) and condition.operator is operators.and_:
            for clause in condition.clauses:
                self._tie(clause)
        elif isinstance(condition, BinaryExpression) and condition.operator is operators.eq:
            left, right = condition.left, condition.right
            if (
                isinstance(left, ColumnClause)
                and left.name == TENANT_COLUMN
                and isinstance(right, BindParameter)
                and right.unique
                and right.effective_value == self._tenant_id
            ):
                self._tied.add(left.table)


def _walk(part: ClauseElement) -> Iterator[ClauseElement]:
    """The elements of a statement, but not of the statements and tables inside it."""
    seen: set[int] = set()
    waiting: list[Any] = list(part.get_children())
    while waiting:
        element = waiting.pop()
        if id(element) in seen:
            continue
        seen.add(id(element))
        yield element
        if isinstance(element, ColumnClause):
            waiting += [element.table] if element.table is not None else []
        elif isinstance(element, TableValuedAlias) or not isinstance(
            element, (*PARTS, Insert, AliasedReturnsRows)
        ):
            waiting += element.get_children()


def _is_table(element: object) -> bool:
    return isinstance(element, TableClause) or (
        isinstance(element, FromClauseAlias) and isinstance(element.element, TableClause)
    )


def _of_class(element: ClauseElement) -> bool:
    return "parententity" in element._annotations  # noqa: SLF001 - SQLAlchemy tells it nowhere else


def _name(table: Any) -> str:
    return str(getattr(table, "name", table))
