"""Plans, plugins, usage, operators and their keys."""

import re
from pathlib import Path

import pytest

import threepeat
import threepeat_tenants
from threepeat_tenants.console import deeds

PLAN = {"title": "Middle", "cap": "2", "which": "some", "plugins": ["orders", "points"], "events_per_second": "50"}


def mark(page):
    return re.search(r'name="mark" value="([^"]+)"', page)[1]


def test_a_plan_is_made_changed_and_deleted(op, rows):
    assert op.post("/operator/plans/new", {"id": "middle", **PLAN}).status_code == 303
    page = op.get("/operator/plans").text
    assert "Middle" in page
    again = op.post("/operator/plans/new", {"id": "middle", **PLAN, "title": "Thief"})
    assert again.status_code == 422
    assert "another plan has this id" in again.text
    form = op.get("/operator/plans/middle/change").text
    assert re.search(r'value="points" checked', form)
    assert not re.search(r'value="welcome" checked', form)
    changed = {**PLAN, "title": "Wide", "cap": "17", "which": "all", "mark": mark(form)}
    assert op.post("/operator/plans/middle/change", changed).status_code == 303
    assert tuple(rows("SELECT title, tactic_cap, plugins FROM core.plan WHERE id = 'middle'")[0]) == (
        "Wide", 17, None,
    )  # fmt: skip
    assert op.post("/operator/plans/middle/delete").status_code == 303
    assert op.get("/operator/plans/middle/change").status_code == 404
    who = f"operator:{op.session.person.id}"
    done = rows(
        "SELECT action FROM core.operator_audit WHERE actor = :who AND subject = 'middle' ORDER BY id", who=who
    )
    assert [row.action for row in done] == ["plan.set", "plan.set", "plan.deleted"]


def test_the_second_who_changes_a_plan_is_told(consoles, op, rows):
    op.post("/operator/plans/new", {"id": "shared", **PLAN})
    other = consoles.operator()
    read = mark(op.get("/operator/plans/shared/change").text)
    assert (
        other.post("/operator/plans/shared/change", {**PLAN, "title": "Theirs", "mark": read}).status_code == 303
    )
    late = op.post("/operator/plans/shared/change", {**PLAN, "title": "Mine", "mark": read})
    assert late.status_code == 422
    assert "Somebody else changed this plan" in late.text
    assert 'value="Mine"' in late.text
    assert "Theirs" in late.text
    title = "SELECT title FROM core.plan WHERE id = 'shared'"
    assert rows(title)[0].title == "Theirs"
    # Without what was read it is refused as well; with what is there now it goes through.
    assert op.post("/operator/plans/shared/change", {**PLAN, "title": "Mine"}).status_code == 422
    assert op.post("/operator/plans/shared/change", {**PLAN, "title": "Mine", "mark": mark(late.text)}).is_redirect
    assert rows(title)[0].title == "Mine"


def test_a_plan_with_stores_stays(op):
    answer = op.post("/operator/plans/standard/delete")
    page = op.get(answer.headers["location"]).text
    assert "move" in page
    assert "/operator/plans/standard/change" in page
    assert "/operator/plans/standard/delete" not in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""), ("id", "Not Good"), ("id", "x" * 5000), ("title", ""), ("title", "x" * 5000), ("cap", ""),
        ("cap", "18"), ("cap", "-1"), ("cap", "1" + "0" * 30), ("cap", "三"), ("cap", "nan"), ("cap", "2.5"),
        ("events_per_second", "0"), ("requests_per_second", "1e3"), ("plugins", ["no-such", "<b>"]),
    ],
)  # fmt: skip
def test_a_wrong_plan_is_told_at_its_field(op, field, value):
    answer = op.post("/operator/plans/new", {"id": "wrong", **PLAN, field: value})
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert "<b>" not in answer.text
    if field != "title":
        assert 'value="Middle"' in answer.text


def test_plugins_say_what_they_keep_and_where_they_are_on(op, opened):
    slug = opened()
    listed = op.get("/operator/plugins").text
    assert "threepeat-points" in listed
    assert "Folder of this server" in listed or "Package index" in listed
    page = op.get("/operator/plugins/points").text
    assert "points.account" in page
    assert f'href="/operator/stores/{slug}"' in page
    assert op.get("/operator/plugins/no-such").status_code == 404


