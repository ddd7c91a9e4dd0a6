"""What the merchant sees: whether vouchers are used, and what their orders bring."""

from threepeat.events.metrics import period, report

TEA = ("green", 6_000, "tea")


def ask(shop, days=7):
    def work(opened):
        plugin = shop.platform.registry["vouchers"]
        return report(opened, plugin, period(opened.tenant.store, opened.scope.now, days))

    reported = shop._managed(work)
    assert [one.error for one in reported] == [None] * 3
    return {one.metric.name: one.answer for one in reported}


def test_a_store_without_vouchers_is_answered_too(shop):
    found = ask(shop)
    assert (found["used"].value, found["used"].before) == (None, None)
    assert list(found["templates"].rows) == []


def test_the_share_that_was_used_and_what_was_taken_off_against_what_was_paid(shop):
    template = shop.template(name="Five", budget=5_000)
    shop.grant(template, "ann", "bob", "eve", "joe")
    for name in ("ann", "bob"):
        holds = shop.reserve(TEA, name=name)
        shop.tell("confirm", *holds)
        shop.send(
            shop.tenant,
            "order.paid",
            name,
            order_id=f"o-{name}",
            total=5_500,
            currency="CNY",
            reservation_id=holds[0].reservation,
        )
    shop.worker.drain()
    shop.back(holds, 500, whole=True)
    shop.tell("release", *shop.reserve(TEA, name="eve"))
    found = ask(shop)
    assert list(map(tuple, found["templates"].rows)) == [("Five", 4, 1, 2_500, 500, 5_500)]
    assert found["used"].value == 2_500
    assert {name: sum(days) for name, days in found["daily"].lines.items()} == {"Given": 4, "Used": 2}
    shop.day(8)
    assert ask(shop)["used"].before == 2_500
    assert shop.item(template).figures == {"Given to members": 4, "Used": 1, "Taken off": "CN¥5.00"}
