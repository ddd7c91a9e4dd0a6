"""What every answer says to a browser, and what a request's headers are not believed."""

import httpx2
import pytest

from threepeat.http.config import HttpConfig
from threepeat.http.edge import HEADERS
from threepeat.testing.fixtures import serving

YEAR = "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/members/ann", 200),
        ("GET", "/v1/members/ann/export", 200),
        ("GET", "/v1/members/nobody", 404),
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/members/ann", 415),
        ("POST", "/v1/keys", 415),
        ("PATCH", "/v1/members/ann", 405),
        ("GET", "/v1/openapi.json", 200),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/metrics", 200),
    ],
)
def test_no_answer_is_kept_framed_guessed_at_or_asked_for_in_the_clear(manager, method, path, status):
    manager.put("/v1/members/ann", json={}).raise_for_status()
    answer = manager.request(method, path, content=b"<b>" if status == 415 else None)
    assert answer.status_code == status
    for name, value in HEADERS.items():
        assert answer.headers.get_list(name) == [value]
    assert answer.headers.get_list("strict-transport-security") == [YEAR]
    assert "access-control-allow-origin" not in answer.headers


def test_who_is_refused_at_the_edge_is_told_the_same(url):
    for credential in ("", "Bearer nonsense"):
        answer = httpx2.get(
            f"{url}/v1/tactics", headers={"Authorization": credential, "Origin": "https://a.example"}
        )
        assert answer.status_code == 401
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["strict-transport-security"] == YEAR
        assert "access-control-allow-origin" not in answer.headers


def test_an_operator_may_leave_the_word_about_https_to_a_proxy(platform):
    with serving(platform, HttpConfig(hsts_seconds=0)) as url:
        answer = httpx2.get(f"{url}/healthz")
    assert "strict-transport-security" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_every_answer_says_what_it_is(manager):
    manager.put("/v1/members/ann", json={}).raise_for_status()
    kinds = {
        "/v1/members/ann": "application/json",
        "/v1/members/nobody": "application/problem+json",
        "/healthz": "application/json",
    }
    assert {path: manager.get(path).headers["content-type"] for path in kinds} == kinds
    text = manager.get("/metrics").headers["content-type"]
    assert text.startswith("text/plain")
    assert "charset=utf-8" in text


def test_a_credential_in_the_address_or_in_a_cookie_opens_nothing(url, make_key, tenant):
    key = make_key(tenant, "manage")
    assert httpx2.get(f"{url}/v1/tactics", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    for name in ("access_token", "token", "key", "api_key", "Authorization", "authorization"):
        for value in (key, f"Bearer {key}"):
            answer = httpx2.get(f"{url}/v1/tactics", params={name: value}, headers={"Cookie": f"{name}={value}"})
            assert answer.status_code == 401, name


def test_a_parameter_that_is_given_twice_is_read_in_one_place_only(manager):
    """A query's field never stands for one of the body, nor the other way round."""
    manager.put("/v1/members/ann?exempt=true", json={"exempt": False}).raise_for_status()
    assert manager.get("/v1/members/ann").json()["exempt"] is False
    assert manager.put("/v1/members/bob?exempt=true", json={}).json()["exempt"] is False


def test_an_address_that_a_stranger_makes_up_is_not_believed(serve):
    """Who comes from elsewhere than the proxy is counted where they are, whatever they say."""
    url = serve(page_requests=1)
    stranger = httpx2.Client(transport=httpx2.HTTPTransport(local_address="127.0.0.2"), base_url=url)
    proxy = httpx2.Client(base_url=url)
    with stranger, proxy:
        tried = [
            [
                client.get("/nowhere", headers={"X-Forwarded-For": f"203.0.113.{number}"}).status_code
                for number in range(6)
            ]
            for client in (stranger, proxy)
        ]
    assert 429 in tried[0]
    assert set(tried[1]) == {404}
