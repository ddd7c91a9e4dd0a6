"""What `threepeat verify` promises, each broken on purpose; what the dashboard says; all of it in Chinese."""

from datetime import timedelta

import pytest

from threepeat.sdk import Period
from threepeat_webhooks.settings import WebhooksSettings

BROKEN = {
    "endpoints": "UPDATE webhooks.delivery SET endpoint_id = 77 WHERE tenant_id = {t} AND id = {d}",
    "events": "UPDATE webhooks.delivery SET type = 'order.paid' WHERE tenant_id = {t} AND id = {d}",
    "waiting": "DELETE FROM core.timer WHERE tenant_id = {t} AND plugin = 'webhooks' AND kind = 'call'",
    "arrived": "UPDATE webhooks.delivery SET state = 'delivered' WHERE tenant_id = {t} AND id = {d}",
    "resends": "INSERT INTO webhooks.resend (tenant_id, endpoint_id, since, missed, left_at, created_at,"
    " changed_at) VALUES ({t}, 1, now(), true, 5, now(), now())",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_found(open_shop, receiver, name):
    shop = open_shop()
    shop.endpoint(receiver.url)
    receiver.answer = 500
    shop.send("visit.made")
    assert shop.violations() == []
    ((delivery,),) = shop.rows("SELECT id FROM webhooks.delivery")
    with shop.platform.database.ops.begin() as ops:
        assert ops.exec_driver_sql(BROKEN[name].format(t=shop.tenant.id, d=delivery)).rowcount == 1
    assert shop.violations() == [f"webhooks.{name}"]


def test_every_promise_is_broken_here(registry):
    assert {one.name for one in registry["webhooks"].invariants} == set(BROKEN)


def metric(shop, name, days=30):
    def work(opened):
        context = opened.context(shop.platform.registry["webhooks"], cause=None)
        today = context.now.astimezone(context.tenant.timezone).date()
        span = [today - timedelta(days=back) for back in reversed(range(days))]
        period = Period(span, context.now - timedelta(days=days), context.now + timedelta(minutes=1))
        return shop.platform.registry["webhooks"].metrics[name].answer(context, period)

    return shop.managed(work)


def test_the_dashboard_says_what_arrives_and_warns_of_what_does_not(shop, receiver):
    assert metric(shop, "arrive").steps == [("Sent", 0), ("Arrived", 0), ("Arrived at the first attempt", 0)]
    assert (metric(shop, "failing").value, metric(shop, "failing").warning) == (0, "")
    endpoint, _ = shop.endpoint(receiver.url, name="Orders")
    shop.endpoint("https://shop.example.com/", "order.paid", name="Quiet")
    shop.send("visit.made")
    receiver.answer = 500
    shop.send("visit.made")
    assert metric(shop, "failing").value == 1
    assert "look at its deliveries" in metric(shop, "failing").warning
    receiver.answer = 204
    shop.wait(minutes=1)
    assert (metric(shop, "failing").value, metric(shop, "failing").warning) == (0, "")
    assert [number for _, number in metric(shop, "arrive").steps] == [2, 2, 1]
    (orders, quiet) = metric(shop, "endpoints").rows
    assert (orders[:5], quiet) == (("Orders", 2, 2, 0, 0), ("Quiet", 0, 0, 0, 0, None))
    assert 0 <= orders[5] <= 90
    receiver.answer = 410
    shop.send("visit.made")
    assert shop.item(endpoint).state == "disabled"
    assert metric(shop, "failing").value == 1
    assert "is disabled" in metric(shop, "failing").warning
    assert metric(shop, "endpoints").rows[0][4] == 1


def test_settings_have_bounds():
    assert WebhooksSettings().kept_for == timedelta(days=30)
    for wrong in (6, 91, "x"):
        with pytest.raises(ValueError, match="keep_days"):
            WebhooksSettings(keep_days=wrong)
