"""Every change leaves an entry with who and when, in its own transaction, and nobody rewrites the trail."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from threepeat.events import suppression
from threepeat.plugins import Registry
from threepeat.sdk import Manifest, Plugin, PluginSettings
from threepeat.tenancy import audit, keys, members, switches
from threepeat.tenancy.members import Suspension

BY = "staff:7"


class Settings(PluginSettings):
    rate: int = 1
    token: SecretStr | None = None


class Toy(Plugin[Settings]):
    settings_model = Settings

    def __init__(self, name):
        self.manifest = Manifest(id=name, kind="tactic", title=name, summary="A toy.")


@pytest.fixture(scope="module")
def platform(cluster, tmp_path_factory):
    registry = Registry.load((name, Toy(name)) for name in ("one", "two"))
    with cluster.platform(tmp_path_factory.mktemp("data"), registry=registry) as opened:
        yield opened


@pytest.fixture
def tenant(make_tenant):
    return make_tenant(f"shop-{secrets.token_hex(4)}")


@pytest.fixture
def other_tenant(make_tenant):
    return make_tenant(f"shop-{secrets.token_hex(4)}")


def trail(platform, tenant, **given):
    with platform.database.tenant(tenant.id) as scope:
        return [(one.actor, one.action, one.subject) for one in reversed(audit.read(scope, **given))]


def told(platform, tenant, work):
    """What a change adds to the trail."""
    before = len(trail(platform, tenant, limit=1000))
    with platform.database.tenant(tenant.id) as scope:
        work(scope)
    return trail(platform, tenant, limit=1000)[before:]


def enable(platform, tenant, name, **more):
    return lambda scope: switches.enable(scope, tenant, platform.registry, name, by=BY, act=platform.act, **more)


def save(platform, tenant, values, **more):
    return lambda scope: switches.save_settings(
        scope, tenant, platform.registry, platform.keyring, "one", values, revision=None, by=BY, **more
    )


def test_every_change_is_told_with_who(platform, tenant):
    def disable(scope):
        switches.disable(scope, tenant, platform.registry, "one", by=BY, act=platform.act)

    assert told(platform, tenant, enable(platform, tenant, "one")) == [(BY, "plugin.enabled", "one")]
    assert told(platform, tenant, enable(platform, tenant, "one")) == []
    assert told(platform, tenant, enable(platform, tenant, "two", replace="one")) == [
        (BY, "plugin.closing", "one"),
        (BY, "plugin.off", "one"),
        (BY, "plugin.enabled", "two"),
    ]
    told(platform, tenant, enable(platform, tenant, "one"))
    assert told(platform, tenant, disable) == [(BY, "plugin.closing", "one"), (BY, "plugin.off", "one")]
    assert told(platform, tenant, lambda scope: switches.allow(scope, "one", allowed=False, by=BY)) == [
        (BY, "plugin.forbidden", "one")
    ]
    told(platform, tenant, lambda scope: switches.allow(scope, "one", allowed=True, by=BY))
    made = []
    work = lambda scope: made.append(keys.create_key(scope, platform.keyring, "till", ["ingest"], by=BY))  # noqa: E731
    [(_, action, key_id)] = told(platform, tenant, work)
    assert (action, key_id) == ("key.created", keys.parse_key(made[0]).id)
    assert told(platform, tenant, lambda scope: keys.revoke_key(scope, key_id, by=BY)) == [
        (BY, "key.revoked", key_id)
    ]


def test_what_is_done_to_a_member_is_told_by_number_and_never_by_name(platform, tenant):
    with platform.database.tenant(tenant.id) as scope:
        ann = members.put(scope, platform.keyring, "ann@example.com").id
    subject = f"member:{ann}"
    assert told(platform, tenant, lambda scope: members.change(scope, ann, exempt=True, by=BY)) == [
        (BY, "member.exempted", subject)
    ]
    for suspension, action in (
        (Suspension(None, None), "member.reinstated"),
        (Suspension(datetime.now(UTC) + timedelta(days=3), "ann cheats"), "member.suspended"),
    ):
        change = lambda scope, suspension=suspension: members.change(scope, ann, suspension=suspension, by=BY)  # noqa: E731
        assert told(platform, tenant, change) == [(BY, action, subject)]
    erase = lambda scope: suppression.request(platform, scope, ann, by=BY)  # noqa: E731
    assert told(platform, tenant, erase) == [(BY, "member.erased", subject)]
    assert told(platform, tenant, erase) == []
    assert len(trail(platform, tenant, subject=subject)) == 4
    with platform.database.tenant(tenant.id) as scope:
        assert "ann" not in str([one.details for one in audit.read(scope)])


def test_saved_settings_are_told_by_the_names_of_what_changed(platform, tenant):
    told(platform, tenant, save(platform, tenant, {"rate": 5, "token": "s3cret"}, monthly_budget=9))
    told(platform, tenant, save(platform, tenant, {"rate": 5}))
    with platform.database.tenant(tenant.id) as scope:
        same, first = audit.read(scope, subject="one")
    assert first.details["changed"] == ["rate", "token", "monthly_budget"]
    assert same.details["changed"] == []
    assert "s3cret" not in str(first.details)


def test_a_change_that_is_undone_leaves_no_entry(platform, tenant):
    def work(scope):
        enable(platform, tenant, "one")(scope)
        raise ZeroDivisionError

    before = trail(platform, tenant)
    with pytest.raises(ZeroDivisionError), platform.database.tenant(tenant.id) as scope:
        work(scope)
    assert trail(platform, tenant) == before


@pytest.mark.parametrize("statement", ["UPDATE core.audit SET actor = 'x'", "DELETE FROM core.audit"])
def test_the_trail_is_not_rewritten(platform, tenant, statement):
    told(platform, tenant, enable(platform, tenant, "one"))
    with (
        pytest.raises(DBAPIError, match="permission denied"),
        platform.database.tenant(tenant.id) as scope,
    ):
        scope.run(text(f"{statement} WHERE tenant_id = :tenant"))


def test_one_store_does_not_see_anothers_trail(platform, tenant, other_tenant):
    told(platform, tenant, enable(platform, tenant, "one"))
    assert trail(platform, other_tenant) == []
    with platform.database.tenant(other_tenant.id) as scope:
        assert scope.run(text("SELECT * FROM core.audit")) == []


def test_the_trail_is_read_in_pages_newest_first(platform, tenant):
    with platform.database.tenant(tenant.id) as scope:
        for number in range(5):
            audit.record(scope, BY, "tested", str(number), n=number)
        first = audit.read(scope, limit=2)
        second = audit.read(scope, before=first[-1].id, limit=2)
    assert [one.subject for one in (*first, *second)] == ["4", "3", "2", "1"]


def test_the_newest_of_an_action_is_found_for_each_subject_of_this_store(platform, tenant, other_tenant):
    for owner, actor in ((tenant, "staff:1"), (tenant, "staff:2"), (other_tenant, "staff:9")):
        with platform.database.tenant(owner.id) as scope:
            for subject in ("one", "two"):
                audit.record(scope, actor, "toy.done", subject)
            audit.record(scope, "staff:5", "toy.other", "one")
    with platform.database.tenant(tenant.id) as scope:
        found = audit.latest(scope, "toy.done", ["one", "two", "three"])
        assert {subject: entry.actor for subject, entry in found.items()} == {"one": "staff:2", "two": "staff:2"}
        assert audit.latest(scope, "toy.done", []) == {}


def test_what_operators_do_is_out_of_the_apps_reach(platform):
    with platform.database.ops.begin() as ops:
        audit.record_for_operators(ops, "operator:1", "plan.saved", "standard", tactic_cap=4)
        entry = audit.read_for_operators(ops, limit=1)[0]
    assert (entry.actor, entry.action, entry.details) == ("operator:1", "plan.saved", {"tactic_cap": 4})
    tables = (
        "operator", "operator_session", "operator_link", "operator_key", "operator_audit", "plugin_check",
        "sign_in_failure",
    )  # fmt: skip
    for table in tables:
        with pytest.raises(DBAPIError, match="permission denied"), platform.database.directory() as connection:
            connection.execute(text(f"SELECT * FROM core.{table}"))
