"""`/v1/keys`: a key makes no key that may do more than it does, and keeps no secret."""

import pytest
from sqlalchemy import text

from threepeat.tenancy import audit

ANSWERS = text("SELECT body FROM core.idempotency WHERE tenant_id = :tenant")


def bearer(key, **more):
    return {"Authorization": f"Bearer {key}", **more}


@pytest.fixture
def manager(tenant, make_key):
    return make_key(tenant, "manage", "read")


def test_a_key_is_made_used_listed_and_revoked(client, platform, tenant, manager):
    made = client.post("/v1/keys", json={"name": "till", "scopes": ["read"]}, headers=bearer(manager))
    assert made.status_code == 200, made.text
    key, key_id = made.json()["key"], made.json()["id"]
    assert client.get("/v1/tactics", headers=bearer(key)).status_code == 200
    listed = client.get("/v1/keys", headers=bearer(manager)).json()["keys"]
    assert [(one["name"], one["scopes"]) for one in listed if one["id"] == key_id] == [("till", ["read"])]
    assert key not in str(listed)
    assert client.post(f"/v1/keys/{key_id}/revoke", headers=bearer(manager)).json() == {"id": key_id}
    assert client.get("/v1/tactics", headers=bearer(key)).status_code == 401
    assert client.post(f"/v1/keys/{key_id}/revoke", headers=bearer(manager)).status_code == 404
    with platform.database.tenant(tenant.id) as scope:
        actions = [(one.action, one.actor.partition(":")[0]) for one in audit.read(scope)]
    assert actions[:2] == [("key.revoked", "key"), ("key.created", "key")]


def test_a_repeat_makes_no_second_key_and_nothing_keeps_the_secret(client, platform, tenant, manager):
    headers = bearer(manager, **{"Idempotency-Key": "k1"})
    asked = {"name": "till", "scopes": ["read"]}
    first, second = (client.post("/v1/keys", json=asked, headers=headers).json() for _ in range(2))
    assert first["id"] == second["id"]
    assert second["key"] is None
    with platform.database.tenant(tenant.id) as scope:
        kept = [bytes(row.body).decode() for row in scope.run(ANSWERS)]
    assert first["key"] not in "".join(kept)
    assert first["id"] in "".join(kept)


def test_nobody_gives_away_what_they_lack(client, tenant, make_key, manager):
    for scopes in (["ingest"], ["ingest", "read"], ["manage", "ingest"]):
        answer = client.post("/v1/keys", json={"name": "x", "scopes": scopes}, headers=bearer(manager))
        assert (answer.status_code, "ingest" in answer.json()["detail"]) == (403, True)
    for scope in ("ingest", "read"):
        weak = bearer(make_key(tenant, scope))
        assert client.post("/v1/keys", json={"name": "x", "scopes": [scope]}, headers=weak).status_code == 403
        assert client.get("/v1/keys", headers=weak).status_code == 403
    assert client.get("/v1/keys").status_code == 401


def test_another_stores_keys_are_not_there(client, other_tenant, make_key, manager):
    theirs = make_key(other_tenant, "manage")
    key_id = theirs.split("_")[3]
    assert client.post(f"/v1/keys/{key_id}/revoke", headers=bearer(manager)).status_code == 404
    assert key_id not in client.get("/v1/keys", headers=bearer(manager)).text
    assert client.get("/v1/keys", headers=bearer(theirs)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {}, {"name": "x"}, {"name": "", "scopes": ["read"]}, {"name": "x" * 101, "scopes": ["read"]},
        {"name": "x", "scopes": []}, {"name": "x", "scopes": ["all"]}, {"name": "x", "scopes": ["read"] * 9},
        {"name": "a\0", "scopes": ["read"]}, {"name": 1, "scopes": "read"},
        {"name": "x", "scopes": ["read"], "z": 1},
    ],
)  # fmt: skip
def test_a_wrong_request_names_the_field(client, manager, body):
    answer = client.post("/v1/keys", json=body, headers=bearer(manager))
    assert answer.status_code == 422
    assert answer.json()["errors"]


def test_any_id_may_be_asked_for(client, manager):
    for wrong in ("x", "9" * 30, "%00", "a%2Fb", "%F0%9F%98%80"):
        assert client.post(f"/v1/keys/{wrong}/revoke", headers=bearer(manager)).status_code in {404, 422}
