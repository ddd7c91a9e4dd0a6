"""Facts of two stores with the same members' names: neither reaches the other, also without policies."""

from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from threepeat.database.lint import DIRECTORY
from threepeat.events.context import Cause
from threepeat.plugins import Registry
from threepeat.sdk import Audience, Manifest, Plugin, PluginError, PluginSettings, fact, hookimpl


class Leaky(Plugin[PluginSettings]):
    """A service whose statement has forgotten its tenant."""

    manifest = Manifest(id="leaky", kind="service", title="Leaky", summary="Leaks.")
    settings_model = PluginSettings

    @hookimpl
    def facts(self):
        yield fact("leaky.all", self.everybody, kind="number", title={"en": "leak", "zh": "泄漏"})

    def everybody(self, ctx, _members):
        return {row.id: 1 for row in ctx._opened.scope.run(text("SELECT id FROM core.member"))}


@pytest.fixture
def platform(open_platform, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent / "toys")
    from levels_toy import Levels

    return open_platform(registry=Registry.load([("leaky", Leaky()), ("levels", Levels())]))


@contextmanager
def asking(platform, store):
    with platform.database.tenant(store.id) as scope:
        yield platform.inside(scope, store).context(platform.registry["leaky"], cause=Cause("test"))


@pytest.fixture
def ann(platform, make_tenant, send, worker):
    """Two stores, each with its own ann: three orders there, one order here, under the same ids."""
    found = []
    for slug, number in (("tea", 3), ("coffee", 1)):
        store = make_tenant(slug, enable=("levels",))
        orders = [
            send.event("order.paid", "ann", order_id=f"{n}", total=1, currency="CNY", id=f"e{n}")
            for n in range(number)
        ]
        send.batch(store, orders)
        with platform.database.tenant(store.id) as scope:
            member = scope.run(text("SELECT id FROM core.member WHERE tenant_id = :tenant"))[0].id
        found.append((store, member, number))
    worker.drain()
    return found


def steps(least):
    return Audience.model_validate({"fact": "levels.steps", "op": "at_least", "value": least})


def switch_policies_off(platform):
    with platform.database.owner.begin() as owner:
        tables = owner.execute(
            text(
                "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
                " WHERE schemaname IN ('core', 'levels') AND tablename <> 'alembic_version'"
                " AND NOT (schemaname = 'core' AND tablename = ANY (:directory))"
            ),
            {"directory": list(DIRECTORY)},
        )
        for table in tables.all():
            owner.execute(text(f"ALTER TABLE {table.name} DISABLE ROW LEVEL SECURITY"))


@pytest.mark.parametrize("policies", [True, False], ids=["with row-level security", "by the statements alone"])
def test_two_stores_with_the_same_members_names_never_meet(platform, ann, policies):
    if not policies:
        switch_policies_off(platform)
    for (store, own, number), (_, foreign, _) in (ann, ann[::-1]):
        with asking(platform, store) as ctx:
            assert ctx.facts(["levels.steps"], [own, foreign]) == {"levels.steps": {own: number}}
            assert ctx.facts(["member.since"], [own, foreign])["member.since"].keys() == {own}
            for asked in (Audience(), steps(0), steps(1)):
                assert ctx.matching(asked, [own, foreign]) == {own}


def test_a_statement_that_reaches_into_the_other_store_is_noticed(platform, ann):
    """Row-level security hides the slip; without it the answer itself gives it away."""
    (store, own, _), (_, foreign, _) = ann
    with asking(platform, store) as ctx:
        assert ctx.facts(["leaky.all"], [own, foreign]) == {"leaky.all": {own: 1}}
    switch_policies_off(platform)
    with asking(platform, store) as ctx, pytest.raises(PluginError, match="members that it was not asked about"):
        ctx.facts(["leaky.all"], [own, foreign])
