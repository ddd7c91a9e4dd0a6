"""Plans: what they allow, what a change leaves alone, and what cannot be."""

import pytest
from sqlalchemy import text

from threepeat.events.stores import open_store
from threepeat.tenancy import audit, switches, tenants
from threepeat.tenancy.errors import CapReached, Invalid, NotAllowed, NotFound
from threepeat_tenants.operating import plans


@pytest.fixture
def set_plan(platform):
    def put(plan_id, **values):
        with platform.database.ops.begin() as ops:
            return plans.set_plan(ops, platform.registry, plan_id, **{"title": "Plan", **values}, by="operator:1")

    return put


def enable(platform, tenant, plugin):
    with platform.database.tenant(tenant.id) as scope:
        return switches.enable(scope, tenant, platform.registry, plugin, by="test", act=platform.act)


def test_a_plan_is_made_changed_listed_and_deleted_with_a_trail(set_plan, ops):
    made = set_plan("small", title=" Small ", cap=1, plugins=["points", "orders"], events_per_second=50)
    assert (made.title, made.cap, made.plugins) == ("Small", 1, ("orders", "points"))
    assert (made.requests_per_second, made.events_per_second) == (None, 50)
    assert set_plan("small", cap=2).plugins is None
    assert [plan.id for plan in plans.list_plans(ops)] == ["small", "standard"]
    plans.delete_plan(ops, "small", by="operator:1")
    with pytest.raises(NotFound):
        plans.get_plan(ops, "small")
    trail = audit.read_for_operators(ops)
    assert [(one.action, one.subject) for one in trail] == [
        ("plan.deleted", "small"),
        ("plan.set", "small"),
        ("plan.set", "small"),
    ]
    assert trail[2].details["plugins"] == ["orders", "points"]


def test_a_lowered_cap_leaves_on_what_is_on_and_refuses_the_next(platform, set_plan, make_tenant):
    tea, toys = make_tenant("tea", enable=("points",)), make_tenant("toys")
    lowered = set_plan("standard", cap=0)
    assert (lowered.stores, lowered.above) == (2, 1)
    with platform.database.tenant(tea.id) as scope:
        assert switches.activations(scope)["points"].state == "enabled"
    with pytest.raises(CapReached):
        enable(platform, toys, "points")


def test_a_plan_that_stores_are_on_cannot_be_deleted(platform, set_plan, ops):
    set_plan("small")
    open_store(platform, "tea", plan="small", by="test")
    with pytest.raises(Invalid, match="1 store is on this plan"):
        plans.delete_plan(ops, "small", by="operator:1")
    assert plans.get_plan(ops, "small").stores == 1


def test_a_store_moves_to_another_plan_and_keeps_what_is_on(platform, set_plan, make_tenant, other_tenant):
    tea = make_tenant("tea", enable=("points",))
    set_plan("none", cap=0, plugins=[])
    with platform.database.ops.begin() as ops:
        assert plans.assign(ops, tea, "none", by="operator:1").above == 1
        with pytest.raises(Invalid, match="plan: there is no plan 'gold'"):
            plans.assign(ops, tea, "gold", by="operator:1")
    with platform.database.tenant(tea.id) as scope:
        moved = tenants.by_id(scope.connection, tea.id)
        assert switches.activations(scope)["points"].slot == 1
        entry = audit.read(scope)[0]
    assert (entry.action, entry.subject, entry.details) == ("plan.assigned", "none", {"before": "standard"})
    with platform.database.tenant(other_tenant.id) as scope:
        assert "plan.assigned" not in {one.action for one in audit.read(scope)}
        assert tenants.by_id(scope.connection, other_tenant.id).plan == "standard"
    with pytest.raises(NotAllowed):
        enable(platform, moved, "points")


def test_what_one_store_may_have_is_decided_and_left_to_the_plan_again(platform, tenant, other_tenant):
    def allow(allowed):
        with platform.database.tenant(tenant.id) as scope:
            plans.allow(scope, platform.registry, "points", allowed=allowed, by="operator:1")
            found = {one.plugin: one for one in plans.allowances(scope, tenant, platform.registry)}
        return found["points"].allowed, found["points"].own

    assert allow(False) == (False, False)
    with platform.database.tenant(other_tenant.id) as scope:
        assert all(one.allowed for one in plans.allowances(scope, other_tenant, platform.registry))
    assert allow(None) == (True, None)
    with platform.database.tenant(tenant.id) as scope, pytest.raises(NotFound):
        plans.allow(scope, platform.registry, "nope", allowed=True, by="operator:1")
    with platform.database.tenant(tenant.id) as scope:
        actions = [one.action for one in audit.read(scope)]
    assert actions[:2] == ["plugin.by-plan", "plugin.forbidden"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"cap": 18}, "cap"),
        ({"cap": -1}, "cap"),
        ({"cap": True}, "cap"),
        ({"cap": float("nan")}, "cap"),
        ({"cap": 2**63}, "cap"),
        ({"title": ""}, "title"),
        ({"title": "a\0b"}, "title"),
        ({"title": "\ud800"}, "title"),
        ({"title": "x" * 101}, "title"),
        ({"plugins": ["nope"]}, "plugins"),
        ({"plugins": ["points\0"]}, "plugins"),
        ({"plugins": ["points"] * 201}, "plugins"),
        ({"requests_per_second": 0}, "requests_per_second"),
        ({"events_per_second": 1_000_001}, "events_per_second"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_field(still, values, field):
    with still.database.ops.begin() as ops, pytest.raises(Invalid) as refused:
        plans.set_plan(ops, still.registry, "small", **{"title": "Plan", **values}, by="operator:1")
    assert refused.value.field == field


@pytest.mark.parametrize("plan_id", ["", "Small", "a b", "a\0", "\ud800", "x" * 64])
def test_an_id_that_cannot_be_is_refused(still, plan_id):
    with still.database.ops.begin() as ops:
        with pytest.raises(Invalid) as refused:
            plans.set_plan(ops, still.registry, plan_id, title="Plan", by="operator:1")
        assert refused.value.field == "id"
        with pytest.raises(NotFound):
            plans.get_plan(ops, plan_id)


def test_the_database_itself_holds_the_bounds(ops):
    with pytest.raises(Exception, match="plan_tactic_cap_check"):
        ops.execute(text("INSERT INTO core.plan (id, title, tactic_cap) VALUES ('x', 'x', 18)"))
