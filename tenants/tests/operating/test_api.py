"""The operator API as a program meets it: the same functions, closed to everybody else, and never a 500."""

import csv
import io
import secrets

import httpx2
import pytest
from sqlalchemy import text

from threepeat.tenancy.keys import Denied
from threepeat.testing.fixtures import serving
from threepeat.testing.hostile import ADDRESSES, IMPOSSIBLE, ODD
from threepeat_tenants.accounts import links, operator_keys
from threepeat_tenants.api import door

OPEN = {
    "name": "Tea House",
    "blueprint": "tea-coffee",
    "owner_name": "Ann",
    "owner_phone": "13800138000",
}
JSON = {"Content-Type": "application/json"}
READS = (
    *("/tenants", "/tenants/{}", "/tenants/{}/first-event", "/tenants/{}/allowances", "/tenants/{}/audit"),
    *(
        "/tenants/{}/staff",
        "/tenants/{}/letters",
        "/plans",
        "/plans/standard",
        "/blueprints",
        "/plugins",
        "/usage",
        "/usage.csv",
    ),
    *("/overview", "/overview/lag", "/overview/letters", "/overview/paused", "/overview/quarantined"),
    *("/overview/suspended", "/audit"),
)


TENANT = text("SELECT id FROM core.tenant WHERE slug = :slug")
SUSPENDED = text("SELECT count(*) FROM core.tenant WHERE suspended_at IS NOT NULL")


def path(rest):
    return f"/v1/operator{rest}"


@pytest.fixture(scope="module")
def platform(still):
    """One platform for a file; every test makes stores of its own."""
    return still


@pytest.fixture(scope="module")
def client(platform):
    with serving(platform) as url, httpx2.Client(base_url=url, timeout=30) as made:
        yield made


@pytest.fixture
def tenant(make_tenant):
    return make_tenant(f"first-{secrets.token_hex(4)}")


@pytest.fixture
def slug():
    return f"tea-{secrets.token_hex(4)}"


@pytest.fixture
def store(slug):
    """Addresses of the store: `store("/staff")`."""
    return lambda rest="": path(f"/tenants/{slug}{rest}")


@pytest.fixture
def opened(operator, slug):
    answer = operator.post(path("/tenants"), json=OPEN | {"slug": slug})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_store_is_opened_read_moved_suspended_and_reactivated(operator, opened, slug, store):
    assert opened["tenant"]["slug"] == slug
    assert opened["ingest_key"].startswith("tp_live_")
    assert "points" in opened["tactics"]
    again = operator.post(path("/tenants"), json=OPEN | {"slug": slug})
    assert (again.status_code, again.json()["type"]) == (409, "urn:threepeat:problem:slug-taken")

    plan = operator.put(path("/plans/small"), json={"title": "Small", "cap": 0, "events_per_second": 10})
    assert (plan.status_code, plan.json()["cap"]) == (200, 0)
    assert operator.patch(store(), json={"plan": "small"}).json()["plan"] == "small"
    assert operator.get(path("/plans/small")).json()["above"] == 1
    assert operator.delete(path("/plans/small")).status_code == 422

    headers = {"Idempotency-Key": "one"}
    first = operator.post(store("/suspend"), json={"reason": "late"}, headers=headers)
    again = operator.post(store("/suspend"), json={"reason": "late"}, headers=headers)
    assert (first.status_code, again.status_code, first.content) == (200, 200, again.content)
    assert operator.post(store("/suspend"), json={"reason": "late"}).status_code == 409
    assert operator.get(store()).json()["suspended_reason"] == "late"
    assert operator.post(store("/reactivate")).json()["suspended_at"] is None

    actions = [one["action"] for one in operator.get(store("/audit")).json()["entries"]]
    assert actions[:3] == ["store.reactivated", "store.suspended", "plan.assigned"]
    assert operator.get(path("/audit")).json()["entries"][0]["subject"] == "small"


@pytest.mark.usefixtures("opened")
def test_everything_can_be_read_and_told_in_pages(operator, slug, store):
    for rest in READS:
        assert operator.get(path(rest.format(slug))).status_code == 200, rest
    toys = f"toys-{slug}"
    operator.post(path("/tenants"), json=OPEN | {"slug": toys, "blueprint": None})
    pages = [operator.get(path("/tenants"), params={"limit": 1}).json()]
    while pages[-1]["next"]:
        pages.append(operator.get(path("/tenants"), params={"limit": 1, "after": pages[-1]["next"]}).json())
    listed = [one["slug"] for page in pages for one in page["tenants"]]
    assert listed == sorted(set(listed))
    assert {slug, toys} <= set(listed)
    assert len(listed) == len(pages)
    trail = operator.get(store("/audit"), params={"limit": 1}).json()
    older = operator.get(store("/audit"), params={"before": trail["next"]}).json()
    assert trail["entries"][0]["id"] not in {one["id"] for one in older["entries"]}
    usage = operator.get(path("/usage.csv"))
    assert usage.headers["content-type"].startswith("text/csv")
    assert len(list(csv.reader(io.StringIO(usage.text)))) == 1 + len(listed)


