"""What came of checking a plugin stands in the catalogue, for the version that was checked."""

import re

import pytest
from sqlalchemy import text

from threepeat import __version__
from threepeat.events import plugin_checks
from threepeat.events.plugin_checks import Asked
from threepeat.testing.conformance.rules import RULES

HOSTILE = '<script>alert("x")</script> & {0} %(n)s'


@pytest.fixture
def checked(consoles):
    """Records a check of a plugin: `checked("points", {"in-order": "broken"})`; what is not named is kept."""
    platform = consoles.platform

    def record(plugin, states, *, version=None):
        asked = [
            Asked(
                rule.id, rule.must, rule.title, states.get(rule.id, "kept"), found(states, rule), HOSTILE, rule.fix
            )
            for rule in RULES
        ]
        with platform.database.ops.begin() as ops:
            plugin_checks.record(
                ops, plugin, version or platform.registry[plugin].version, asked, by="operator:cli"
            )

    yield record
    with platform.database.ops.begin() as ops:
        ops.execute(text("DELETE FROM core.plugin_check"))


def found(states, rule):
    return (HOSTILE, "a plain finding") if states.get(rule.id) in {"broken", "crashed"} else ()


def plain(page):
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def listed(op, plugin):
    """The badges of a plugin in the catalogue."""
    row = re.search(rf'href="/operator/plugins/{plugin}".*?</li>', op.get("/operator/plugins").text, re.DOTALL)
    return re.findall(r'class="badge [a-z]*">([^<]+)<', row[0])


def test_a_plugin_that_nobody_checked_says_how(op):
    assert listed(op, "points")[-1] == "Not checked"
    page = op.get("/operator/plugins/points").text
    assert "threepeat plugin check points --record" in page
    assert "not recorded here yet" in page


def test_what_passed_is_counted(op, checked):
    checked("points", {"in-order": "not applicable"})
    assert listed(op, "points")[-1] == "Check passed"
    assert listed(op, "orders")[-1] == "Not checked"
    page = op.get("/operator/plugins/points").text
    assert f"{len(RULES) - 1} kept, 0 broken, 0 exempt, 1 with nothing to check" in plain(page)
    assert "threepeat plugin check points" not in page
    assert "What it breaks" not in page


def test_what_is_broken_is_told_with_what_to_do_and_is_text(op, checked):
    checked("points", {"translated": "broken", "in-order": "crashed", "bounded-queries": "exempt"})
    assert listed(op, "points")[-1] == "Breaks rules"
    page = op.get("/operator/plugins/points").text
    said = plain(page)
    by_id = {rule.id: rule for rule in RULES}
    assert f"{len(RULES) - 3} kept, 2 broken, 1 exempt, 0 with nothing to check" in said
    for rule in ("translated", "in-order"):
        assert f"docs/conformance/{rule}.md" in page
        assert by_id[rule].fix.replace('"', "&#34;") in page
    assert page.index("docs/conformance/in-order.md") < page.index("docs/conformance/translated.md"), "what binds"
    assert "docs/conformance/bounded-queries.md" not in page
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt; &amp; {0} %(n)s") == 3
    op.cookies["__Host-threepeat-locale"] = "zh-CN"
    page = op.get("/operator/plugins/points").text
    assert "违反的规则" in page
    assert "每位会员的事件按顺序处理" in page
    assert by_id["in-order"].title not in page


def test_the_check_of_another_version_counts_as_none(op, checked, monkeypatch):
    checked("points", {"in-order": "broken"}, version="0.0.9")
    assert listed(op, "points")[-1] == "Checked in version 0.0.9"
    page = op.get("/operator/plugins/points").text
    assert "0.0.9" in page
    assert "threepeat plugin check points --record" in page
    checked("points", {})
    assert listed(op, "points")[-1] == "Check passed"
    monkeypatch.setattr(plugin_checks, "__version__", f"{__version__}.post1")
    assert listed(op, "points")[-1] == f"Checked with Threepeat {__version__}"


def test_the_trail_says_so(op, checked):
    checked("points", {"in-order": "broken"})
    page = plain(op.get("/operator/history").text)
    assert "Had a plugin checked" in page
    assert "rules broken" in page
    assert "in-order" in page
