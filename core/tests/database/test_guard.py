from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import (
    DDL,
    Row,
    Table,
    bindparam,
    column,
    delete,
    event,
    exists,
    func,
    insert,
    lateral,
    literal_column,
    or_,
    select,
    table,
    text,
    true,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, aliased

from threepeat.database.config import connect
from threepeat.database.engine import Database
from threepeat.database.guard import GuardedSession, GuardError
from threepeat.tenancy import tenants
from threepeat.testing.fixtures import Cluster
from threepeat_points.models import Account, Entry, Lot

THEN = datetime(2026, 1, 2, tzinfo=UTC)
LOT = Lot.__table__
ENTRY = Entry.__table__
MINE = (901, 902, 903)
THEIRS = (904, 905)


def filled(table: Table, values: dict[str, object]) -> dict[str, object]:
    """A row with something of the right type in every column that needs it, so that a new column is no matter."""
    kinds = {int: 1, str: "x", datetime: THEN, bool: True}
    needed = [c for c in table.columns if not (c.nullable or c.identity or c.server_default)]
    return {c.name: kinds[c.type.python_type] for c in needed if c.name != "tenant_id"} | values


def lot(number: int, **values: object) -> dict[str, object]:
    return filled(LOT, {"member_id": number, "order_id": f"o-{number}", "rate": 1, **values})


def entry(number: int, **values: object) -> dict[str, object]:
    own = {"member_id": number, "reference": f"order:o-{number}", "kind": "earned", "points": 0}
    return filled(ENTRY, {**own, **values})


def key(tenant: int, number: int) -> dict[str, int]:
    """The primary key of a lot, whatever follows the tenant in it."""
    return {column.name: tenant if column.name == "tenant_id" else number for column in LOT.primary_key}


class Twins:
    """Two tenants with lots and entries of the same shape, and sessions that are guarded or not."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.ops.begin() as ops:
            self.first = tenants.create(ops, "first", by="test").id
            self.second = tenants.create(ops, "second", by="test").id

    def reset(self) -> None:
        with self.database.ops.begin() as ops:
            for model in (Lot, Entry, Account):
                ops.execute(delete(model))
            for tenant, numbers in ((self.first, MINE), (self.second, THEIRS)):
                ops.execute(insert(LOT), [lot(number, tenant_id=tenant, id=number) for number in numbers])
                ops.execute(insert(ENTRY), [entry(number, tenant_id=tenant, id=number) for number in numbers])

    def lock(self, verb: str) -> None:
        with self.database.owner.begin() as owner:
            for name in ("lot", "entry", "account"):
                owner.execute(text(f"ALTER TABLE points.{name} {verb} ROW LEVEL SECURITY"))

    @contextmanager
    def session(self, tenant: int | None = None) -> Iterator[GuardedSession]:
        chosen = self.first if tenant is None else tenant
        with self.database.tenant(chosen) as scope:
            yield GuardedSession(scope.connection, chosen)

    @contextmanager
    def unguarded(self) -> Iterator[Session]:
        with self.database.tenant(self.first) as scope:
            yield Session(scope.connection, join_transaction_mode="rollback_only")

    def rates(self, tenant: int) -> list[int]:
        with self.database.ops.connect() as ops:
            return list(ops.scalars(select(LOT.c.rate).where(LOT.c.tenant_id == tenant).order_by("id")))

    def lots(self, tenant: int) -> list[tuple[object, ...]]:
        with self.database.ops.connect() as ops:
            return [tuple(row) for row in ops.execute(select(LOT).where(LOT.c.tenant_id == tenant).order_by("id"))]


@pytest.fixture(scope="module")
def shared(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    with cluster.database() as name:
        database = Database(connect(cluster.config(name, tmp_path_factory.mktemp("data"))))
        yield Twins(database)
        database.dispose()


@pytest.fixture
def twins(shared: Twins) -> Twins:
    """Row-level security is off on the points tables: only the session's own lock is left."""
    shared.reset()
    shared.lock("DISABLE")
    return shared


def seen(rows: Iterable[Row[Any]]) -> set[int]:
    """The ids in the first column, whether numbers or arrays."""
    values = [row[0] for row in rows]
    return {number for value in values for number in (value if isinstance(value, list) else [value])}


def test_without_the_guard_the_opened_tables_show_every_tenant(twins: Twins):
    with twins.unguarded() as bare:
        assert set(bare.scalars(select(Lot.id))) == {*MINE, *THEIRS}


OTHER = aliased(Lot)
INNER = select(Lot).subquery()
NESTED = aliased(Lot, INNER)
COMMON = select(Lot.id).cte()
READS: dict[str, Callable[[int], object]] = {
    "entities": lambda _: select(Lot.id),
    "whole objects": lambda _: select(Lot).with_only_columns(Lot.id),
    "an alias": lambda _: select(OTHER.id),
    "a subquery in FROM": lambda _: select(INNER.c.id),
    "an alias of a subquery": lambda _: select(NESTED.id),
    "a common table expression": lambda _: select(COMMON.c.id),
    "a self-join": lambda _: select(OTHER.id).join(Lot, Lot.rate == OTHER.rate).distinct(),
    "a cross join": lambda _: select(OTHER.id).select_from(Lot).join(OTHER, true()).distinct(),
    "a scalar subquery": lambda _: select(select(func.array_agg(Lot.id)).scalar_subquery()),
    "a subquery in WHERE": lambda _: select(Lot.id).where(Lot.member_id.in_(select(OTHER.member_id))),
    "a union": lambda _: union_all(select(Lot.id), select(OTHER.id)),
    "an outer join": lambda _: select(OTHER.id).select_from(Lot).outerjoin(OTHER, true()).distinct(),
    "a lateral subquery": lambda _: select(lateral(select(Lot.id)).c.id),
    "a window": lambda _: select(func.first_value(Lot.id).over(partition_by=Lot.id)).select_from(Lot),
    "a condition that names the other": lambda other: select(Lot.id).where(Lot.tenant_id == other),
    "a condition that is always true": lambda other: select(Lot.id).where(or_(Lot.tenant_id == other, true())),
    "core columns of the class": lambda _: select(Lot, LOT.c.id).with_only_columns(Lot.id, LOT.c.id),
}


@pytest.mark.parametrize("name", READS)
def test_an_orm_select_sees_its_own_tenant_with_row_level_security_off(twins: Twins, name: str):
    with twins.session() as session:
        found = seen(session.execute(READS[name](twins.second)))
    assert found == (set() if name == "a condition that names the other" else set(MINE))
    with twins.unguarded() as bare:
        assert seen(bare.execute(READS[name](twins.second))) & set(THEIRS)


def test_counting_getting_and_refreshing_stay_inside_the_tenant(twins: Twins):
    with twins.session() as session:
        assert session.query(Lot).count() == len(MINE)
        assert session.scalar(select(func.count()).select_from(Lot)) == len(MINE)
        assert session.get(Lot, key(twins.first, 901)) is not None
        assert session.get(Lot, key(twins.second, 904)) is None
        assert session.get(Lot, key(twins.first, 904)) is None
        assert session.get(Lot, key(twins.second, 904), with_for_update=True) is None
        assert {found.id for found in session.scalars(select(Lot))} == set(MINE)
        found = session.get_one(Lot, key(twins.first, 902))
        session.refresh(found)
        assert found.tenant_id == twins.first


def test_one_tenants_criterion_is_not_remembered_for_the_next(twins: Twins):
    statement = select(Lot.id)
    for _ in range(3):
        with twins.session() as session:
            assert set(session.scalars(statement)) == set(MINE)
        with twins.session(twins.second) as session:
            assert set(session.scalars(statement)) == set(THEIRS)


WRITES: dict[str, Callable[[int], object]] = {
    "an update of everything": lambda _: update(Lot).values(rate=7),
    "an update that names the other": lambda other: update(Lot).values(rate=7).where(Lot.tenant_id == other),
    "an update with a subquery": lambda _: update(Lot).values(rate=7).where(Lot.id.in_(select(OTHER.id))),
    "a delete of everything": lambda _: delete(Lot),
    "a delete with a subquery": lambda _: delete(Lot).where(Lot.id.in_(select(Entry.id))),
}


@pytest.mark.parametrize("name", WRITES)
def test_an_orm_write_touches_its_own_tenant_with_row_level_security_off(twins: Twins, name: str):
    before = twins.lots(twins.second)
    with twins.session() as session:
        touched = session.execute(WRITES[name](twins.second)).rowcount
    assert touched == (0 if "other" in name else len(MINE))
    assert twins.lots(twins.second) == before
    with twins.unguarded() as bare:
        assert bare.execute(WRITES[name](twins.second)).rowcount > 0
    assert twins.lots(twins.second) != before


def test_a_write_whose_subquery_reads_another_class_sees_own_rows_of_it(twins: Twins):
    with twins.session() as session:
        top = select(func.max(Entry.id)).scalar_subquery()
        session.execute(update(Lot).values(rate=top))
    assert set(twins.rates(twins.first)) == {max(MINE)}


def test_inserts_are_stamped_with_the_tenant(twins: Twins):
    with twins.session() as session:
        session.add(Lot(**lot(11)))
        session.add_all([Account(member_id=11, debt=0), Account(member_id=12, debt=0)])
        session.flush()
        session.execute(insert(Lot), [lot(21), lot(22)])
        session.execute(insert(Lot), lot(23))
        session.execute(insert(LOT), [lot(24), lot(25)])
        session.execute(pg_insert(Lot).on_conflict_do_nothing(), [lot(21), lot(26)])
        session.execute(insert(Lot).values(**lot(27, tenant_id=twins.first)))
        made = session.scalars(insert(Lot).returning(Lot), [lot(28), lot(29)]).all()
        assert {one.tenant_id for one in made} == {twins.first}
        session.merge(Lot(tenant_id=twins.first, id=901, **lot(901, rate=9)))
    assert len(twins.lots(twins.first)) == len(MINE) + 10
    assert len(twins.lots(twins.second)) == len(THEIRS)


def add(session: GuardedSession, other: int) -> None:
    session.add(Lot(**lot(11, tenant_id=other)))
    session.flush()


def move(session: GuardedSession, other: int) -> None:
    session.get_one(Lot, key(session.tenant_id, 901)).tenant_id = other
    session.flush()


def adopt(session: GuardedSession, other: int, then: Callable[[GuardedSession, Lot], None]) -> None:
    """Bring an object of the other tenant in from a session without a guard."""
    with Session(session.get_bind()) as bare:
        foreign = bare.get_one(Lot, key(other, 904))
        bare.expunge(foreign)
        session.add(foreign)
        then(session, foreign)
        session.flush()


def moved_rows(session: GuardedSession, other: int) -> None:
    session.execute(update(Lot), [{**key(other, 904), "rate": 9}])


FOREIGN: dict[str, Callable[[GuardedSession, int], object]] = {
    "a new object": add,
    "an object that moves": move,
    "a foreign object that changes": lambda s, o: adopt(s, o, lambda _, found: setattr(found, "rate", 9)),
    "a foreign object that is deleted": lambda s, o: adopt(s, o, lambda session, found: session.delete(found)),
    "a merged object": lambda s, o: (s.merge(Lot(tenant_id=o, id=904, **lot(904))), s.flush()),
    "bulk rows": lambda s, o: s.execute(insert(Lot), [lot(11), lot(12, tenant_id=o)]),
    "values": lambda s, o: s.execute(insert(Lot).values(**lot(11, tenant_id=o))),
    "core values": lambda s, o: s.execute(insert(LOT).values(**lot(11, tenant_id=o))),
    "core rows": lambda s, o: s.execute(insert(LOT), [lot(11, tenant_id=o)]),
    "values before rows": lambda s, o: s.execute(insert(LOT).values(tenant_id=o), [lot(11)]),
    "rows after values": lambda s, o: s.execute(
        insert(LOT).values(tenant_id=s.tenant_id), [lot(11, tenant_id=o), lot(12)]
    ),
    "a select with rows": lambda s, _: s.execute(
        insert(LOT).from_select(list(LOT.c.keys()), select(LOT)), [lot(11, tenant_id=s.tenant_id)]
    ),
    "an update by key": moved_rows,
    "an update that moves rows": lambda s, o: s.execute(update(Lot).values(tenant_id=o)),
    "a core update that moves rows": lambda s, o: s.execute(
        update(LOT).values(tenant_id=o).where(LOT.c.tenant_id == s.tenant_id)
    ),
    "a core update whose rows move": lambda s, o: s.execute(
        update(LOT).where(LOT.c.tenant_id == s.tenant_id), {"tenant_id": o}
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_row_of_another_tenant_is_refused(twins: Twins, name: str):
    before = twins.lots(twins.second)
    with (
        pytest.raises(GuardError, match=r"another tenant|without tenant_id|lacks"),
        twins.session() as session,
    ):
        FOREIGN[name](session, twins.second)
    assert twins.lots(twins.second) == before
    assert len(twins.lots(twins.first)) == len(MINE)


def test_an_update_with_a_parameter_stays_as_it_is(twins: Twins):
    with twins.session() as session:
        wanted = update(Lot).values(rate=9).where(Lot.id == bindparam("wanted"))
        assert session.execute(wanted, {"wanted": 901}).rowcount == 1
        assert session.execute(wanted, {"wanted": 904}).rowcount == 0


def test_rows_of_an_update_by_key_are_stamped(twins: Twins):
    with twins.session() as session:
        session.execute(update(Lot), [{**{name: 901 for name in key(0, 0) if name != "tenant_id"}, "rate": 9}])
    assert twins.rates(twins.first) == [9, 1, 1]


SECOND = LOT.alias()
CTE = select(ENTRY.c.id).cte()
TOP = select(func.max(ENTRY.c.id)).scalar_subquery()
CLASS_TOP = select(func.max(Entry.id)).scalar_subquery()
LOOSE: dict[str, Callable[[int], object]] = {
    "a select": lambda _: select(LOT.c.id),
    "a select of one column through an alias": lambda _: select(SECOND.c.id),
    "a count": lambda _: select(func.count()).select_from(LOT),
    "an update": lambda _: update(LOT).values(rate=7),
    "a delete": lambda _: delete(LOT),
    "a delete by id": lambda _: delete(LOT).where(LOT.c.id == 904),
    "an insert": lambda _: insert(LOT).values(**lot(9)),
    "an insert of a select": lambda me: insert(LOT).from_select(["id"], tied(me)),
    "a join with one tied table": lambda me: tied(me).join(ENTRY, ENTRY.c.id == LOT.c.id),
    "a cross join with one tied table": lambda me: select(LOT.c.id, ENTRY.c.id).where(LOT.c.tenant_id == me),
    "a self-join with one tied side": lambda me: tied(me).join(SECOND, SECOND.c.rate == LOT.c.rate),
    "a subquery in WHERE": lambda me: tied(me).where(LOT.c.id.in_(select(ENTRY.c.id))),
    "a subquery in WHERE of the same table": lambda me: tied(me).where(
        LOT.c.id == select(func.max(SECOND.c.id)).scalar_subquery()
    ),
    "a subquery in FROM of the same table": lambda me: tied(me).join(
        inner := select(LOT.c.rate).subquery(), inner.c.rate == LOT.c.rate
    ),
    "only the subquery is tied": lambda me: select(LOT.c.id).where(LOT.c.id.in_(tied(me))),
    "a scalar subquery in the columns": lambda me: tied(me).add_columns(
        select(func.max(ENTRY.c.id)).scalar_subquery()
    ),
    "exists": lambda me: tied(me).where(exists().where(ENTRY.c.id == LOT.c.id)),
    "a common table expression": lambda me: tied(me).where(LOT.c.id.in_(select(CTE.c.id))),
    "one half of a union": lambda me: union_all(tied(me), select(ENTRY.c.id)),
    "an update from another table": lambda me: (
        update(LOT).values(rate=7).where(LOT.c.tenant_id == me, LOT.c.id == ENTRY.c.id)
    ),
    "an update from a subquery": lambda me: (
        update(LOT).values(rate=7).where(LOT.c.tenant_id == me, LOT.c.id == select(ENTRY.c.id).subquery().c.id)
    ),
    "a delete using another table": lambda me: delete(LOT).where(LOT.c.tenant_id == me, LOT.c.id == ENTRY.c.id),
    "a write in a common table expression": lambda me: tied(me).add_cte(delete(ENTRY).cte("gone")),
    "an insert in a common table expression": lambda me: tied(me).add_cte(
        insert(ENTRY).values(**entry(9)).cte("made")
    ),
    "a condition inside OR": lambda me: select(LOT.c.id).where(or_(LOT.c.tenant_id == me, true())),
    "a condition that is denied": lambda me: select(LOT.c.id).where(~(LOT.c.tenant_id == me)),
    "a condition in the columns": lambda me: select(LOT.c.id, LOT.c.tenant_id == me),
    "a condition on an outer join": lambda me: select(LOT.c.id).outerjoin(ENTRY, LOT.c.tenant_id == me),
    "a condition on another tenant": lambda me: select(LOT.c.id).where(LOT.c.tenant_id == me + 1),
    "a condition that a parameter overrides": lambda me: select(LOT.c.id).where(
        LOT.c.tenant_id == bindparam("mine", me)
    ),
    "a window that nobody takes for the class": lambda _: select(func.first_value(Lot.id).over()),
    "an insert whose value reads a loose table": lambda me: insert(LOT).values(**lot(9, tenant_id=me, rate=TOP)),
    "an insert whose value reads a class": lambda me: insert(Lot).values(**lot(9, tenant_id=me, rate=CLASS_TOP)),
    "an update whose value reads a loose table": lambda _: update(Lot).values(rate=TOP),
    "an update that takes its tenant from a row": lambda me: (
        update(LOT).values(tenant_id=LOT.c.rate).where(LOT.c.tenant_id == me)
    ),
    "an insert of several values": lambda me: insert(LOT).values([lot(9, tenant_id=me), lot(10, tenant_id=me)]),
    "a table made up on the spot": lambda _: select(table("lot", column("id"), schema="points")),
    "a mapped class beside a loose table": lambda _: select(Lot.id, ENTRY.c.id),
    "a mapped class with a loose subquery": lambda _: select(Lot.id).where(Lot.id.in_(select(ENTRY.c.id))),
    "an orm update from another class": lambda _: update(Lot).values(rate=7).where(Lot.id == Entry.id),
    "an orm delete from a loose table": lambda _: delete(Lot).where(Lot.id == ENTRY.c.id),
}


def tied(tenant: int):
    return select(LOT.c.id).where(LOT.c.tenant_id == tenant)


@pytest.mark.parametrize("name", LOOSE)
def test_a_statement_that_leaves_a_table_open_is_refused(twins: Twins, name: str):
    before = twins.lots(twins.second)
    with pytest.raises(GuardError, match=r"tenant_id|INSERT inside|another tenant"), twins.session() as session:
        session.execute(LOOSE[name](twins.first))
    assert twins.lots(twins.second) == before


CLOSED: dict[str, Callable[[int], object]] = {
    "a select": tied,
    "the other way round": lambda me: select(LOT.c.id).where(me == LOT.c.tenant_id),
    "a select among conditions": lambda me: tied(me).where(or_(LOT.c.rate == 1, LOT.c.rate == 2)),
    "an alias": lambda me: select(SECOND.c.id).where(SECOND.c.tenant_id == me),
    "a join": lambda me: tied(me).join(ENTRY, ENTRY.c.id == LOT.c.id).where(ENTRY.c.tenant_id == me),
    "a join with the condition in ON": lambda me: tied(me).join(
        ENTRY, (ENTRY.c.tenant_id == me) & (ENTRY.c.id == LOT.c.id)
    ),
    "a correlated subquery": lambda me: tied(me).where(
        exists().where(ENTRY.c.tenant_id == me, ENTRY.c.id == LOT.c.id)
    ),
    "a union": lambda me: union_all(tied(me), tied(me)),
    "a common table expression": lambda me: select(tied(me).cte().c.id),
    "a function without a table": lambda _: select(func.generate_series(901, 903)),
    "rows of a function": lambda _: select(func.generate_series(901, 902).column_valued()),
    "a literal column": lambda me: tied(me).with_only_columns(literal_column("901")),
}


@pytest.mark.parametrize("name", CLOSED)
def test_a_core_statement_that_ties_every_table_runs(twins: Twins, name: str):
    with twins.session() as session:
        assert {row[0] for row in session.execute(CLOSED[name](twins.first))} <= set(MINE)


def test_a_core_write_that_names_the_tenant_runs(twins: Twins):
    with twins.session() as session:
        mine = LOT.c.tenant_id == twins.first
        assert session.execute(update(LOT).values(rate=7).where(mine)).rowcount == len(MINE)
        assert session.execute(delete(LOT).where(mine, LOT.c.id == 901)).rowcount == 1
        session.execute(insert(LOT).values(**lot(9, tenant_id=twins.first)))
    assert len(twins.lots(twins.first)) == len(MINE)


REFUSED: dict[str, Callable[[GuardedSession], object]] = {
    "text": lambda s: s.execute(text("SELECT 1")),
    "text with the tenant": lambda s: s.execute(text("SELECT :t"), {"t": s.tenant_id}),
    "text as a scalar": lambda s: s.scalar(text("SELECT 1")),
    "text with columns": lambda s: s.execute(text("SELECT id FROM points.lot").columns(column("id"))),
    "text behind a class": lambda s: s.scalars(select(Lot).from_statement(text("SELECT * FROM points.lot"))),
    "a loose select behind a class": lambda s: s.scalars(select(Lot).from_statement(select(LOT))),
    "text as a table": lambda s: s.execute(select(func.count()).select_from(text("points.lot"))),
    "text as a condition": lambda s: s.scalars(select(Lot).where(text("true OR true"))),
    "text as a column": lambda s: s.scalars(select(text("id")).select_from(Lot)),
    "text in a subquery": lambda s: s.scalars(select(Lot.id).where(Lot.id.in_(select(text("1"))))),
    "schema changes": lambda s: s.execute(DDL("TRUNCATE points.lot")),
    "commit": lambda s: s.commit(),
    "rollback": lambda s: s.rollback(),
    "connection": lambda s: s.connection(),
    "begin": lambda s: s.begin(),
    "begin_nested": lambda s: s.begin_nested(),
    "bulk_save_objects": lambda s: s.bulk_save_objects([Lot(**lot(11))]),
    "bulk_insert_mappings": lambda s: s.bulk_insert_mappings(Lot, [lot(11)]),
    "bulk_update_mappings": lambda s: s.bulk_update_mappings(Lot, [{**key(0, 904), "rate": 9}]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_leaves_the_transaction_or_the_tenant_is_refused(twins: Twins, name: str):
    with pytest.raises(GuardError, match="refused"), twins.session() as session:
        REFUSED[name](session)


def test_closing_the_session_leaves_the_transaction_open(twins: Twins):
    with twins.database.tenant(twins.first) as scope:
        with GuardedSession(scope.connection, twins.first) as session:
            session.execute(delete(Lot))
        assert scope.connection.in_transaction()
        scope.connection.rollback()
    assert len(twins.lots(twins.first)) == len(MINE)


def test_finish_writes_what_is_pending_and_forgets_the_objects(twins: Twins):
    with twins.session() as session:
        session.add(Lot(**lot(11)))
        session.finish()
        assert list(session.identity_map.values()) == []
    assert len(twins.lots(twins.first)) == len(MINE) + 1


def test_without_its_listener_the_session_leaks_so_the_listener_is_what_holds(twins: Twins):
    with twins.session() as session:
        event.remove(session, "do_orm_execute", session._on_execute)
        assert set(session.scalars(select(Lot.id))) == {*MINE, *THEIRS}


def test_row_level_security_holds_without_the_guard(twins: Twins):
    twins.lock("ENABLE")
    before = twins.lots(twins.second)
    for name, read in READS.items():
        with twins.unguarded() as bare:
            assert not seen(bare.execute(read(twins.second))) & set(THEIRS), name
    for write in WRITES.values():
        with twins.unguarded() as bare:
            bare.execute(write(twins.second))
    for number, tenant in ((9, twins.second), (904, twins.second)):
        with (
            pytest.raises(DBAPIError, match="row-level security"),
            twins.unguarded() as bare,
        ):
            bare.execute(insert(LOT), lot(number, tenant_id=tenant))
    assert twins.lots(twins.second) == before
