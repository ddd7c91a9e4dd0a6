"""Over the real road of a shop: a quote with a code, its reservation, the payment, the return."""

import secrets

import httpx2
import pytest

from threepeat.events.stores import open_store
from threepeat.events.verify import verify
from threepeat.plugins import Registry
from threepeat.tenancy import keys, members
from threepeat.testing.fixtures import Sender, serving
from threepeat.worker.loop import Worker
from threepeat_checkout.plugin import plugin as checkout
from threepeat_vouchers.plugin import plugin as vouchers

LINES = [{"id": "1", "sku": "tea", "quantity": 3, "unit_price": 3_000}]


@pytest.fixture(scope="module")
def registry():
    return Registry.load((one.manifest.id, one) for one in (checkout, vouchers))


@pytest.fixture(scope="module")
def platform(cluster, tmp_path_factory, registry):
    with cluster.platform(tmp_path_factory.mktemp("data"), registry=registry) as opened:
        yield opened


@pytest.fixture
def ask(platform):
    """Calls the API as the shop's server."""
    tenant = open_store(platform, f"shop-{secrets.token_hex(4)}", by="test")
    with platform.database.tenant(tenant.id) as scope:
        key = keys.create_key(scope, platform.keyring, "test", ["manage", "ingest"], by="test")
        members.resolve(scope, platform.keyring, ["ann"])
    headers = {"Authorization": f"Bearer {key}"}
    with serving(platform) as url, httpx2.Client(base_url=url, headers=headers, timeout=30) as client:

        def call(method, path, **body):
            answer = client.request(method, f"/v1/{path}", json=body or None)
            assert answer.is_success, answer.text
            return answer.json()

        call.tenant = tenant
        yield call


def test_a_voucher_goes_with_its_order_and_comes_back_with_the_whole_of_it(ask, platform):
    place = "plugins/vouchers/templates"
    terms = {"name": "Ten off", "kind": "fixed", "amount": 1_000, "threshold": 9_000, "budget": 1_500}
    template = ask("POST", place, values=terms)
    ask("POST", f"{place}/{template['id']}/activate", revision=1)
    given = {"kind": "vouchers", "amount": 1, "item": template["id"], "reason": "late parcel"}
    assert ask("POST", "members/ann/adjustments", **given)["balance"] == 1
    first, second = (ask("POST", "quotes", lines=LINES, member="ann") for _ in range(2))
    assert first["total"] == 8_000
    assert ask("POST", f"quotes/{first['id']}/reserve")["state"] == "reserved"
    ask("POST", f"quotes/{first['id']}/release")
    assert ask("POST", f"quotes/{second['id']}/reserve")["state"] == "reserved"
    sender, worker = Sender(platform), Worker(platform)
    more = {"currency": "CNY", "reservation_id": second["id"]}
    sender(ask.tenant, "order.paid", "ann", order_id="o1", total=8_000, **more)
    worker.drain()
    state = "SELECT state FROM vouchers.voucher"

    def rows(query):
        with platform.database.tenant(ask.tenant.id) as scope:
            return [tuple(row) for row in scope.connection.exec_driver_sql(query)]

    assert rows(state) == [("used",)]
    assert rows("SELECT order_id, order_total FROM vouchers.redemption WHERE state = 'used'") == [("o1", 8_000)]
    back = {"order_id": "o1", "currency": "CNY"}
    unit = {"sku": "tea", "quantity": 1, "amount": 2_667}
    sender(ask.tenant, "order.refunded", "ann", refund_id="r1", amount=2_667, lines=[unit], **back)
    worker.drain()
    assert rows(state) == [("used",)]
    assert 300 < rows("SELECT returned FROM vouchers.redemption WHERE state = 'used'")[0][0] < 400
    sender(
        ask.tenant,
        "order.refunded",
        "ann",
        refund_id="r2",
        amount=5_333,
        lines=[unit | {"quantity": 2, "amount": 5_333}],
        **back,
    )
    worker.drain()
    assert rows(state) == [("issued",)]
    assert [one.name for one in verify(platform, ask.tenant) if one.rows] == []
    assert ask("POST", "quotes", lines=LINES, member="ann")["total"] == 8_000, "its budget is there again, too"