def test_usage_is_a_page_and_a_file(op, opened):
    slug = opened(name="=HYPERLINK(1)")
    page = op.get("/operator/usage")
    assert f'href="/operator/stores/{slug}"' in page.text
    assert "¥0.00" in page.text
    assert op.get("/operator/usage?month=2020-01").status_code == 200
    for wrong in ("2020-13", "20", "0001-01", "9999-12", "x" * 150):
        assert op.get(f"/operator/usage?month={wrong}").status_code == 422, wrong
        assert op.get(f"/operator/usage.csv?month={wrong}").status_code == 422, wrong
    file = op.get("/operator/usage.csv")
    assert file.headers["content-disposition"].startswith('attachment; filename="usage-')
    assert f"{slug},'=HYPERLINK(1)," in file.text


def test_an_operator_is_added_disabled_and_enabled(consoles, op, rows):
    answer = op.post("/operator/operators", {"login": "New@Example.com", "name": "<b>Nova</b>"})
    assert answer.status_code == 303
    page = op.get("/operator/operators").text
    link = re.search(r"http://[^\s<]+(/welcome/o[^\s<]+)<", page)[1]
    assert "&lt;b&gt;Nova" in page
    assert "<b>Nova" not in page
    assert "/welcome/" not in op.get("/operator/operators").text
    nova = consoles.guest()
    assert nova.post(link, {"password": "four quiet words here"}).headers["location"] == "/operator"
    assert nova.get("/operator/").status_code == 200
    person = rows("SELECT id FROM core.operator WHERE login = 'new@example.com'")[0].id
    assert op.post(f"/operator/operators/{person}/disable").status_code == 303
    assert nova.get("/operator/").status_code == 303
    assert op.post(f"/operator/operators/{person}/link").status_code == 409
    assert op.post(f"/operator/operators/{person}/enable").status_code == 303
    who = f"operator:{op.session.person.id}"
    trail = rows("SELECT action FROM core.operator_audit WHERE actor = :who ORDER BY id", who=who)
    assert [row.action for row in trail] == [
        "operator.added", "operator.link_made", "operator.disabled", "operator.enabled",
    ]  # fmt: skip
    history = op.get("/operator/history").text
    assert "Disabled an operator" in history
    assert "&lt;b&gt;Nova" in history
    for wrong in ({"login": "new@example.com", "name": "Twice"}, {"login": "é", "name": "E"},
                  {"login": "x" * 5000, "name": "E"}, {"login": "fine", "name": ""}):  # fmt: skip
        assert op.post("/operator/operators", wrong).status_code == 422
    for nobody in (0, 10**30):
        assert op.post(f"/operator/operators/{nobody}/disable").status_code == 404


def test_a_programs_key_is_shown_once_and_revoked(consoles, op):
    assert op.post("/operator/operators/keys", {"key_name": "<i>cron</i>"}).status_code == 303
    page = op.get("/operator/operators").text
    key = re.search(r"tp_op_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", page)[0]
    assert "&lt;i&gt;cron" in page
    assert key not in op.get("/operator/operators").text
    headers = {"Authorization": f"Bearer {key}"}
    assert consoles.http.get("/v1/operator/plans", headers=headers).status_code == 200
    key_id = key.split("_")[2]
    assert op.post(f"/operator/operators/keys/{key_id}/revoke").status_code == 303
    assert consoles.http.get("/v1/operator/plans", headers=headers).status_code == 401
    assert op.post(f"/operator/operators/keys/{key_id}/revoke").status_code == 404
    wrong = op.post("/operator/operators/keys", {"key_name": "x" * 5000})
    assert wrong.status_code == 422
    assert 'id="key_name-error"' in wrong.text


def test_the_overview_leads_from_each_figure_to_its_causes(op, opened):
    slug = opened()
    page = op.get("/operator/").text
    assert 'data-refresh="/operator/figures" data-every="10"' in page
    links = re.findall(r'<a class="stat [^"]*" href="([^"]+)"', page)
    assert len(links) == 7
    for link in links:
        assert op.get(link).status_code == 200, link
    assert f'href="/operator/stores/{slug}"' in page
    figures = op.get("/operator/figures").text
    assert figures.lstrip().startswith("<div")
    assert "<html" not in figures
    assert op.get("/operator/causes/nonsense").status_code == 404


def test_every_deed_that_is_written_has_words(rows):
    written = {
        row.action for row in rows("SELECT action FROM core.audit UNION SELECT action FROM core.operator_audit")
    }
    named = {
        found
        for package in (threepeat, threepeat_tenants)
        for file in Path(package.__file__).parent.rglob("*.py")
        for found in re.findall(r'audit\.record\w*\((?:[^()"]|\([^()]*\))*"([a-z.-]+)"', file.read_text())
    }
    assert len(named) > 12
    assert written | named <= deeds.DEEDS.keys()
