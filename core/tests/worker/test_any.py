"""Reactions to types that each store chooses: nothing is missed, nothing else is handed over, or even read."""

from typing import ClassVar

import pytest
import sqlalchemy
from sqlalchemy import text

from threepeat.events import erasure, letters, merging
from threepeat.events.context import Cause
from threepeat.plugins import Registry
from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, when, when_any
from threepeat.sdk.events import PLUGIN, Event, MemberId, OrderPaid, PageViewed, VisitMade, member_fields
from threepeat.tenancy import members
from threepeat.worker.loop import Worker

PAID = {"order_id": "1", "total": 100, "currency": "CNY"}


class Made(Event, frozen=True, kw_only=True):
    """Another plugin's event."""

    type: ClassVar[str] = "maker.made"
    senders: ClassVar = PLUGIN
    what: str


class Maker(Plugin[PluginSettings]):
    """Makes something for each visit."""

    manifest = Manifest(id="maker", kind="service", title="Maker", summary="Makes.")
    settings_model = PluginSettings

    @hookimpl
    def events(self):
        yield Made

    @hookimpl
    def reactions(self):
        yield when(VisitMade, self.visited)

    def visited(self, ctx, events):
        for event in events:
            ctx.emit(Made(what="cup"), member=event.member, cause=event)


class Nosy(Plugin[PluginSettings]):
    """Wants whatever a test says."""

    manifest = Manifest(id="nosy", kind="service", title="Nosy", summary="Wants.")
    settings_model = PluginSettings

    def __init__(self):
        self.wanted, self.asked, self.got, self.failing = (), 0, [], False

    @hookimpl
    def reactions(self):
        yield when(PageViewed, self.viewed)
        yield when_any(self.anything, wanted=self.types, always=True)

    def viewed(self, _ctx, events):
        self.got += [("page", event.page) for event in events]

    def types(self, ctx):
        self.asked += 1
        return self.wanted(ctx) if callable(self.wanted) else self.wanted

    def anything(self, _ctx, events):
        if self.failing:
            raise ValueError("it cannot")
        self.got += [(event.type, event.position) for event in events]


@pytest.fixture
def nosy():
    return Nosy()


@pytest.fixture
def platform(open_platform, nosy):
    return open_platform(registry=Registry.load([("maker", Maker()), ("nosy", nosy)]))


def seen(nosy):
    return [kind for kind, _ in nosy.got]


def test_it_is_handed_what_is_wanted_in_this_store_and_nothing_else(nosy, make_tenant, send, worker):
    one, other = make_tenant("one"), make_tenant("other")
    nosy.wanted = lambda ctx: {"visit.made", "maker.made"} if ctx.tenant.slug == "one" else {"order.paid"}
    for store in (one, other):
        send(store, "visit.made", "ann")
        send(store, "order.paid", "ann", **PAID)
        send(store, "search.performed", "ann", query="tea")
    worker.drain()
    assert sorted(seen(nosy)) == ["maker.made", "order.paid", "visit.made"]


def test_what_nobody_wants_is_not_read(platform, nosy, tenant, send, worker):
    found = []
    sqlalchemy.event.listen(
        platform.database.app, "before_cursor_execute", lambda _c, _k, sql, given, *_: found.append((sql, given))
    )
    nosy.wanted = {"search.performed"}
    for kind, data in (("search.performed", {"query": "tea"}), ("cart.updated", {}), ("order.paid", PAID)):
        send(tenant, kind, "ann", **data)
    worker.drain()
    read = {kind for sql, given in found if "w.unread" in sql for kind in given["types"]}
    assert read == {"visit.made", "page.viewed", "search.performed"}
    assert seen(nosy) == ["search.performed"]


def test_all_is_all_also_other_plugins_and_what_its_own_handlers_get(nosy, tenant, send, worker):
    nosy.wanted = None
    send(tenant, "page.viewed", "ann", page="home")
    send(tenant, "visit.made", "ann")
    send(tenant, "product.updated", None, sku="t")
    worker.drain()
    assert sorted(seen(nosy)) == sorted(["page", "page.viewed", "visit.made", "product.updated", "maker.made"])


def test_whoever_begins_to_want_before_an_event_gets_it(nosy, tenant, send, worker):
    """The types are asked for once the end of the log is known, so what came after a wish is among them."""
    nosy.wanted = ()
    send(tenant, "order.paid", "ann", **PAID)
    worker.drain()
    nosy.wanted = {"order.paid"}
    send(tenant, "order.paid", "ann", **{**PAID, "order_id": "2"})
    worker.drain()
    assert seen(nosy) == ["order.paid"]


@pytest.mark.parametrize("fault", [ValueError("no"), LookupError("no")])
def test_who_cannot_say_what_it_wants_misses_nothing(nosy, tenant, send, worker, fault):
    def fail(_ctx):
        raise fault

    nosy.wanted = fail
    send(tenant, "order.paid", "ann", **PAID)
    worker.drain()
    assert seen(nosy) == ["order.paid"]


