"""Figures, money and times as a language and a store write them; addresses that may be gone to."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from threepeat_tenants.console import formats, paths
from threepeat_tenants.console.account import browser
from threepeat_tenants.console.navigation import STORE, current


def test_money_has_the_places_of_its_currency(served):
    yuan = served.tea.store
    yen = replace(yuan, currency="JPY", minor_units=1)
    assert formats.money(1250, yuan, "zh-CN") == "¥12.50"
    assert formats.money(-1250, yuan, "zh-CN") == "-¥12.50"
    assert formats.money(1250, yen, "en") == "¥1,250"
    assert formats.money((1 << 63) - 1, yuan, "en") == "CN¥92,233,720,368,547,758.07"


def test_figures_carry_their_unit(served):
    store = served.tea.store
    for value, unit, english, chinese in (
        (1234, "", "1,234", "1,234"),
        (None, "money", "–", "–"),
        (1234, "percent", "12.34%", "12.34%"),
        (1, "days", "1 day", "1 天"),
        (45, "days", "45 days", "45 天"),
        (100, "money", "CN¥1.00", "¥1.00"),
    ):
        assert formats.figure(value, unit, store, "en") == english
        assert formats.figure(value, unit, store, "zh-CN") == chinese


def test_times_are_on_the_stores_clock():
    instant, zone = datetime(2026, 10, 31, 17, 5, tzinfo=UTC), ZoneInfo("Asia/Shanghai")
    assert formats.moment(instant, zone, "zh-CN") == "2026年11月1日 01:05"
    assert formats.moment(instant, zone, "en") == "Nov 1, 2026 01:05"
    assert formats.day(date(2026, 11, 1), "en") == "Nov 1, 2026"
    assert formats.ago(instant, instant + timedelta(hours=3), zone, "zh-CN") == "3小时前"
    assert formats.ago(instant, instant - timedelta(minutes=5), zone, "en") == "in 5 minutes"
    assert formats.ago(instant, instant + timedelta(days=8), zone, "en") == "Nov 1, 2026"


@pytest.mark.parametrize("given", ["/", "/store/tea/", "/store/tea/members?after=2&q=%E8%8C%B6", "/a..b/c"])
def test_a_path_of_ours_is_gone_to(given):
    assert paths.local(given) == given


@pytest.mark.parametrize(
    "given",
    [
        None, "", "a", "//a", "/\\a", "/a\\b", "http://a/", "/a b", "/a\n", "/\0", "/é", "/a/../b", "/./a",
        "/%2e%2E/a", "/v1/x", "/" + "x" * 2000, "///a", "/\t/a",
    ],
)  # fmt: skip
def test_everything_else_is_not(given):
    assert paths.local(given) == ""


def test_the_entry_of_a_page_is_the_one_that_leads_there():
    for path, entry in (
        ("/store/tea/", "/store/{slug}/"),
        ("/store/tea/members", "/store/{slug}/members"),
        ("/store/tea/members/ann", "/store/{slug}/members"),
        ("/store/tea/membership", "/store/{slug}/"),
        ("/store/other/members", ""),
    ):
        assert current(STORE, path, "tea") == entry


def test_a_browser_has_a_short_name():
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) MicroMessenger/8.0 Safari/604.1"
    desk = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"
    assert browser(phone) == "WeChat, iPhone"
    assert browser(desk) == "Edge, Windows"
    assert browser("curl/8") == browser("") == browser(None) == ""
