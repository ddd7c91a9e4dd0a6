"""An erased member's points stay in the sums, and are owed to nobody."""

from secrets import token_hex

from sqlalchemy import text

from threepeat.events.verify import verify


def test_the_journal_holds_and_nobody_is_owed_anything(platform, client, make_tenant, make_key, send, worker):
    store = make_tenant(f"tea-{token_hex(6)}", enable=("points",))
    for who, total in (("ann", 12_300), ("bob", 4500)):
        send(store, "order.paid", who, order_id=f"{who}-1", total=total, currency="CNY")
    send(store, "order.refunded", "ann", refund_id="r-1", order_id="ann-1", amount=2300, currency="CNY")
    worker.drain()
    headers = {"Authorization": f"Bearer {make_key(store, 'manage')}"}
    erasure = client.delete("/v1/members/ann", headers=headers)
    assert erasure.status_code == 202, erasure.text
    send(store, "order.paid", "carl", order_id="carl-1", total=700, currency="CNY")
    worker.drain()
    done = client.get(f"/v1/erasures/{erasure.json()['id']}", headers=headers).json()
    assert done["completed_at"] is not None, "the worker carried it out"
    assert [finding for finding in verify(platform, store) if finding.rows] == []
    with platform.database.tenant(store.id) as scope:
        lots = scope.run(text("SELECT member_id > 0 AS living, remaining FROM points.lot ORDER BY remaining"))
        assert [tuple(lot) for lot in lots] == [(True, 7), (True, 45), (False, 100)]
        assert scope.run(text("SELECT 1 FROM core.dead_letter")) == []
    assert client.post("/v1/tactics/points/disable", json={}, headers=headers).json()["state"] == "closing"
    for who in ("bob", "carl"):
        assert client.delete(f"/v1/members/{who}", headers=headers).status_code == 202
    worker.drain()
    assert client.post("/v1/tactics/points/enable", json={}, headers=headers).json()["state"] == "enabled"
    assert client.post("/v1/tactics/points/disable", json={}, headers=headers).json()["state"] == "off"
