"""An erasure is carried out once, whole or not at all, whoever else is at work."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from threepeat.events import erasure, sweep
from threepeat.events.erasure import UnfinishedError, complete, request, status
from threepeat.events.platform import Platform
from threepeat.sdk.models import ANONYMISE, personal
from threepeat.tenancy import switches
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.tenants import Tenant

CANARY = "canary-7f3a"
TABLES = ("dormant.album", "dormant.photo", "dormant.bill", "dormant.item")

LATE = text("INSERT INTO dormant.bill VALUES (:tenant, :member, 2, 'late-canary')")


def test_completing_twice_at_once_is_completing_once(platform: Platform, tenant: Tenant, yard: Any):
    erasure_id = yard.ask(tenant, yard.hold(tenant, "ann"))
    errors: list[BaseException] = []

    def run() -> None:
        try:
            complete(platform, tenant, erasure_id)
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    together(run, 4)
    assert errors == []
    with platform.database.tenant(tenant.id) as scope:
        receipt = status(scope, erasure_id).receipt
    complete(platform, tenant, erasure_id)
    with platform.database.tenant(tenant.id) as scope:
        assert status(scope, erasure_id).receipt == receipt
    assert {one["rows"] for one in yard.stated(tenant, erasure_id)["erased"]} == {1}
    assert yard.rows(tenant, "core.timer", name="erase") == []


def test_racing_requests_are_one_erasure(tenant: Tenant, yard: Any):
    ann = yard.hold(tenant, "ann")
    found: list[str] = []
    together(lambda: found.append(yard.ask(tenant, ann)), 6)
    assert len(found) == 6
    assert len(set(found)) == 1
    assert len(yard.rows(tenant, "core.erasure")) == 1


def test_a_transaction_that_began_before_writes_nothing_that_stays(
    platform: Platform, tenant: Tenant, yard: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(erasure, "SETTLE_SECONDS", 0.2)
    ann = yard.hold(tenant, "ann")
    with platform.database.tenant(tenant.id) as late:
        late.run(LATE, member=ann)
        erasure_id = yard.ask(tenant, ann)
        with pytest.raises(UnfinishedError, match="still open"):
            complete(platform, tenant, erasure_id)
        assert status(late, erasure_id).completed_at is None
    complete(platform, tenant, erasure_id)
    assert yard.hits(tenant, "dormant.bill", canary="late-canary") == []
    with platform.database.tenant(tenant.id) as scope:
        assert status(scope, erasure_id).completed_at is not None


def test_without_the_wait_the_late_row_would_stay(
    platform: Platform, tenant: Tenant, yard: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(erasure, "settled", lambda *_: True)
    ann = yard.hold(tenant, "ann")
    with platform.database.tenant(tenant.id) as late:
        late.run(LATE, member=ann)
        complete(platform, tenant, yard.ask(tenant, ann))
    assert yard.hits(tenant, "dormant.bill", canary="late-canary") == ["dormant.bill"]


def test_killed_half_way_nothing_is_half_done(
    platform: Platform, tenant: Tenant, yard: Any, monkeypatch: pytest.MonkeyPatch
):
    ann = yard.hold(tenant, "ann")
    erasure_id = yard.ask(tenant, ann)

    def die(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(sweep.receipts, "sign", die)
        with pytest.raises(KeyboardInterrupt):
            complete(platform, tenant, erasure_id)
    assert yard.hits(tenant, *TABLES) == list(TABLES)
    assert yard.rows(tenant, "dormant.bill", member_id=ann) != []
    complete(platform, tenant, erasure_id)
    assert yard.hits(tenant, *TABLES) == []


def test_a_schema_that_resists_holds_back_no_other(
    platform: Platform,
    tenant: Tenant,
    yard: Any,
    plant: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
):
    ann = yard.hold(tenant, "ann")
    plant(
        "stubborn",
        "member_id bigint, name text, CONSTRAINT small CHECK (length(name) < 20)",
        key="member_id",
        comment=personal("member_id", on_erase=ANONYMISE),
    )
    with platform.database.tenant(tenant.id) as scope:
        scope.run(text("INSERT INTO dormant.stubborn VALUES (:tenant, :member, :name)"), member=ann, name=CANARY)
    erasure_id = yard.ask(tenant, ann)
    with pytest.raises(UnfinishedError, match="dormant outstanding"):
        complete(platform, tenant, erasure_id)
    with platform.database.tenant(tenant.id) as scope:
        pending = status(scope, erasure_id)
    assert (pending.completed_at, pending.receipt, pending.outstanding) == (None, None, ["dormant"])
    assert yard.rows(tenant, "core.member") == []
    assert yard.rows(tenant, "core.timer", name="erase") != [], "it comes again"
    shown = capsys.readouterr().out
    assert "23514" in shown
    assert CANARY not in shown
    with platform.database.owner.begin() as owner:
        owner.execute(text("ALTER TABLE dormant.stubborn DROP CONSTRAINT small"))
    complete(platform, tenant, erasure_id)
    assert yard.hits(tenant, *TABLES, "dormant.stubborn") == []
    erased = {one["table"]: one["rows"] for one in yard.stated(tenant, erasure_id)["erased"]}
    assert (erased["core.member"], erased["dormant.stubborn"]) == (1, 1)
    with platform.database.owner.begin() as owner:
        owner.execute(text("DROP TABLE dormant.stubborn"))


def test_a_plugin_is_asked_for_what_the_catalogue_cannot_know(
    platform: Platform,
    tenant: Tenant,
    yard: Any,
    filer: Any,
    make_tenant: Callable[..., Tenant],
    monkeypatch: pytest.MonkeyPatch,
):
    stated = yard.erase(tenant, yard.hold(tenant, "ann"))
    assert (filer.erased, stated["asked"]) == ([], []), "this store never had it"
    store = make_tenant(f"{tenant.store.slug}-on", enable=("filer",))
    bob = yard.hold(store, "bob")
    with platform.database.tenant(store.id) as scope:
        switches.disable(scope, store, platform.registry, "filer", by="test", act=platform.act)
    erasure_id = yard.ask(store, bob)
    monkeypatch.setattr(filer, "fails", True)
    with pytest.raises(UnfinishedError, match="filer outstanding"):
        complete(platform, store, erasure_id)
    assert yard.hits(store, *TABLES) == [], "the tables did not wait for it"
    monkeypatch.setattr(filer, "fails", False)
    seen: list[tuple[str, str]] = []

    class Busy:
        def __init__(self, *, tenant: str, plugin: str) -> None:
            seen.append((tenant, plugin))

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    complete(platform, store, erasure_id, busy=Busy)
    assert filer.erased == [bob]
    assert seen == [(store.store.slug, "filer")]
    assert yard.stated(store, erasure_id)["asked"] == ["filer"]


def test_a_plugin_is_asked_also_where_nobody_watches_how_long_it_takes(
    platform: Platform, make_tenant: Callable[..., Tenant], tenant: Tenant, yard: Any, filer: Any
):
    """As after a restore."""
    store = make_tenant(f"{tenant.store.slug}-on", enable=("filer",))
    complete(platform, store, yard.ask(store, ann := yard.hold(store, "ann")))
    assert filer.erased == [ann]


def test_who_is_not_there_cannot_be_erased(platform: Platform, tenant: Tenant, other: Tenant, yard: Any):
    theirs = yard.hold(other, "ann")
    for member in (theirs, 2**62, -1):
        with platform.database.tenant(tenant.id) as scope, pytest.raises(NotFound):
            request(platform, scope, member, by="operator")
    with pytest.raises(NotFound):
        complete(platform, tenant, "nothing")
    erasure_id = yard.ask(other, theirs)
    with pytest.raises(NotFound):
        complete(platform, tenant, erasure_id)
    assert yard.rows(other, "dormant.bill", member_id=theirs) != []


def together(work: Callable[[], object], times: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
