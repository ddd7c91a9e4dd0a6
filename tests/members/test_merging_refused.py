"""A merge is whole or it is not: plugins that cannot take part, and two stores that never meet."""

import re
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import text

from threepeat.database.personal import personal_tables
from threepeat.events.platform import KeyConfig, Platform
from threepeat.plugins import Registry
from threepeat.sdk import Plugin, Refused, hookimpl
from threepeat.tenancy.errors import Conflict
from threepeat.tenancy.keyring import new_line
from threepeat_orders.plugin import plugin as orders_plugin
from threepeat_points.plugin import Points


def points_with(hook):
    """The points tactic with another way of merging."""
    return type("OtherPoints", (Points,), {"merge_members": hook, "__module__": Points.__module__})()


def registry_with(hook):
    return Registry.load([("orders", orders_plugin), ("points", points_with(hook))])


def raises(error):
    def merge_members(self, ctx, source, target):  # noqa: ARG001 - what the hook is given
        ctx.sql("merge", source=source, target=target)
        raise error

    return hookimpl(merge_members)


@hookimpl
def does_nothing(self, ctx, source, target):
    """Leave everything where it is."""


@hookimpl
def forgets_the_lots(self, ctx, source, target):  # noqa: ARG001 - what the hook is given
    ctx.sql("lock_accounts", members=[source, target])
    ctx.sql("count_refunds", refunds=[], orders=[], members=[], amounts=[])


@hookimpl
def breaks_the_rules(self, ctx, source, target):  # noqa: ARG001 - what the hook is given
    ctx.sql("settle", lot_members=[source], lots=[1], paid=[10**6], members=[], debts=[])


@hookimpl
def commits_by_hand(self, ctx, source, target):  # noqa: ARG001 - what the hook is given
    ctx.db.commit()


@pytest.mark.parametrize(
    "hook",
    [raises(RuntimeError("ann@example.com")), does_nothing, forgets_the_lots, breaks_the_rules, commits_by_hand],
    ids=["raises", "does nothing", "forgets the lots", "breaks a CHECK", "commits"],
)
def test_a_plugin_that_fails_undoes_the_whole_merge(shop, capfd, hook):
    shop.paid("wx", "1", 1_000)
    shop.put("app")
    shop.serve()
    before = shop.digest()
    shop.platform = replace(shop.platform, registry=registry_with(hook))
    with pytest.raises(Conflict, match="nothing was merged") as refused:
        shop.merge_ids(shop.id("wx"), shop.id("app"))
    assert refused.value.code == "merge-failed"
    assert "ann@example.com" not in "".join(capfd.readouterr())
    assert shop.digest() == before
    assert shop.id("wx") != shop.id("app")


def test_a_plugins_own_reason_is_told(shop):
    shop.paid("wx", "1", 1_000)
    shop.put("app")
    shop.serve()
    before = shop.digest()
    shop.platform = replace(shop.platform, registry=registry_with(raises(Refused("a draw is open", code="open"))))
    with pytest.raises(Refused, match="a draw is open"):
        shop.merge_ids(shop.id("wx"), shop.id("app"))
    assert shop.digest() == before


@pytest.mark.parametrize("gone", ["quarantined", "not installed"])
def test_a_merge_waits_for_a_plugin_that_holds_rows_and_may_not_run(shop, gone):
    shop.paid("wx", "1", 1_000)
    shop.put("app", "eve")
    shop.serve()
    before, sound = shop.digest(), shop.platform
    registry = (
        sound.registry.quarantine({"points": "for a test"})
        if gone == "quarantined"
        else Registry.load([("orders", orders_plugin)])
    )
    shop.platform = replace(sound, registry=registry)
    with pytest.raises(Conflict, match=r"points\.\w+ holds rows of the member") as refused:
        shop.merge_ids(shop.id("wx"), shop.id("app"))
    assert refused.value.code == "plugin-unavailable"
    assert shop.digest() == before
    shop.merge_ids(shop.id("eve"), shop.id("app"))
    assert shop.id("eve") == shop.id("app")
    shop.platform = sound
    shop.merge_ids(shop.id("wx"), shop.id("app"))
    assert shop.points(shop.id("app")) == (10, 0, 10)


def test_a_tactic_that_is_off_merges_too(shop):
    shop.paid("wx", "1", 1_000)
    shop.put("app")
    shop.serve()
    shop.rows(
        "UPDATE core.activation SET state = 'off', slot = NULL WHERE tenant_id = :tenant AND plugin = 'points'"
    )
    assert shop.merge("wx", "app").status_code == 200
    assert shop.points(shop.id("app")) == (10, 0, 10)


def test_a_plugin_with_members_data_that_cannot_merge_does_not_start(cluster, tmp_path):
    with cluster.database() as name:
        config = cluster.config(name, tmp_path)
        registry = registry_with(Plugin.merge_members)
        assert "points" in registry
        platform = Platform.open(config, registry=registry, keys=KeyConfig(keys=new_line()), upgrade=True)
        platform.database.dispose()
        reason = platform.registry.quarantined["points"].reason
        assert re.match(r"points\.\w+ holds members' data, and the plugin does not override merge_members", reason)
        assert "orders" in platform.registry


@contextmanager
def with_policies(database, *, on):
    """Row-level security on the tables with members' data, or none for a while."""
    with database.owner.begin() as owner:
        tables = personal_tables(owner)
        for table in () if on else tables:
            owner.execute(text(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"))
    try:
        yield
    finally:
        with database.owner.begin() as owner:
            for table in tables:
                owner.execute(text(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"))


@pytest.mark.parametrize("policies", [True, False], ids=["with row-level security", "by the statements alone"])
def test_a_merge_in_one_store_leaves_the_other_as_it_is(open_shop, policies):
    one, other = open_shop("one"), open_shop("other")
    for shop in (one, other):
        shop.paid("wx", "1", 5_000)
        shop.refunded("wx", "r", 9_000)
        shop.paid("app", "2", 3_000)
        shop.call("PUT", "wx", "/identities", kind="unionid", value="u")
        shop.call("POST", "wx", "/consents", purpose="ads", granted=True)
        shop.serve()
    before = other.digest()
    with with_policies(one.platform.database, on=policies):
        assert one.merge("wx", "app").status_code == 200
        assert one.call("PUT", "app", "/identities", kind="phone", value="13800138000").status_code == 200
    assert other.digest() == before
    assert one.violations() == []
    assert one.merge("app", "wx").json()["type"].endswith(":same-member")
    assert other.id("wx") != other.id("app")
    with pytest.raises(Conflict), other.platform.database.tenant(other.tenant.id):
        other.merge_ids(one.id("wx"), one.id("wx"))
    assert other.merge("wx", "app").status_code == 200
