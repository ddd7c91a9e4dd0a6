"""`/v1/refusals` and `/v1/audit`."""

import pytest
from typer.testing import CliRunner

from threepeat.cli import letters as cli
from threepeat.tenancy import audit


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def refuse(client, make_key, tenant):
    event = {
        "specversion": "1.0", "id": "1", "source": "test", "type": "order.paid", "subject": "ann",
        "data": {"order_id": "1", "total": -5, "currency": "CNY"},
    }  # fmt: skip
    headers = bearer(make_key(tenant, "ingest"))
    assert client.post("/v1/events", json=event, headers=headers).status_code == 422


def test_refusals_are_listed_for_their_own_store(client, tenant, other_tenant, make_key):
    refuse(client, make_key, tenant)
    [one] = client.get("/v1/refusals", headers=bearer(make_key(tenant, "read"))).json()["refusals"]
    assert (one["type"], one["verdict"], one["field"]) == ("order.paid", "invalid", "data.total")
    assert "-5" not in str(one)
    mine = bearer(make_key(tenant, "read"))
    assert client.get(f"/v1/refusals?after={one['id']}", headers=mine).json() == {"refusals": []}
    assert client.get("/v1/refusals", headers=bearer(make_key(other_tenant, "read"))).json() == {"refusals": []}
    assert client.get("/v1/refusals", headers=bearer(make_key(tenant, "ingest"))).status_code == 403


def test_the_trail_is_read_page_by_page(client, platform, tenant, other_tenant, make_key):
    key = bearer(make_key(tenant, "manage"))
    with platform.database.tenant(tenant.id) as scope:
        for number in range(5):
            audit.record(scope, "staff:1", "toy.done", f"toy-{number}", number=number)
    first = client.get("/v1/audit?limit=3", headers=key).json()
    assert [one["subject"] for one in first["entries"]] == ["toy-4", "toy-3", "toy-2"]
    assert first["entries"][0]["details"] == {"number": 4}
    second = client.get(f"/v1/audit?limit=3&before={first['next']}", headers=key).json()
    assert [one["subject"] for one in second["entries"]][:2] == ["toy-1", "toy-0"]
    only = client.get("/v1/audit?subject=toy-2", headers=key).json()
    assert ([one["subject"] for one in only["entries"]], only["next"]) == (["toy-2"], None)
    theirs = client.get("/v1/audit", headers=bearer(make_key(other_tenant, "manage"))).text
    assert "toy" not in theirs
    assert client.get("/v1/audit", headers=bearer(make_key(tenant, "read"))).status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        "audit?before=0", "audit?before=9223372036854775808", "audit?limit=0", "audit?limit=201", "audit?limit=x",
        "audit?subject=%00", "refusals?after=-1", "refusals?after=1e30", "refusals?limit=999",
    ],
)  # fmt: skip
def test_a_wrong_query_is_refused(client, tenant, make_key, query):
    assert client.get(f"/v1/{query}", headers=bearer(make_key(tenant, "manage"))).status_code == 422


def test_the_terminal_shows_refusals(client, platform, tenant, make_key, monkeypatch):
    refuse(client, make_key, tenant)
    monkeypatch.setattr(cli.Platform, "open", lambda: platform)
    answer = CliRunner().invoke(cli.events_app, ["refused", tenant.store.slug])
    assert answer.exit_code == 0, answer.output
    assert "order.paid" in answer.output
    assert "data.total" in answer.output
