"""A tenant that goes takes everything with it, and comes back neither by itself nor by a restore."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from threepeat.database.personal import tenant_tables
from threepeat.events import erasure_list, removal
from threepeat.events.platform import Platform
from threepeat.tenancy import tenants
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Sender
from threepeat.worker.loop import Worker


def left(platform: Platform, tenant: Tenant) -> dict[str, int]:
    """How many rows each table holds that name the tenant."""
    with platform.database.ops.connect() as connection:
        return {
            str(table): count
            for table in tenant_tables(connection)
            if (
                count := connection.execute(
                    text(f"SELECT count(*) FROM {table.quoted} WHERE tenant_id = :tenant"), {"tenant": tenant.id}
                ).scalar_one()
            )
        }


@pytest.fixture
def busy(platform: Platform, make_tenant: Callable[..., Tenant], tenant: Tenant, yard: Any) -> Tenant:
    """A store with rows in many tables."""
    store = make_tenant(f"{tenant.store.slug}-busy", enable=("filer",))
    for who in ("ann", "bob"):
        yard.hold(store, who)
        Sender(platform)(store, "page.viewed", who, id=who, page="home")
    yard.ask(store, yard.hold(store, "carl"))
    return store


def test_every_row_of_every_schema_goes_and_no_others(platform: Platform, tenant: Tenant, busy: Tenant, yard: Any):
    yard.hold(tenant, "ann")
    before, theirs = left(platform, busy), left(platform, tenant)
    assert len(before) > 12
    assert "dormant.album" in before
    seen: dict[str, int] = {}
    gone = removal.remove(platform, busy, by="operator", report=lambda table, rows: seen.update({table: rows}))
    assert left(platform, busy) == {}
    assert left(platform, tenant) == theirs
    directory = {"core.turn", "core.backlog"}
    assert gone == sum(count for table, count in before.items() if table not in directory)
    assert {table: count for table, count in seen.items() if count} == {
        table: count for table, count in before.items() if table not in directory
    }
    with platform.database.directory() as connection, pytest.raises(NotFound):
        tenants.by_slug(connection, busy.store.slug)
    listed = erasure_list.read(platform.erasures.read_text().splitlines())[-1]
    assert (listed.kind, listed.tenant, listed.slug) == ("tenant", busy.id, busy.store.slug)


def test_interrupted_it_goes_on_where_it_was(platform: Platform, busy: Tenant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(removal, "BATCH", 1)
    calls = 0

    def stop(_table: str, _rows: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 20:
            raise KeyboardInterrupt

    before = sum(left(platform, busy).values())
    with pytest.raises(KeyboardInterrupt):
        removal.remove(platform, busy, by="operator", report=stop)
    assert 0 < sum(left(platform, busy).values()) < before
    with platform.database.directory() as connection:
        again = tenants.by_slug(connection, busy.store.slug)
    assert again.suspended_at is not None
    removal.remove(platform, again, by="operator")
    assert left(platform, busy) == {}


def test_it_waits_for_the_worker_that_serves_the_tenant(platform: Platform, busy: Tenant):
    with platform.database.ops.begin() as connection:
        connection.execute(
            text("UPDATE core.turn SET leased_until = clock_timestamp() + :lease WHERE tenant_id = :tenant"),
            {"lease": timedelta(seconds=1), "tenant": busy.id},
        )
    began = time.monotonic()
    removal.remove(platform, busy, by="operator")
    assert time.monotonic() - began > 0.8
    assert left(platform, busy) == {}


def test_it_waits_for_a_request_under_way(platform: Platform, busy: Tenant):
    inside = threading.Event()

    def write() -> None:
        with platform.database.tenant(busy.id) as scope:
            scope.run(text("SELECT 1"))
            inside.set()
            time.sleep(0.5)
            scope.run(text("INSERT INTO dormant.bill VALUES (:tenant, 1, 99, 'late')"))

    thread = threading.Thread(target=write)
    thread.start()
    assert inside.wait(5)
    removal.remove(platform, busy, by="operator")
    thread.join()
    assert left(platform, busy) == {}


def test_no_worker_takes_it_up_again(platform: Platform, busy: Tenant):
    removal.remove(platform, busy, by="operator")
    with platform.database.ops.begin() as connection:
        connection.execute(text("INSERT INTO core.backlog (tenant_id) VALUES (:tenant)"), {"tenant": busy.id})
    Worker(platform).drain()
    with platform.database.directory() as connection:
        connection.execute(text("DELETE FROM core.backlog WHERE tenant_id = :tenant"), {"tenant": busy.id})
    assert left(platform, busy) == {}


def test_nothing_goes_if_the_list_cannot_be_written(
    platform: Platform, busy: Tenant, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(erasure_list, "append", full)
    before = left(platform, busy)
    with pytest.raises(OSError, match="no space left"):
        removal.remove(platform, busy, by="operator")
    assert left(platform, busy) == before