@pytest.mark.usefixtures("opened")
def test_one_store_may_be_given_or_refused_a_plugin(operator, store):
    def points(answer):
        return next(one for one in answer.json()["allowances"] if one["plugin"] == "points")

    put = operator.put(store("/allowances/points"), json={"allowed": False})
    assert (points(put)["allowed"], points(put)["own"]) == (False, False)
    put = operator.put(store("/allowances/points"), json={"allowed": None})
    assert (points(put)["allowed"], points(put)["own"]) == (True, None)
    assert operator.put(store("/allowances/nope"), json={"allowed": True}).status_code == 404


def test_letters_are_listed_without_whom_they_concern_tried_again_and_dropped(
    platform, operator, opened, tenant, slug, store
):
    with platform.database.ops.begin() as ops:
        tea = ops.execute(TENANT, {"slug": slug}).scalar_one()
        for owner, position in ((tea, 1), (tea, 2), (tenant.id, 1)):
            ops.execute(
                text(
                    "INSERT INTO core.dead_letter (tenant_id, plugin, position, member_id, error)"
                    " VALUES (:owner, 'points', :position, :position, 'broke')"
                ),
                {"owner": owner, "position": position},
            )
    assert opened["tactics"]
    found = operator.get(store("/letters")).json()["letters"]
    assert [one["reference"] for one in found] == ["1", "2"]
    assert not {"member", "data"} & set(found[0])
    drop = {"plugin": "points", "kind": "event", "reference": "1"}
    assert operator.post(store("/letters/drop"), json=drop).json() == {"count": 1}
    assert operator.post(store("/letters/drop"), json=drop).status_code == 404
    assert operator.post(store("/letters/retry"), json={}).json() == {"count": 1}
    assert [
        one["state"] for one in operator.get(path(f"/tenants/{tenant.store.slug}/letters")).json()["letters"]
    ] == ["waiting"]


@pytest.mark.usefixtures("opened")
def test_staff_are_added_changed_and_let_in_again_by_links(platform, operator, slug, store):
    at = store("/staff")
    (owner,) = operator.get(at).json()["staff"]
    assert (owner["name"], owner["role"], owner["phone"]) == ("Ann", "owner", "+8613800138000")
    assert operator.post(f"{at}/{owner['id']}/disable").json()["type"] == "urn:threepeat:problem:last-owner"

    wanted = {"name": "Bo", "role": "analyst", "email": "bo@tea.example"}
    made = operator.post(at, json=wanted)
    assert made.status_code == 201, made.text
    bo, first = made.json()["person"], made.json()["link"]
    assert (bo["has_password"], bo["email"]) == (False, "bo@tea.example")
    again = operator.post(at, json=wanted)
    assert (again.status_code, again.json()["errors"][0]["field"]) == (422, "email")
    assert operator.post(at, json=wanted | {"role": "king"}).status_code == 422
    assert operator.post(f"{at}/{bo['id']}/role", json={"role": "operator"}).json()["role"] == "operator"
    second = operator.post(f"{at}/{bo['id']}/link").json()["link"]
    with platform.database.ops.begin() as ops:
        tea = ops.execute(TENANT, {"slug": slug}).scalar_one()
    with platform.database.tenant(tea) as scope:
        assert links.read(scope, platform.keyring, second).person.id == bo["id"]
        with pytest.raises(Denied):
            links.read(scope, platform.keyring, first)
    assert operator.post(f"{at}/{bo['id']}/disable").json()["disabled_at"] is not None
    assert operator.post(f"{at}/{bo['id']}/link").status_code == 409
    assert operator.post(f"{at}/{bo['id']}/enable").json()["disabled_at"] is None
    trail = operator.get(store("/audit")).json()["entries"]
    assert {one["actor"].partition(":")[0] for one in trail if one["subject"] == f"staff:{bo['id']}"} == {
        "operator-key"
    }


@pytest.mark.usefixtures("opened")
def test_staff_of_another_store_are_nobody(operator, tenant, store):
    (owner,) = operator.get(store("/staff")).json()["staff"]
    here = path(f"/tenants/{tenant.store.slug}/staff")
    assert operator.get(here).json() == {"staff": []}
    for call, body in (("role", {"role": "analyst"}), ("disable", None), ("enable", None), ("link", None)):
        for person in (owner["id"], 0, -1, 2**63, 10**40):
            answer = operator.post(f"{here}/{person}/{call}", json=body)
            assert answer.status_code in {404, 422}, (call, person, answer.text)
    assert operator.get(store("/staff")).json()["staff"] == [owner]


