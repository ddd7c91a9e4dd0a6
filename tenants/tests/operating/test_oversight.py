"""Oversight: each figure is what its causes add up to, in the same few queries for one store and for 200."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from threepeat_tenants.operating.catalogue import catalogue
from threepeat_tenants.operating.oversight import RATE_MINUTES, Figure, causes, overview
from threepeat_tenants.operating.suspension import suspend

LETTER = text("""
    INSERT INTO core.dead_letter (tenant_id, plugin, position, error, state)
    VALUES (:tenant, 'points', :position, 'for ann', :state)
""")
FAILED = text("""
    INSERT INTO core.timer (tenant_id, plugin, kind, name, key, failed_at, error)
    VALUES (:tenant, 'points', 'timer', 'expiry', '1', now(), 'broke')
""")
PAUSE = text("UPDATE core.cursor SET paused_at = now(), paused_reason = 'too many' WHERE tenant_id = :tenant")


@pytest.fixture
def busy(make_tenant, send):
    """Two stores that wait for the worker."""
    stores = [make_tenant(slug, enable=("points",)) for slug in ("tea", "toys")]
    for store in stores:
        send(store, "order.paid", "ann", order_id="1", total=1200, currency="CNY")
    return stores


@pytest.mark.usefixtures("busy")
def test_nothing_is_wrong_with_a_store_that_was_served(platform, worker, ops):
    worker.drain()
    found = overview(ops, platform.registry)
    assert (found.stores, found.suspended, found.behind, found.lag, found.letters, found.paused) == (
        2,
        0,
        0,
        None,
        0,
        0,
    )
    assert found.events_per_minute >= 2 / 5
    received = causes(ops, platform.registry, Figure.EVENTS)
    assert sum(one.count for one in received) == found.events_per_minute * RATE_MINUTES
    assert {one.store for one in received} <= {"tea", "toys"}
    faults = set(Figure) - {Figure.QUARANTINED, Figure.EVENTS}
    assert all(not causes(ops, platform.registry, figure) for figure in faults)


@pytest.mark.usefixtures("busy")
def test_what_waits_is_told_by_store_and_plugin_with_its_age(platform, ops):
    found = overview(ops, platform.registry)
    behind = causes(ops, platform.registry, Figure.LAG)
    assert {(one.store, one.plugin, one.count) for one in behind} >= {("tea", "points", 1), ("toys", "points", 1)}
    assert found.behind == len(behind)
    assert found.lag is not None
    assert found.lag.total_seconds() > 0


def test_letters_pauses_and_suspensions_lead_to_their_stores(platform, busy, worker, ops):
    worker.drain()
    tea, toys = busy
    for position, state in ((1, "waiting"), (2, "waiting"), (3, "dropped")):
        ops.execute(LETTER, {"tenant": tea.id, "position": position, "state": state})
    ops.execute(FAILED, {"tenant": toys.id})
    ops.execute(PAUSE, {"tenant": toys.id})
    suspend(ops, tea, "late", by="operator:1")
    found = overview(ops, platform.registry)
    assert (found.letters, found.suspended) == (3, 1)
    listed = causes(ops, platform.registry, Figure.LETTERS)
    assert [(one.store, one.plugin, one.count) for one in listed] == [("tea", "points", 2), ("toys", "points", 1)]
    assert "ann" not in repr(listed)
    paused = causes(ops, platform.registry, Figure.PAUSED)
    assert found.paused == len(paused)
    assert {(one.store, one.reason) for one in paused} == {("toys", "too many")}
    suspended = causes(ops, platform.registry, Figure.SUSPENDED)
    assert [(one.store, one.reason) for one in suspended] == [("tea", "late")]


@pytest.mark.usefixtures("busy")
def test_a_quarantined_plugin_is_told_with_the_stores_that_have_it_on(platform, ops):
    registry = platform.registry.quarantine({"points": "it broke"})
    assert overview(ops, registry).quarantined["points"] == "it broke"
    found = [one for one in causes(ops, registry, Figure.QUARANTINED) if one.plugin == "points"]
    assert [(one.store, one.reason) for one in found] == [("tea", "it broke"), ("toys", "it broke")]
    assert "points" not in {one.plugin for one in causes(ops, registry, Figure.LAG)}


def test_the_queries_are_as_many_for_200_stores(platform, many, counted):
    def count():
        with platform.database.ops.begin() as ops, counted() as statements:
            overview(ops, platform.registry)
            for figure in Figure:
                causes(ops, platform.registry, figure)
        return len(statements)

    few = count()
    many(200)
    assert count() == few <= 12


@pytest.mark.usefixtures("busy")
def test_the_catalogue_tells_version_state_personal_data_and_stores(platform, ops):
    found = {one.id: one for one in catalogue(ops, platform)}
    points = found["points"]
    assert (points.kind, points.state, points.enabled, points.distribution) == (
        "tactic",
        "ok",
        2,
        "threepeat-points",
    )
    assert points.version
    assert points.origin in {"folder", "index"}
    assert {one.table for one in points.personal} >= {"points.lot"}
    assert {one.on_erase for one in points.personal} <= {"delete", "anonymise", "keep"}
    assert "core" not in found
    broken = replace(platform, registry=platform.registry.quarantine({"points": "it broke"}))
    away = {one.id: one for one in catalogue(ops, broken)}["points"]
    assert (away.state, away.reason, away.enabled) == ("quarantined", "it broke", 2)
    assert away.personal == points.personal
