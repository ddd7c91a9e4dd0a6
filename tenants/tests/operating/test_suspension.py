"""Suspending a store: refused at once, for it alone, and it can go on."""

import pytest

from threepeat.events.stores import OPENING
from threepeat.tenancy import audit, tenants
from threepeat.tenancy.errors import Conflict, Invalid
from threepeat_tenants.operating.suspension import reactivate, suspend


def test_a_suspended_store_is_refused_at_once_and_another_is_not(platform, tenant, other_tenant, make_key, client):
    mine, other = ({"Authorization": f"Bearer {make_key(one, 'manage')}"} for one in (tenant, other_tenant))
    client.put("/v1/members/ann", headers=mine, json={})
    token = client.post("/v1/members/ann/token", headers=mine).json()["token"]
    member = {"Authorization": f"Bearer {token}"}
    assert client.get("/v1/me", headers=member).status_code == 200
    with platform.database.ops.begin() as ops:
        suspended = suspend(ops, tenant, " The invoice is open. ", by="operator:1")
    assert suspended.suspended_reason == "The invoice is open."
    assert client.get("/v1/tactics", headers=mine).status_code == 403
    assert client.get("/v1/me", headers=member).status_code == 403
    assert client.get("/v1/tactics", headers=other).status_code == 200
    with platform.database.ops.begin() as ops:
        assert reactivate(ops, suspended, by="operator:2").suspended_at is None
    assert client.get("/v1/tactics", headers=mine).status_code == 200
    with platform.database.tenant(tenant.id) as scope:
        trail = [(one.action, one.actor) for one in audit.read(scope, limit=2)]
    assert trail == [("store.reactivated", "operator:2"), ("store.suspended", "operator:1")]
    with platform.database.tenant(other_tenant.id) as scope:
        assert "store.suspended" not in {one.action for one in audit.read(scope)}


def test_what_is_in_the_log_and_due_is_still_served(platform, make_tenant, send, worker):
    tea = make_tenant("tea", enable=("points",))
    send(tea, "order.paid", "ann", order_id="1", total=1200, currency="CNY")
    with platform.database.ops.begin() as ops:
        suspend(ops, tea, "late", by="operator:1")
    worker.drain()
    with platform.database.tenant(tea.id) as scope:
        inside = platform.inside(scope, tenants.by_id(scope.connection, tea.id))
        assert inside.tenant.suspended_at is not None
        assert scope.connection.exec_driver_sql("SELECT count(*) FROM points.lot").scalar_one() == 1


def test_it_is_done_once_and_a_store_that_is_half_open_is_not_reactivated(tenant, ops):
    with pytest.raises(Conflict, match="is not suspended"):
        reactivate(ops, tenant, by="operator:1")
    suspend(ops, tenant, "late", by="operator:1")
    with pytest.raises(Conflict, match="suspended already"):
        suspend(ops, tenant, "late", by="operator:1")
    half = tenants.create(ops, "half", suspended=OPENING, by="test")
    with pytest.raises(Conflict, match="half open"):
        reactivate(ops, half, by="operator:1")


@pytest.mark.parametrize("reason", ["", "  ", "a\0b", "\ud800", "x" * 501])
def test_a_reason_that_cannot_be_shown_is_refused(still, reason):
    with still.database.ops.connect() as ops, pytest.raises(Invalid) as refused:
        suspend(ops, tenants.create(ops, "tea", by="test"), reason, by="operator:1")
    assert refused.value.field == "reason"
