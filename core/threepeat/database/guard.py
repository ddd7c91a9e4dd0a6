"""The second lock: a session for plugin code that stays inside its tenant and its transaction.

Row-level security is the guarantee; this guard turns a slip into a clear error at the line that made it.
"""

from typing import Any, NoReturn, cast

from sqlalchemy import BindParameter, Column, Connection, Executable, Insert, Table, TextClause, event
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria
from sqlalchemy.sql import ClauseElement, operators, visitors
from sqlalchemy.sql.elements import BinaryExpression

from threepeat.sdk.errors import PluginError
from threepeat.sdk.models import TenantOwned

TENANT_COLUMN = "tenant_id"


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

    def _on_execute(self, state: ORMExecuteState) -> None:
        statement = state.statement
        if state.is_orm_statement:
            if isinstance(statement, Insert):
                self._stamp(state)
            else:
                tenant_id = self.tenant_id
                state.statement = statement.options(
                    with_loader_criteria(
                        TenantOwned, lambda model: model.tenant_id == tenant_id, include_aliases=True
                    )
                )
        elif isinstance(statement, TextClause):
            raise GuardError("ad-hoc text() is refused: put the statement into sql/ and call ctx.sql(name)")
        else:
            self._require_tenant(statement)

    def _stamp(self, state: ORMExecuteState) -> None:
        given: Any = state.parameters
        rows: list[dict[str, Any]] = given if isinstance(given, list) else [given] if given else []
        for row in rows:
            if row.setdefault(TENANT_COLUMN, self.tenant_id) != self.tenant_id:
                raise GuardError("an INSERT names another tenant")
        if not rows:
            self._require_tenant(state.statement)

    def _require_tenant(self, statement: Executable) -> None:
        tables: set[Table] = set()
        bound: set[Any] = set()
        if isinstance(statement, Insert):
            values = statement.compile().params
            if values.get(TENANT_COLUMN) != self.tenant_id:
                raise GuardError(f"an INSERT into {statement.table.name} lacks this tenant's tenant_id")
            return
        for element in visitors.iterate(cast("ClauseElement", statement)):
            if isinstance(element, Table) and TENANT_COLUMN in element.c:
                tables.add(element)
            elif isinstance(element, BinaryExpression) and element.operator is operators.eq:
                left, right = element.left, element.right
                if (
                    isinstance(left, Column)
                    and left.name == TENANT_COLUMN
                    and isinstance(right, BindParameter)
                    and right.effective_value == self.tenant_id
                ):
                    bound.add(left.table)
        for table in tables - bound:
            raise GuardError(f"the statement reads or writes {table.name} without tenant_id = the tenant")

    def _on_flush(self, _session: Session, _context: UOWTransaction, _instances: object) -> None:
        for row in (*self.new, *self.dirty):
            if isinstance(row, TenantOwned):
                if row.tenant_id is None and row in self.new:
                    row.tenant_id = self.tenant_id
                if row.tenant_id != self.tenant_id:
                    raise GuardError(f"a row of {type(row).__name__} names another tenant")
