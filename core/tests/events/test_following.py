"""The log as people follow it: each store its own, whatever has the same positions elsewhere."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from threepeat.events import following
from threepeat.events.following import END
from threepeat.plugins import Registry
from threepeat.sdk import Manifest, Plugin, PluginSettings
from threepeat.tenancy import members
from threepeat.tenancy.errors import NotFound

PLANT = text("""
    INSERT INTO core.event (tenant_id, position, source, id, type, member_id, occurred_at, cause, data)
    VALUES (:tenant, 2, 'plugin:toy', 'x', 'toy.made', :member, now(), 1, CAST(:data AS jsonb))
""")
GIVE = text("""
    INSERT INTO core.reward (tenant_id, plugin, key, member_id, kind, rule, amount, cost, month, granted_at, cause)
    VALUES (:tenant, 'toy', :key, :member, 'toy', 'toy', 5, 0, DATE '2026-01-01', now(), :cause)
""")


class Toy(Plugin[PluginSettings]):
    manifest = Manifest(id="toy", kind="tactic", title="Toy", summary="A toy.")
    settings_model = PluginSettings


@pytest.fixture(scope="module")
def registry():
    return Registry.load([("toy", Toy())])


def follow(platform, tenant, **more):
    with platform.database.tenant(tenant.id) as scope:
        return following.newest(platform.inside(scope, tenant), **more)


def test_two_stores_never_meet(platform, tenant, other_tenant, send):
    for owner in (tenant, other_tenant):
        send(owner, "visit.made", "ann")
    with platform.database.tenant(other_tenant.id) as scope:
        member = members.find(scope, "ann")
        scope.run(PLANT, member=member, data='{"points": 3}')
        scope.run(GIVE, key="a" * 32, member=member, cause=1)
    [theirs] = [one for one in follow(platform, other_tenant) if one.position == 1]
    [outcome] = theirs.outcomes
    assert [(gift.kind, gift.amount) for gift in outcome.gifts] == [("toy", 5)]
    assert [(one.position, one.number) for one in outcome.caused] == [(2, 3)]
    [mine] = follow(platform, tenant)
    assert mine.outcomes == ()
    with platform.database.tenant(tenant.id) as scope, pytest.raises(NotFound):
        following.at(platform.inside(scope, tenant), 2)
    # Another store's member leads to nothing, and nor does a position beyond all.
    assert follow(platform, tenant, member=member) == []
    for position in (0, -1, END, END + 1):
        with platform.database.tenant(tenant.id) as scope, pytest.raises(NotFound):
            following.at(platform.inside(scope, tenant), position)


@pytest.mark.parametrize(
    ("data", "number"), [('{"a": 1, "b": 2}', None), ('{"a": 1.5}', None), ("{}", None), ('{"a": -4}', -4)]
)
def test_only_a_single_whole_number_is_told(platform, tenant, send, data, number):
    send(tenant, "visit.made", "ann")
    with platform.database.tenant(tenant.id) as scope:
        scope.run(PLANT, member=members.find(scope, "ann"), data=data)
    assert follow(platform, tenant)[1].outcomes[0].caused[0].number == number


def test_what_came_is_counted_since_an_instant(platform, tenant, send, monkeypatch):
    now = datetime.now(UTC)
    with platform.database.tenant(tenant.id) as scope:
        assert following.arrived(scope, now) == following.Arrived(None, 0, False)
    send.batch(tenant, [send.event("visit.made", "ann") for _ in range(5)])
    with platform.database.tenant(tenant.id) as scope:
        found = following.arrived(scope, now - timedelta(hours=1))
        assert (found.today, found.more, found.last is not None) == (5, False, True)
        assert following.arrived(scope, now + timedelta(hours=1)).today == 0
        monkeypatch.setattr(following, "LOOKED_AT", 3)
        assert following.arrived(scope, now - timedelta(hours=1)) == following.Arrived(found.last, 3, True)
