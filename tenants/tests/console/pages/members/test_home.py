"""The first page of a store: first steps, figures, and what needs a look."""

import pytest
from sqlalchemy import text

from threepeat.tenancy import switches
from threepeat_tenants.console.formats import babel_locale


def save(shop, **what):
    with shop.scope() as scope:
        switches.save_settings(
            scope,
            shop.tenant,
            shop.platform.registry,
            shop.platform.keyring,
            "points",
            {},
            revision=None,
            by="t",
            **what,
        )


def test_a_new_store_is_told_the_first_steps(consoles, shop):
    page = consoles.staff(consoles.coffee).get("/store/coffee/").text
    for step in ("Switch on the first tactic", "Send the first event", "Meet the first member"):
        assert step in page
    assert "chart" not in page.split("<main")[1]
    # With points on, one step is done; with the first event all are, and the list is gone.
    browser = shop.browser("analyst")
    assert browser.get(f"{shop.root}/").text.count("mark-step") == 3
    assert browser.get(f"{shop.root}/").text.count('class="done"') == 1
    shop.pay()
    assert "mark-step" not in browser.get(f"{shop.root}/").text


@pytest.mark.parametrize("role", ["owner", "operator", "analyst"])
def test_every_figure_stands_under_its_question(shop, role):
    shop.pay()
    shop.drain()
    page = shop.browser(role).get(f"{shop.root}/?days=7").text
    metrics = [
        metric
        for plugin in shop.platform.registry
        if plugin.id in {"points", "orders"}
        for metric in plugin.metrics.values()
    ]
    assert metrics
    for metric in metrics:
        assert str(metric.question) in page
    assert "could not be computed" not in page
    # Points stand before the services.
    assert page.index('id="points-title"') < page.index('id="orders-title"')


@pytest.mark.parametrize("days", ["", "7", "90", "8", "-1", "x", "9" * 30, "<b>", "%00"])
def test_a_period_is_chosen(shop, days):
    shop.pay()
    page = shop.browser().get(f"{shop.root}/?days={days}")
    assert page.status_code == 200
    shown = days if days in {"7", "90"} else "30"
    assert f'<a href="{shop.root}/?days={shown}" aria-current="page">' in page.text


def test_a_metric_that_fails_leaves_the_others(shop):
    shop.pay()
    shop.drain()
    declared = shop.platform.registry["points"]
    evil = "<script>alert(1)</script>"
    broken = {
        name: type(one)(one.name, evil, lambda *_: 1 / 0) if name == "daily" else one
        for name, one in declared.metrics.items()
    }
    before = declared.metrics
    assert broken != before
    object.__setattr__(declared, "metrics", broken)
    try:
        page = shop.browser().get(f"{shop.root}/").text
    finally:
        object.__setattr__(declared, "metrics", before)
    assert page.count("This could not be computed") == 1
    assert evil not in page
    assert "How many orders are paid each day?" in page


def test_what_needs_a_look_stands_on_top(shop):
    shop.pay()
    shop.drain()
    browser = shop.browser()
    assert 'class="notice' not in browser.get(f"{shop.root}/").text.split("<main")[1]
    save(shop, monthly_budget=0)
    assert "The budget of Points for this month is used up." in browser.get(f"{shop.root}/").text
    with shop.scope() as scope:
        scope.run(
            text("""
                INSERT INTO core.dead_letter (tenant_id, plugin, position, error)
                VALUES (:tenant, 'points', 1, 'broken')
            """)
        )
        scope.run(
            text("""
                UPDATE core.cursor SET paused_at = now(), paused_reason = 'x'
                WHERE tenant_id = :tenant AND plugin = 'points'
            """)
        )
    page = browser.get(f"{shop.root}/").text
    assert "1 event could not be handled" in page
    assert "Points is paused" in page
    assert f'href="{shop.root}/letters"' in page


def test_another_stores_home_is_not_shown(shop, other):
    assert shop.browser().get(f"{other.root}/").status_code == 303


def test_a_service_that_was_not_used_says_nothing(shop):
    shop.pay()
    shop.drain()
    page = shop.browser().get(f"{shop.root}/").text
    assert 'id="orders-title"' in page
    assert 'id="vouchers-title"' not in page
    assert 'id="webhooks-title"' not in page


def test_the_number_of_statements_does_not_grow(shop, counted):
    browser = shop.browser()
    metrics = sum(
        len(plugin.metrics)
        for plugin in shop.platform.registry
        if plugin.manifest.kind == "service" or plugin.id == "points"
    )
    shop.pay()
    shop.drain()
    few = counted(lambda: browser.get(f"{shop.root}/"))
    for number in range(20):
        shop.pay(f"m{number}", order=f"o{number}")
    shop.drain()
    assert counted(lambda: browser.get(f"{shop.root}/?days=90")) == few <= 20 + 6 * metrics


def test_money_is_written_in_the_readers_language(shop):
    shop.pay(total=123_456)
    shop.drain()
    browser = shop.browser()
    assert "CN¥1,234.56" in browser.get(f"{shop.root}/").text
    browser.cookies["__Host-threepeat-locale"] = "zh-CN"
    page = browser.get(f"{shop.root}/").text
    assert "¥1,234.56" in page
    assert babel_locale("zh-CN").language == "zh"
    assert "7 天" in page
