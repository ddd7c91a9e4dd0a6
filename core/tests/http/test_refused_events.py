"""What a store sends and what cannot be taken can be looked up: the type and the field, never a value."""

import pytest
from sqlalchemy import text

from threepeat.events import refusals

EVENT = {"specversion": "1.0", "source": "shop", "type": "visit.made", "subject": "ann", "data": {}}


@pytest.fixture(autouse=True)
def at_any_time(monkeypatch):
    monkeypatch.setattr(refusals, "SECONDS", 0)


def found(platform, tenant):
    with platform.database.tenant(tenant.id) as scope:
        return [(one.type, one.verdict, one.detail) for one in reversed(refusals.recent(scope))]


def test_what_cannot_be_taken_is_noted_by_type_and_field(platform, tenant, other_tenant, signed_in, make_key):
    key = signed_in(make_key(tenant, "ingest"))
    good = {**EVENT, "id": "1"}
    assert key.post("/v1/events", json=good).status_code == 200
    assert key.post("/v1/events", json=good).status_code == 200  # a duplicate is no refusal
    assert key.post("/v1/events", json={**good, "subject": "bob@example.com"}).status_code == 409
    assert key.post("/v1/events", json={**EVENT, "id": "2", "time": "bob@example.com"}).status_code == 422
    hostile = {**EVENT, "id": "3", "type": "bob@example.com <script>"}
    assert key.post("/v1/events", json=[hostile]).status_code == 207
    noted = found(platform, tenant)
    assert noted[0][:2] == ("visit.made", "conflict")
    assert noted[1] == ("", "invalid", "time")
    assert noted[2] == ("", "invalid", "type")
    with platform.database.tenant(tenant.id) as scope:
        assert "bob" not in str(scope.run(text("SELECT * FROM core.refusal WHERE tenant_id = :tenant")))
    assert found(platform, other_tenant) == []


def test_of_many_at_once_and_of_many_in_all_a_few_are_kept(platform, tenant, signed_in, make_key, monkeypatch):
    monkeypatch.setattr(refusals, "MOST", 12)
    key = signed_in(make_key(tenant, "ingest"))
    for number in range(4):
        bad = [{**EVENT, "id": f"{number}:{n}", "type": "no.such"} for n in range(9)]
        assert key.post("/v1/events", json=bad).json()["invalid"] == 9
    assert len(found(platform, tenant)) == 12


def test_one_request_in_a_second_leaves_its_refusals(platform, tenant, signed_in, make_key, monkeypatch):
    monkeypatch.setattr(refusals, "SECONDS", 60)
    key = signed_in(make_key(tenant, "ingest"))
    for number in range(3):
        assert key.post("/v1/events", json={**EVENT, "id": str(number), "type": "no.such"}).status_code == 422
    assert len(found(platform, tenant)) == 1


def test_the_answer_is_the_same_when_they_cannot_be_noted(platform, tenant, signed_in, make_key, monkeypatch):
    monkeypatch.setattr(refusals, "NOTE", "SELECT * FROM core.nowhere")
    key = signed_in(make_key(tenant, "ingest"))
    good, bad = {**EVENT, "id": "1"}, {**EVENT, "id": "2", "type": "no.such"}
    answer = key.post("/v1/events", json=[good, bad])
    assert answer.status_code == 207
    assert [item["verdict"] for item in answer.json()["items"]] == ["accepted", "invalid"]
    assert found(platform, tenant) == []
    assert key.post("/v1/events", json=good).json()["duplicate"] == 1
