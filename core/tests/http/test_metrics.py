"""`/v1/metrics` as a merchant's server reads it."""

import pytest
from sqlalchemy import text

from threepeat.plugins import Registry
from threepeat.sdk import Funnel, Manifest, Plugin, PluginSettings, Series, Stat, Table, hookimpl, metric
from threepeat.tenancy import switches

HOSTILE = ("0", "367", "-1", "", "x", "NaN", "1e3", "9223372036854775808", "1" * 5000)


class Reporter(Plugin[PluginSettings]):
    settings_model = PluginSettings

    def __init__(self, name, kind="tactic"):
        self.manifest = Manifest(id=name, kind=kind, title=name.title(), summary="Reports.")

    @hookimpl
    def metrics(self):
        yield metric("stat", self.stat, question="Who?")
        yield metric("series", self.series, question="When?")
        yield metric("funnel", self.funnel, question="How far?")
        yield metric("table", self.table, question="Which?")
        yield metric("broken", lambda _ctx, _period: 1 / 0, question="Why?")

    def stat(self, ctx, _period):
        return Stat(ctx.tenant.id, before=2**62, warning="too many")

    def series(self, _ctx, period):
        return Series({"<b>": [number or None for number in range(len(period.days))]}, "money", "bar")

    def funnel(self, _ctx, _period):
        return Funnel([("came", 2), ("paid", 1)])

    def table(self, _ctx, _period):
        return Table([("who", ""), ("share", "percent")], [["ann", 10_000], ["bob", None]])


@pytest.fixture(scope="module")
def registry():
    kinds = {"asked": "tactic", "quiet": "tactic", "served": "service"}
    return Registry.load((name, Reporter(name, kind)) for name, kind in kinds.items())


@pytest.fixture
def switch_on(platform):
    def make(tenant):
        with platform.database.tenant(tenant.id) as scope:
            switches.enable(scope, tenant, platform.registry, "asked", by="test", act=platform.act)

    return make


@pytest.fixture
def reader(signed_in, make_key, tenant, switch_on):
    switch_on(tenant)
    return signed_in(make_key(tenant, "read"))


def test_everything_that_is_on_is_reported_with_its_answers(reader, tenant):
    answer = reader.get("/v1/metrics", params={"days": 3})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["currency"], found["minor_units"], len(found["days"])) == ("CNY", 100, 3)
    assert [(one["id"], one["title"], one["state"]) for one in found["plugins"]] == [
        ("asked", "Asked", "enabled"),
        ("served", "Served", "enabled"),
    ]
    assert {one["name"]: one["answer"] for one in found["plugins"][0]["metrics"]} == {
        "stat": {"kind": "stat", "unit": "", "value": tenant.id, "before": 2**62, "warning": "too many"},
        "series": {
            "kind": "series",
            "unit": "money",
            "shape": "bar",
            "lines": [{"name": "<b>", "figures": [None, 1, 2]}],
        },
        "funnel": {"kind": "funnel", "steps": [{"name": "came", "count": 2}, {"name": "paid", "count": 1}]},
        "table": {
            "kind": "table",
            "columns": [{"heading": "who", "unit": ""}, {"heading": "share", "unit": "percent"}],
            "rows": [["ann", 10_000], ["bob", None]],
        },
        "broken": None,
    }
    errors = {one["name"]: one["error"] for one in found["plugins"][0]["metrics"] if one["error"]}
    assert errors == {"broken": "could not be computed"}
    assert len(reader.get("/v1/metrics").json()["days"]) == 30


def test_one_plugin_is_reported_alone_and_one_that_is_off_not_at_all(reader, platform, tenant):
    alone = reader.get("/v1/metrics/asked", params={"days": 366}).json()
    assert [one["id"] for one in alone["plugins"]] == ["asked"]
    assert len(alone["days"]) == 366
    for name in ("quiet", "nowhere", "%00", "%ed%a0%80", "a" * 5000):
        answer = reader.get(f"/v1/metrics/{name}")
        assert answer.status_code == 404, name
        assert answer.json()["type"] == "urn:threepeat:problem:not-found"
    with platform.database.tenant(tenant.id) as scope:
        scope.run(text("UPDATE core.activation SET state = 'closing', slot = NULL WHERE tenant_id = :tenant"))
    assert reader.get("/v1/metrics/asked").json()["plugins"][0]["state"] == "closing"


def test_a_number_of_days_that_does_not_fit_is_named(reader):
    for days in HOSTILE:
        for path in ("/v1/metrics", "/v1/metrics/asked"):
            answer = reader.get(path, params={"days": days})
            assert answer.status_code == 422, days
            assert [one["field"].rpartition(".")[2] for one in answer.json()["errors"]] == ["days"]


def test_only_a_key_that_may_read_gets_them(signed_in, make_key, make_token, tenant, reader):
    assert reader.get("/v1/metrics").status_code == 200
    assert signed_in(make_key(tenant, "manage")).get("/v1/metrics").status_code == 200
    for credential, status in ((make_key(tenant, "ingest"), 403), (make_token(tenant, "m1"), 403), ("tp_x", 401)):
        for path in ("/v1/metrics", "/v1/metrics/asked"):
            assert signed_in(credential).get(path).status_code == status


def test_each_store_reads_its_own(reader, signed_in, make_key, tenant, other_tenant, switch_on):
    theirs = signed_in(make_key(other_tenant, "read"))
    assert [one["id"] for one in theirs.get("/v1/metrics").json()["plugins"]] == ["served"]
    assert theirs.get("/v1/metrics/asked").status_code == 404
    switch_on(other_tenant)
    for client, owner in ((reader, tenant), (theirs, other_tenant)):
        stat = client.get("/v1/metrics/asked").json()["plugins"][0]["metrics"][0]["answer"]
        assert stat["value"] == owner.id


def test_the_answers_are_described(client):
    schema = client.get("/v1/openapi.json").json()
    route = schema["paths"]["/v1/metrics"]["get"]
    assert route["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("/MetricsView")
    answer = schema["components"]["schemas"]["MetricView"]["properties"]["answer"]["anyOf"][0]
    assert set(answer["discriminator"]["mapping"]) == {"stat", "series", "funnel", "table"}
