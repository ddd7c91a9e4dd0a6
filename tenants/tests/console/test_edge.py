"""What every answer of the consoles has, and errors that people can read."""

import json
import re

import pytest
from fastapi.routing import APIRoute
from prometheus_client import REGISTRY

from threepeat.http.edge import HEADERS as EDGE
from threepeat_tenants.console import app, assets, cookies
from threepeat_tenants.console.edge import HEADERS, POLICY


def addresses():
    for router in app.PAGES:
        for route in router.routes:
            # A stream of events does not end; it is tried where it is made.
            if isinstance(route, APIRoute) and "GET" in route.methods and not route.path.endswith("/stream"):
                path = route.path.replace("{slug}", "tea")
                yield re.sub(r"{(\w+)(:\w+)?}", "x", path)


def test_every_page_has_its_headers(consoles):
    for browser in (consoles.guest(), consoles.staff(), consoles.operator()):
        for path in (*addresses(), "/nowhere", "/store/tea/nothing", "/operator/nothing", "/store/tea/toy/broken"):
            answer = browser.get(path)
            assert answer.status_code in {200, 303, 404, 409, 422, 500}, path
            for name, value in HEADERS.items():
                assert answer.headers[name] == value, (path, name)
            assert answer.headers["cache-control"] == "no-store", path
            assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains", path
    assert "unsafe" not in POLICY


def test_no_page_has_a_script_or_a_style_inside(consoles):
    for browser in (consoles.guest(), consoles.staff(), consoles.operator()):
        for path in addresses():
            answer = browser.get(path)
            text = answer.text if answer.headers.get("content-type", "").startswith("text/html") else ""
            assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text), path
            assert not re.search(r"<script(?![^>]*(src=|type=\"application/json\"))", text), path


