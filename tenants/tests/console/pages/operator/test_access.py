"""Only operators come in, only our own forms change anything, and no page asks a query for each row."""

import re

import pytest
from fastapi.routing import APIRoute

from threepeat_tenants.console.pages import operator

POSTS = [
    route.path for router in operator.ROUTERS for route in router.routes
    if isinstance(route, APIRoute) and "POST" in route.methods
]  # fmt: skip
GETS = [
    route.path for router in operator.ROUTERS for route in router.routes
    if isinstance(route, APIRoute) and "GET" in route.methods
]  # fmt: skip
HOSTILE = '<script>alert("x")</script>'
VALUES = {
    "slug": "tea", "figure": "lag", "plan": "standard", "plugin": "points", "person": "1", "key_id": "a" * 12,
}  # fmt: skip


def address(path):
    return re.sub(r"{(\w+)}", lambda found: VALUES[found[1]], path)


def test_every_address_is_the_operators():
    assert len(GETS) > 15
    assert len(POSTS) > 12
    assert all(path.startswith("/operator/") for path in (*GETS, *POSTS))


@pytest.mark.parametrize("path", GETS)
def test_who_is_no_operator_is_sent_to_sign_in(consoles, path):
    for browser in (consoles.guest(), consoles.staff(), consoles.staff(consoles.coffee)):
        answer = browser.get(address(path))
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/operator/sign-in")
    asked = consoles.guest().get(address(path), HX_Request="true")
    assert asked.status_code == 401


def test_nothing_is_changed_without_our_own_form(consoles, op, rows):
    everything = "SELECT (SELECT count(*) FROM core.audit) + (SELECT count(*) FROM core.operator_audit) AS n"
    op.get("/operator/")
    before = rows(everything)
    for path in POSTS:
        assert op.post(address(path), csrf=False).status_code == 403, path
        assert op.post(address(path), Sec_Fetch_Site="cross-site").status_code == 403, path
        assert consoles.guest().post(address(path)).status_code == 303, path
        # A member of staff holds a token of their own, which opens nothing here.
        assert (
            consoles.guest().post(address(path), {"csrf": "x"}).headers["location"].startswith("/operator/sign-in")
        )
    assert rows(everything) == before


def test_every_page_answers_in_both_languages(op):
    for locale in ("en", "zh-CN"):
        op.cookies["__Host-threepeat-locale"] = locale
        for path in GETS:
            answer = op.get(address(path))
            assert answer.status_code == 200, (path, answer.text)
            if answer.headers["content-type"].startswith("text/html"):
                assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", answer.text), path
                if "<html" in answer.text:
                    assert f'<html lang="{locale}">' in answer.text


@pytest.mark.parametrize(
    "value", ["%00", "%ED%A0%80", "%F0%9F%98%80", "..%2f..%2fetc", "x" * 1000, "%22%3E%3Cb%3E"]
)
def test_a_hostile_address_is_a_page(op, value):
    for path in (f"/operator/stores/{value}", f"/operator/stores/{value}/connect", f"/operator/plugins/{value}",
                 f"/operator/plans/{value}/change", f"/operator/causes/{value}",
                 f"/operator/stores/{value}/letters"):  # fmt: skip
        answer = op.get(path)
        assert answer.status_code in {404, 422}, path
        assert '"><b>' not in answer.text
    for path in ("/operator/stores?q=", "/operator/stores?after=", "/operator/usage?after=",
                 "/operator/usage?month=", "/operator/history?before=", "/operator/stores/tea/history?before=",
                 "/operator/plugins/points?after=", "/operator/stores/tea/letters?plugin="):  # fmt: skip
        answer = op.get(path + value)
        assert answer.status_code in {200, 422}, path
        assert '"><b>' not in answer.text


@pytest.mark.usefixtures("many")
def test_a_page_asks_as_many_queries_for_many_stores_as_for_few(op, counted):
    for path, most in (
        ("/operator/", 16), ("/operator/figures", 14), ("/operator/stores", 8), ("/operator/usage", 12),
        ("/operator/letters", 8), ("/operator/plans", 8), ("/operator/plugins/points", 30),
        ("/operator/stores/many-00001", 30), ("/operator/operators", 10),
    ):  # fmt: skip
        op.get(path)
        with counted() as statements:
            assert op.get(path).status_code == 200
        assert len(statements) <= most, (path, statements)


def test_what_a_plugin_says_is_text(consoles, op, opened):
    slug = opened()
    manifest = consoles.platform.registry["points"].plugin.manifest
    title, summary = manifest.title, manifest.summary
    try:
        object.__setattr__(manifest, "title", HOSTILE)
        object.__setattr__(manifest, "summary", HOSTILE)
        for path in ("/operator/", "/operator/stores", "/operator/stores/new", f"/operator/stores/{slug}",
                     f"/operator/stores/{slug}/connect", f"/operator/stores/{slug}/history", "/operator/usage",
                     "/operator/plans/new", "/operator/plugins", "/operator/plugins/points",
                     f"/operator/stores/{slug}/letters?plugin=points"):  # fmt: skip
            page = op.get(path).text
            assert "<script>alert" not in page, path
            assert "&lt;script&gt;alert" in page or path.endswith("connect"), path
    finally:
        object.__setattr__(manifest, "title", title)
        object.__setattr__(manifest, "summary", summary)
