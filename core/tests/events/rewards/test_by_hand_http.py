"""`GET /v1/members`, a member's timeline and adjustments by hand, over HTTP."""

import httpx2
import pytest

from threepeat.tenancy import identities
from threepeat.testing.fixtures import serving


@pytest.fixture(scope="module")
def url(platform):
    with serving(platform) as address:
        yield address


@pytest.fixture
def ask(url, house, make_key):
    """Sends with a key of the store: `ask("GET", "/v1/members", scope="read")`."""
    keys = {}
    with httpx2.Client(base_url=url, timeout=30) as client:

        def send(method, path, *, scope="manage", tenant=house.tenant, headers=None, **given):
            if (tenant.id, scope) not in keys:
                keys[tenant.id, scope] = make_key(tenant, scope)
            authorization = {"Authorization": f"Bearer {keys[tenant.id, scope]}"}
            return client.request(method, path, headers={**authorization, **(headers or {})}, **given)

        yield send


ADJUST = {"kind": "tokens", "amount": 5, "reason": "late parcel"}


def test_members_are_listed_in_pages_and_found(house, ask):
    for name in ("shop-1", "shop-2", "shop-3"):
        house.member(name)
    with house.platform.database.tenant(house.tenant.id) as scope:
        identities.link(scope, house.platform.keyring, "shop-1", "phone", "13800138000")
    first = ask("GET", "/v1/members?limit=2", scope="read").json()
    assert [one["external_id"] for one in first["members"]] == ["shop-3", "shop-2"]
    rest = ask("GET", f"/v1/members?limit=2&before={first['next']}").json()
    assert ([one["external_id"] for one in rest["members"]], rest["next"]) == (["shop-1"], None)
    found = ask("GET", "/v1/members?search=shop-2").json()["members"]
    assert [one["external_id"] for one in found] == ["shop-2"]
    assert len(ask("GET", "/v1/members?search=shop").json()["members"]) == 3
    # Phones are not looked for where addresses are logged.
    assert ask("GET", "/v1/members?search=13800138000").json()["members"] == []
    assert ask("GET", "/v1/members", scope="ingest").status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "before=0",
        f"before={2**63}",
        "before=x",
        "search=",
        "search=%00",
        f"search={'x' * 129}",
    ],
)
def test_a_strange_question_is_named(ask, query):
    answer = ask("GET", f"/v1/members?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


def test_a_timeline_tells_all_kinds_of_entries(house, ask, send, worker):
    send(house.tenant, "visit.made", "ann")
    worker.drain()
    assert ask("POST", "/v1/members/ann/adjustments", json=ADJUST).status_code == 200
    page = ask("GET", "/v1/members/ann/timeline", scope="read").json()
    kinds = [one["entry"] for one in page["entries"]]
    assert {"event", "reward", "change"} <= set(kinds)
    visit = next(one for one in page["entries"] if one.get("type") == "visit.made")
    assert {one["plugin"] for one in visit["rewards"]} == {"giver", "rival", "helper"}
    change = next(one for one in page["entries"] if one["entry"] == "change")
    assert change["action"] == "member.adjusted"
    assert change["by"].startswith("key:")
    first = ask("GET", "/v1/members/ann/timeline?limit=1").json()
    older = ask("GET", f"/v1/members/ann/timeline?limit=100&before={first['next']}").json()
    assert [*first["entries"], *older["entries"]] == ask("GET", "/v1/members/ann/timeline?limit=100").json()[
        "entries"
    ]
    assert ask("GET", "/v1/members/nobody/timeline").status_code == 404


def test_an_adjustment_is_done_once_for_each_key(house, ask, ann):
    header = {"Idempotency-Key": "one"}
    first = ask("POST", "/v1/members/ann/adjustments", json=ADJUST, headers=header)
    again = ask("POST", "/v1/members/ann/adjustments", json=ADJUST, headers=header)
    assert first.json() == again.json() == {"kind": "tokens", "amount": 5, "balance": 5}
    assert again.headers["idempotency-replayed"] == "true"
    less = ask("POST", "/v1/members/ann/adjustments", json={**ADJUST, "amount": -3})
    assert less.json()["balance"] == 2
    short = ask("POST", "/v1/members/ann/adjustments", json={**ADJUST, "amount": -3})
    assert (short.status_code, short.json()["type"]) == (409, "urn:threepeat:problem:not-enough")
    assert house.held(ann) == {ann: 2}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"amount": 0}, 422),
        ({"amount": 10**30}, 422),
        ({"amount": 1.5}, 422),
        ({"reason": ""}, 422),
        ({"reason": "x" * 201}, 422),
        ({"reason": "a\0"}, 422),
        ({"kind": "nowhere"}, 404),
        ({"kind": "x" * 81}, 422),
        ({"more": 1}, 422),
    ],
)
def test_a_bad_adjustment_changes_nothing(house, ask, ann, change, status):
    answer = ask("POST", "/v1/members/ann/adjustments", json={**ADJUST, **change})
    assert answer.status_code == status
    assert house.held(ann) == {}


def test_who_may_not_is_refused(house, ask, ann, make_tenant):
    for scope in ("read", "ingest"):
        assert ask("POST", "/v1/members/ann/adjustments", json=ADJUST, scope=scope).status_code == 403
    other = house.other(make_tenant, "giver", "tokens").tenant
    assert ask("POST", "/v1/members/ann/adjustments", json=ADJUST, tenant=other).status_code == 404
    assert ask("GET", "/v1/members/ann/timeline", tenant=other).status_code == 404
    assert ask("GET", "/v1/members?search=ann", tenant=other).json()["members"] == []
    assert house.held(ann) == {}