@pytest.mark.usefixtures("opened")
def test_nobody_else_gets_in_by_any_address(platform, operator, make_key, tenant, slug):
    known = {route for route in operator.get("/v1/openapi.json").json()["paths"] if "/operator/" in route}
    assert len(known) >= 20
    strangers = ["", "tp_op_000000000000_" + "a" * 43, make_key(tenant, "manage"), "tp_op_", "\u00ff"]
    operator.headers.pop("Authorization")
    for route in known:
        address = route.replace("{slug}", slug).replace("{plan}", "standard").replace("{plugin}", "points")
        address = address.replace("{figure}", "lag")
        for stranger in strangers:
            headers = {"Authorization": f"Bearer {stranger}".encode("latin-1")} if stranger else {}
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                answer = operator.request(method, address, headers=headers)
                assert answer.status_code in {401, 405, 429}, (method, address, stranger)
    with platform.database.ops.begin() as ops:
        assert ops.execute(SUSPENDED).scalar_one() == 0


def test_a_revoked_key_stops_at_once(platform, operator):
    assert operator.get(path("/plans")).status_code == 200
    key = operator.headers["Authorization"].split("_")[2]
    with platform.database.ops.begin() as ops:
        operator_keys.revoke(ops, key, by="test")
    assert [operator.get(path("/plans")).status_code for _ in range(2)] == [401, 401]


def test_a_key_that_comes_too_often_is_told_to_wait_and_so_is_a_flood_of_unknown_ones(
    platform, operator, monkeypatch
):
    monkeypatch.setattr(door, "REQUESTS_PER_SECOND", 1)
    with serving(platform) as url, httpx2.Client(base_url=url, headers=operator.headers) as alone:
        answers = [alone.get(path("/plans")) for _ in range(6)]
        codes = set()
        for number in range(40):
            headers = {"Authorization": f"Bearer tp_op_{number:012x}_{'a' * 43}"}
            codes.add(alone.get(path("/plans"), headers=headers).status_code)
    assert answers[0].status_code == 200
    late = answers[-1]
    assert (late.status_code, late.headers["retry-after"]) == (429, "1")
    assert codes == {401, 429}


@pytest.fixture
def unhurried(monkeypatch):
    monkeypatch.setattr(door, "REQUESTS_PER_SECOND", 100_000)


@pytest.mark.usefixtures("unhurried", "opened")
def test_hostile_bodies_and_addresses_are_refused_and_nothing_breaks(operator, slug):
    targets = (
        ("POST", "/tenants", "name"),
        ("POST", f"/tenants/{slug}/suspend", "reason"),
        ("POST", f"/tenants/{slug}/staff", "name"),
        ("POST", f"/tenants/{slug}/letters/retry", "reference"),
        ("POST", f"/tenants/{slug}/letters/drop", "plugin"),
        ("PATCH", f"/tenants/{slug}", "plan"),
        ("PUT", "/plans/small", "cap"),
        ("PUT", f"/tenants/{slug}/allowances/points", "allowed"),
    )
    for number, (method, rest, field) in enumerate(targets):
        # What is impossible anywhere is refused before the route; one of each is enough.
        for name, value in (IMPOSSIBLE | ODD if number == 0 else ODD).items():
            for body in (value, b'{"%s":%s}' % (field.encode(), value)):
                answer = operator.request(method, path(rest), content=body, headers=JSON)
                assert answer.status_code < 500, (method, rest, name)
                assert answer.status_code not in {401, 429}
                assert name in ODD or answer.status_code >= 400, (method, rest, name)
        plain = operator.request(method, path(rest), content=b"{}", headers={"Content-Type": "text/plain"})
        assert plain.status_code == 415
    for value in ADDRESSES.values():
        for rest in (
            "/tenants",
            "/usage",
            "/usage.csv",
            f"/tenants/{slug}/audit",
            f"/tenants/{slug}/letters",
            "/audit",
        ):
            for name in ("limit", "after", "before", "month", "plugin"):
                answer = operator.get(path(f"{rest}?{name}={value}"))
                assert answer.status_code in {200, 404, 422}, (rest, name, value[:40])
        for rest in (
            "/tenants/{}",
            "/tenants/{}/audit",
            "/plans/{}",
            "/overview/{}",
            f"/tenants/{slug}/allowances/{{}}",
        ):
            assert operator.get(path(rest.format(value))).status_code in {401, 404, 405, 422}, (rest, value[:40])