@pytest.mark.parametrize(
    ("path", "status", "english", "chinese"),
    [
        ("/nowhere", 404, "There is no such page", "页面不存在"),
        ("/store/tea/toy/invalid", 422, "choose one of the languages", "请选择列出的语言"),
        ("/store/tea/toy/conflict", 409, "it cannot be &lt;b&gt;done&lt;/b&gt;", "当前无法完成"),
        ("/store/tea/toy/broken", 500, "Something broke on our side", "系统出错了"),
    ],
)
def test_an_error_is_a_page_in_the_readers_language(consoles, path, status, english, chinese):
    for locale, says in (("en", english), ("zh-CN", chinese)):
        browser = consoles.staff()
        browser.cookies["__Host-threepeat-locale"] = locale
        answer = browser.get(path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert says in answer.text
        assert "secret detail" not in answer.text


def test_the_api_keeps_its_problems(consoles):
    for path, status in (("/v1/tactics", 401), ("/v1/nothing", 404), ("/v1", 404)):
        answer = consoles.guest().get(path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["content-security-policy"] == EDGE["Content-Security-Policy"]


def test_what_the_edge_refuses_is_a_page_too(consoles):
    answer = consoles.http.post("/store/tea/toy/write", content=b"x" * 1_100_000)
    assert answer.status_code == 413
    assert answer.headers["content-type"].startswith("text/html")
    assert "Too much at once" in answer.text
    compressed = consoles.http.post("/operator/sign-in", content=b"x", headers={"Content-Encoding": "br"})
    assert compressed.status_code == 415
    assert "This cannot be read" in compressed.text


def test_a_notice_is_shown_once_and_to_its_owner(consoles):
    browser, other = consoles.staff(), consoles.staff()
    name = "__Host-threepeat-notice"
    browser.post("/store/tea/toy/notice")
    left = browser.cookies[name]
    other.cookies[name] = left
    assert "You are signed out." not in other.get("/store/tea/account").text
    assert name not in other.cookies
    for broken in (left[:-4] + "AAAA", "x", "é".encode().decode("latin-1"), "=" * 50, ""):
        tampered = consoles.staff()
        tampered.cookies = {**browser.cookies, name: broken}
        assert "You are signed out." not in tampered.get("/store/tea/account").text
    assert "You are signed out." in browser.get("/store/tea/account").text
    assert "You are signed out." not in browser.get("/store/tea/account").text


def test_a_notice_grows_old(consoles, monkeypatch):
    browser = consoles.staff()
    monkeypatch.setattr(cookies, "NOTICE_SECONDS", -1)
    browser.post("/store/tea/toy/notice")
    assert "You are signed out." not in browser.get("/store/tea/account").text


def test_static_files_are_kept_for_good_and_found_by_content_only(consoles):
    guest = consoles.guest()
    page = guest.get("/").text
    style = re.search(r'href="(/static/[^"]+/app.css)"', page)[1]
    answer = guest.get(style, Accept_Encoding="gzip")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.content == (assets.STATIC / "app.css").read_bytes()
    assert guest.get(style, Accept_Encoding="identity").content == answer.content
    for wrong in (
        "/static/0000000000000000/app.css", "/static/app.css", "/static/../app.py", "/static/%2e%2e/app.py",
        f"{style}/../../../../assets.py", "/static/%00", style.replace("app.css", "vendor/echarts.LICENSE.txt"),
    ):  # fmt: skip
        assert guest.get(wrong).status_code == 404, wrong


def compressed_size(browser, path):
    """Bytes of a page and of all that it loads but charts, as they are sent."""
    total = 0
    page = browser.get(path, Accept_Encoding="gzip")
    assert page.status_code == 200
    assert page.headers["content-encoding"] == "gzip"
    for address in (path, *re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)):
        if "echarts" in address:
            continue
        request = browser.http.build_request(
            "GET", address, headers={"Accept-Encoding": "gzip", "Cookie": _cookie(browser)}
        )
        answer = browser.http.send(request, stream=True)
        total += sum(len(chunk) for chunk in answer.iter_raw())
        answer.close()
    return total


def _cookie(browser):
    return "; ".join(f"{name}={value}" for name, value in browser.cookies.items()) or "a=b"


def test_every_page_of_somebody_has_a_way_out(consoles):
    for browser, where in ((consoles.staff(), "/store/tea"), (consoles.operator(), "/operator")):
        seen = 0
        for path in addresses():
            answer = browser.get(path)
            shown = answer.status_code == 200 and "<html" in answer.text
            if shown and path.startswith(where) and not path.endswith("/sign-in"):
                assert f'action="{where}/sign-out"' in answer.text, path
                seen += 1
        assert seen > 5


def test_there_is_no_list_of_files_and_no_trace(consoles):
    for path in ("/static", "/static/", "/.git/config", "/.git/"):
        answer = consoles.guest().get(path)
        assert answer.status_code == (307 if path == "/static" else 404), path
    for path in ("/", "/operator/", "/v1/tactics", "/v1/operator/tenants", "/healthz"):
        answer = consoles.http.request("TRACE", path, headers={"X-Secret": "do not repeat"})
        assert answer.status_code in {401, 404, 405}, path
        assert "do not repeat" not in answer.text


def test_the_first_pages_are_small(consoles):
    for browser, path, most in (
        (consoles.guest(), "/store/tea/sign-in", 10),
        (consoles.staff(), "/store/tea/account", 12),
        (consoles.staff(), "/store/tea/", 20),
        (consoles.staff(), "/store/tea/tactics", 20),
        (consoles.operator(), "/operator/", 20),
    ):
        assert compressed_size(browser, path) <= most * 1024, path


def test_reports_of_the_policy_are_counted(consoles):
    def counted(directive):
        return REGISTRY.get_sample_value("threepeat_console_csp_reports_total", {"directive": directive}) or 0

    def report(body):
        return consoles.http.post("/csp-report", content=body, headers={"Content-Type": "application/csp-report"})

    before, others = counted("script-src"), counted("other")
    told = {"csp-report": {"effective-directive": "script-src", "blocked-uri": "inline"}}
    assert report(json.dumps(told)).status_code == 204
    assert counted("script-src") == before + 1
    for odd in (
        {"effective-directive": "x" * 100},
        {"violated-directive": "no-such thing"},
        {"effective-directive": 7},
    ):
        assert report(json.dumps({"csp-report": odd})).status_code == 204
    assert counted("other") == others + 3
    for body in (b"", b"{", b"[]", b'{"csp-report": 1}', b"[" * 16_000, b"\xff", b'{"csp-report": null}'):
        assert report(body).status_code == 204
    assert report(b" " * 20_000).status_code == 413
    assert counted("other") == others + 3