def test_a_wish_that_breaks_its_statement_stops_nobody(nosy, tenant, send, worker):
    def fail(ctx):
        ctx._opened.scope.run(text("SELECT 1 / 0"))

    nosy.wanted = fail
    send(tenant, "visit.made", "ann")
    worker.drain()
    assert sorted(seen(nosy)) == ["maker.made", "visit.made"]


def test_order_holds_for_each_member_between_what_is_wanted_and_what_is_handled(nosy, tenant, send, worker):
    nosy.wanted = {"page.viewed", "visit.made"}
    for page in ("1", "2"):
        send(tenant, "page.viewed", "ann", page=page)
        send(tenant, "visit.made", "ann")
    worker.drain()
    assert [one for one in nosy.got if one[0] != "maker.made"] == [
        *(("page", "1"), ("page.viewed", 1), ("visit.made", 2)),
        *(("page", "2"), ("page.viewed", 3), ("visit.made", 4)),
    ]


def test_a_letter_is_tried_again_as_long_as_its_type_is_wanted(platform, nosy, tenant, send, worker):
    nosy.wanted, nosy.failing = {"order.paid"}, True
    send(tenant, "order.paid", "ann", **PAID)
    send(tenant, "order.paid", "bob", **{**PAID, "order_id": "2"})
    worker.drain()
    nosy.failing = False

    def again(member):
        with platform.database.tenant(tenant.id) as scope:
            assert letters.retry(scope, member=member, by="test") == 1
        worker.drain()
        with platform.database.tenant(tenant.id) as scope:
            return len(letters.list_letters(scope))

    assert (again("ann"), seen(nosy)) == (1, ["order.paid"])
    nosy.wanted = ()
    assert (again("bob"), seen(nosy)) == (0, ["order.paid"])


def test_nobody_is_asked_where_nothing_is_to_be_read(nosy, make_tenant, worker):
    make_tenant("idle")
    worker.drain()
    assert nosy.asked == 0


def test_the_log_can_be_read_again_by_position(platform, nosy, tenant, send, worker):
    nosy.wanted = ()
    send(tenant, "order.paid", "ann", **PAID, lines=[{"sku": "t", "quantity": 2, "amount": 100}])
    send(tenant, "visit.made", "bob", place="door")
    worker.drain()
    with platform.database.tenant(tenant.id) as scope:
        ctx = platform.inside(scope, tenant).context(platform.registry["nosy"], cause=Cause("test"))
        paid, visit = ctx.events({1, 2, 77})
        assert (type(paid), paid.lines[0].quantity, type(visit), visit.place) == (OrderPaid, 2, VisitMade, "door")
        names = ctx.external_ids({paid.member, visit.member, 10**15})
        assert names == {paid.member: "ann", visit.member: "bob"}
        assert ctx.events(()) == []
        assert ctx.external_ids(()) == {}


def test_a_merged_member_goes_by_the_name_that_is_left_and_an_erased_one_by_none(platform, nosy, tenant, send):
    nosy.wanted = ()
    send(tenant, "visit.made", "ann")
    send(tenant, "visit.made", "bob")
    send(tenant, "visit.made", "cat")
    with platform.database.tenant(tenant.id) as scope:
        ann, bob, cat = (members.find(scope, name) for name in ("ann", "bob", "cat"))
        merging.merge(platform, scope, tenant, bob, ann, by="test")
    with platform.database.tenant(tenant.id) as scope:
        erasure.request(platform, scope, cat, by="operator")
    with platform.database.tenant(tenant.id) as scope:
        ctx = platform.inside(scope, tenant).context(platform.registry["nosy"], cause=Cause("test"))
        assert ctx.external_ids({ann, bob, cat}) == {ann: "ann", bob: "ann"}
        assert [(event.position, event.member) for event in ctx.events({1, 2, 3})] == [(1, ann), (2, ann)]


def test_fields_that_name_members_are_found():
    class Met(Event, frozen=True, kw_only=True):
        who: MemberId
        others: tuple[MemberId, ...] = ()
        best: MemberId | None = None
        number: int = 0
        names: tuple[str, ...] = ()

    assert member_fields(Met) == {"who", "others", "best"}
    assert member_fields(VisitMade) == frozenset()


def test_the_log_of_another_store_cannot_be_read(platform, nosy, tenant, other_tenant, send):
    nosy.wanted = ()
    send(tenant, "visit.made", "ann")
    with platform.database.tenant(tenant.id) as scope:
        (member,) = scope.run(text("SELECT id FROM core.member"))[0]
    with platform.database.tenant(other_tenant.id) as scope:
        ctx = platform.inside(scope, other_tenant).context(platform.registry["nosy"], cause=Cause("test"))
        assert ctx.events({1}) == []
        assert ctx.external_ids({member}) == {}


def test_a_plugin_that_wants_everything_but_is_off_costs_nothing(platform, nosy, tenant, send):
    from threepeat.tenancy import switches

    nosy.wanted = None
    with platform.database.tenant(tenant.id) as scope:
        switches.disable(scope, tenant, platform.registry, "nosy", by="test", act=platform.act)
    send(tenant, "order.paid", "ann", **PAID)
    Worker(platform).drain()
    assert (nosy.asked, nosy.got) == (0, [])
