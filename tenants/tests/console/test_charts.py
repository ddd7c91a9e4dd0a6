"""Metrics as charts and tables: the same figures, escaped, in the reader's units."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pytest

from threepeat.sdk.metrics import Funnel, Period, Series, Stat, Table
from threepeat_tenants.console import rendering
from threepeat_tenants.console.charts import Charts
from threepeat_tenants.console.page import Page

EVIL = '</script><img src=x onerror="alert(1)">{{ 7 * 7 }}'
DAYS = [date(2026, 10, 30) + timedelta(n) for n in range(3)]
PERIOD = Period(DAYS, datetime(2026, 10, 30, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
TEMPLATE = '{% import "parts/chart.html" as charts %}{{ charts.chart(one) }}'


@pytest.fixture
def shown(served):
    """Renders an answer as it stands on a page; returns the HTML and what the script gets."""

    def show(answer, *, locale="en", translate=str):
        charts = Charts(served.tea.store, locale, "Day", "Step", "Count", "Share", translate)
        one = charts.chart("m", EVIL, answer, PERIOD)
        page = Page(console=None, request=None, locale=locale, tenant=served.tea)
        token = rendering._page.set(page)
        try:
            html = rendering.environment().from_string(TEMPLATE).render(one=one)
        finally:
            rendering._page.reset(token)
        found = re.search(r'<script type="application/json" id="m-data">(.*?)</script>', html, re.DOTALL)
        return html, json.loads(found[1]) if found else None

    return show


def test_a_warning_stands_below_its_figure_and_only_if_there_is_one(shown):
    html, _ = shown(Stat(60, "days", warning="too long"), translate=str.upper)
    assert '<p class="chart-warning" role="status">TOO LONG</p>' in html
    html, _ = shown(Stat(60, "days", warning=EVIL))
    read(html)
    assert "chart-warning" not in shown(Stat(60, "days"))[0]


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.cells = [], []

    def handle_starttag(self, tag, _attributes):
        self.found.append(tag)
        if tag in {"th", "td"}:
            self.cells.append("")

    def handle_data(self, data):
        if self.cells and self.lasttag in {"th", "td"}:
            self.cells[-1] += data.strip()


def read(html):
    tags = Tags()
    tags.feed(html)
    assert "img" not in tags.found
    assert "49" not in html
    return tags


def test_a_series_is_a_chart_and_a_table_of_the_same_figures(shown):
    answer = Series({"Earned": [123456, None, 0], EVIL: [1, 2, 3]}, unit="money")
    html, data = shown(answer)
    assert data["kind"] == "line"
    assert data["lines"][0]["values"] == [123456, None, 0]
    assert data["lines"][1]["name"] == EVIL
    assert data["divisor"] == 100
    cells = read(html).cells
    assert cells[:3] == ["Day", "Earned", EVIL]
    assert cells[3:6] == ["Oct 30, 2026", "CN¥1,234.56", "CN¥0.01"]
    assert cells[7] == "–"
    html, data = shown(answer, locale="zh-CN")
    assert data["days"][0] == "10月30日"
    assert "¥1,234.56" in html
    assert "CN¥" not in html


def test_a_funnel_says_each_share_of_the_first_step(shown):
    html, data = shown(Funnel([("Bought", 200), (EVIL, 50), ("Came back", 0)]))
    assert [step["value"] for step in data["steps"]] == [200, 50, 0]
    assert read(html).cells[3:] == ["Bought", "200", "100%", EVIL, "50", "25%", "Came back", "0", "0%"]
    for steps in ([], [("Bought", 0), ("Came back", 0)]):
        html, data = shown(Funnel(steps))
        assert data is None
        assert html.count("<tr") == len(steps) + (1 if steps else 0)


def test_a_stat_says_what_it_was_and_how_it_changed(shown):
    for value, before, says in (
        (30, 40, ["30 days", "-25%", "before: 40 days"]),
        (50, 40, ["50 days", "+25%"]),
        (1, None, ["1 day"]),
        (None, 40, ["–", "before: 40 days"]),
        (5, 0, ["5 days", "before: 0 days"]),
    ):
        html, data = shown(Stat(value, "days", before))
        assert data is None
        assert [text for text in says if text not in html] == []
    assert "%" not in shown(Stat(5, "days", 0))[0].replace("{{ 7", "")


def test_a_table_is_a_table(shown):
    html, _data = shown(
        Table([("Reward", ""), ("Cost", "money"), ("Share", "percent")], [[EVIL, 5, 1234], ["b", None, 0]])
    )
    assert read(html).cells[3:] == [EVIL, "CN¥0.05", "12.34%", "b", "–", "0%"]
    assert "Nothing to show" in shown(Table([("Reward", "")], []))[0]


def test_a_plugins_words_are_translated(shown):
    html, data = shown(Series({"Earned": [1, 2, 3]}), translate=lambda text: f"zh:{text}"[:20])
    assert data["lines"][0]["name"] == "zh:Earned"
    assert "zh:&lt;/script" in html
