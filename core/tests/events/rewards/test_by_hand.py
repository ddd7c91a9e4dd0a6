"""People give and take rewards by hand, once; a member's timeline tells what happened and why."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event as listening

from threepeat.events import adjusting, merging, profiles, roster, timeline
from threepeat.events.merging import Merged
from threepeat.events.profiles import Standing
from threepeat.events.timeline import Given, Happened
from threepeat.sdk.errors import Refused
from threepeat.tenancy import audit, identities, members
from threepeat.tenancy.audit import Entry
from threepeat.tenancy.errors import Conflict, Invalid, NotFound
from threepeat.tenancy.members import Suspension


def adjust(house, member, amount, *, kind="tokens", reason="a mistake at the till", key="k1", by="staff:1"):
    with house.platform.database.tenant(house.tenant.id) as scope:
        return adjusting.adjust(house.platform, scope, house.tenant, member, kind, amount, reason, key=key, by=by)


def trail(house, member):
    with house.platform.database.tenant(house.tenant.id) as scope:
        return audit.read(scope, subject=f"member:{member}")


def read(house, member, **page):
    with house.platform.database.tenant(house.tenant.id) as scope:
        return timeline.read(house.platform.inside(scope, house.tenant), member, **page)


def profile(house, member):
    with house.platform.database.tenant(house.tenant.id) as scope:
        return profiles.read(house.platform.inside(scope, house.tenant), member)


def counted(house, work):
    """How many statements a work runs."""
    seen = []
    with house.platform.database.tenant(house.tenant.id) as scope:
        listening.listen(scope.connection, "before_cursor_execute", lambda *_: seen.append(1))
        work(scope)
    return len(seen)


def test_what_is_given_and_taken_by_hand_is_in_the_trail(house, ann):
    given = adjust(house, ann, 20)
    assert (given.amount, given.balance, given.repeated) == (20, 20, False)
    taken = adjust(house, ann, -5, key="k2")
    assert (taken.amount, taken.balance) == (-5, 15)
    assert house.spent("tokens") == {house.month: 60}
    found = [(one.actor, one.action, one.details["amount"]) for one in trail(house, ann)]
    assert found == [("staff:1", "member.adjusted", -5), ("staff:1", "member.adjusted", 20)]
    assert trail(house, ann)[0].details["reason"] == "a mistake at the till"


def test_a_form_that_is_sent_twice_is_done_once(house, ann):
    for amount, key in ((20, "up"), (-5, "down")):
        first, second = adjust(house, ann, amount, key=key), adjust(house, ann, amount, key=key)
        assert (first.repeated, second.repeated) == (False, True)
        assert first.balance == second.balance
    assert len(trail(house, ann)) == 2
    with pytest.raises(Conflict, match="other values"):
        adjust(house, ann, 21, key="up")
    # Another person's key is another one.
    assert adjust(house, ann, 20, key="up", by="staff:2").balance == 35


def test_two_at_once_take_what_is_there_only_once(house, ann):
    adjust(house, ann, 10)
    said = []

    def take(key):
        try:
            said.append(adjust(house, ann, -8, key=key).balance)
        except Refused as error:
            said.append(error.code)

    threads = [threading.Thread(target=take, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, said)) == ["2", "not-enough", "not-enough", "not-enough"]
    assert house.held(ann) == {ann: 2}
    assert len(trail(house, ann)) == 2


def test_nobody_gets_below_zero(house, ann):
    with pytest.raises(Refused):
        adjust(house, ann, -1)
    assert house.held(ann) == {}
    assert trail(house, ann) == []
    # What was refused left no key behind.
    assert adjust(house, ann, 3).balance == 3


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": 10**30}, "amount"),
        ({"amount": -(2**63)}, "amount"),
        ({"amount": True}, "amount"),
        ({"reason": ""}, "reason"),
        ({"reason": "   "}, "reason"),
        ({"reason": "x" * 201}, "reason"),
        ({"reason": "a\0b"}, "reason"),
        ({"reason": "\ud800"}, "reason"),
        ({"key": ""}, "key"),
        ({"key": "k" * 201}, "key"),
    ],
)
def test_a_bad_value_is_named(house, ann, change, field):
    with pytest.raises(Invalid) as caught:
        adjust(house, ann, **{"amount": 1, **change})
    assert caught.value.field == field
    assert trail(house, ann) == []


def test_who_may_get_nothing_gets_nothing_by_hand(house, ann):
    house.save("tokens", monthly_budget=5)
    with pytest.raises(Conflict, match="budget"):
        adjust(house, ann, 2)
    house.save("tokens", monthly_budget=None)
    with house.platform.database.tenant(house.tenant.id) as scope:
        until = scope.now + timedelta(days=1)
        members.change(scope, ann, suspension=Suspension(until, "fraud"), by="test")
    with pytest.raises(Conflict, match="comparison group"):
        adjust(house, ann, 2)
    bob = house.member("bob")
    adjust(house, bob, 4)
    house.disable("tokens")
    with pytest.raises(Conflict, match="closing"):
        adjust(house, bob, 1, key="late")
    assert adjust(house, bob, -4, key="out").balance == 0
    with pytest.raises(Conflict, match="cannot do it"):
        adjust(house, bob, -1, kind="tokens.praise", key="p")
    for kind in ("nowhere", "", "tokens.", "x" * 500):
        with pytest.raises(NotFound):
            adjust(house, bob, 1, kind=kind)
    with pytest.raises(NotFound):
        adjust(house, 2**62, 1, key="nobody")


def test_another_store_cannot_be_reached(house, ann, make_tenant):
    other = house.other(make_tenant, "giver", "tokens")
    with pytest.raises(NotFound):
        adjust(other, ann, 5)
    adjust(house, ann, 5)
    assert read(other, ann).entries == []
    with house.platform.database.tenant(other.tenant.id) as scope:
        assert roster.newest(scope).members == []
        assert roster.liveliest(scope) == []
        assert roster.search(scope, house.platform.keyring, "ann") == []
    assert profile(other, ann).places == []


def test_an_event_stands_with_all_that_followed_from_it(house, send, worker):
    send(house.tenant, "visit.made", "ann")
    fresh = read(house, house.member("ann"))
    assert sorted(fresh.entries[0].waiting) == ["giver", "helper", "rival"]
    worker.drain()
    *told, visit = read(house, house.member("ann")).entries
    assert isinstance(visit, Happened)
    assert (visit.type, visit.waiting, visit.letters) == ("visit.made", [], [])
    given = {(one.plugin, one.amount, one.cost, one.rule, one.cause) for one in visit.rewards}
    assert given == {(name, 2, 6, "visit", visit.position) for name in ("giver", "helper", "rival")}
    # What the keeper tells names no event that it answers.
    assert [one.type for one in told if isinstance(one, Happened)] == ["tokens.given"] * 3


def test_the_timeline_is_read_in_pages_without_a_gap(house, send, worker, ann):
    for number in range(7):
        send(house.tenant, "visit.made", "ann", id=f"v{number}")
        if number == 3:
            worker.drain()
            adjust(house, ann, 9)
    worker.drain()
    whole = read(house, ann, limit=100)
    assert whole.next is None
    pages, before = [], None
    while True:
        page = read(house, ann, limit=2, before=before)
        pages.extend(page.entries)
        before = page.next
        if before is None:
            break
    assert pages == whole.entries
    positions = [one.position for one in whole.entries if isinstance(one, Happened)]
    assert positions == sorted(positions, reverse=True)
    assert sum(one.type == "visit.made" for one in whole.entries if isinstance(one, Happened)) == 7
    by_hand = [one for one in whole.entries if isinstance(one, Given)]
    assert [(one.plugin, one.rule, one.amount) for one in by_hand] == [("tokens", "adjusted", 9)]
    changes = [one for one in whole.entries if isinstance(one, Entry)]
    assert [one.action for one in changes] == ["member.adjusted"]
    # It stands between the events before and after it.
    place = pages.index(changes[0])
    assert 0 < place < len(pages) - 1
    for wrong in ({"limit": 0}, {"limit": 101}, {"before": 0}, {"before": 2**63}):
        with pytest.raises(Invalid):
            read(house, ann, **wrong)


def test_a_merge_brings_both_stories_together(house, send, worker, ann):
    bob = house.member("bob")
    for who in ("bob", "ann"):
        send(house.tenant, "product.viewed", who, sku="T-1")
    worker.drain()
    with house.platform.database.tenant(house.tenant.id) as scope:
        merging.merge(house.platform, scope, house.tenant, bob, ann, by="staff:1")
    merged, *seen = read(house, ann).entries
    assert isinstance(merged, Merged)
    assert merged.identities[0].value == "bob"
    assert [one.position for one in seen] == [2, 1]


def test_a_dead_letter_stands_at_its_event(house, send, worker, keeper, ann):
    keeper.fails_at = 2
    send(house.tenant, "visit.made", "ann")
    send(house.tenant, "visit.made", "ann")
    worker.drain()
    for entry in read(house, ann).entries:
        assert {one.plugin for one in entry.letters} == {"giver", "helper", "rival"}
    assert [one.behind for one in read(house, ann).entries[0].letters] == [True] * 3


def test_a_profile_tells_what_a_member_has_and_where_they_stand(house, ann, keeper):
    adjust(house, ann, 7)
    found = profile(house, ann)
    assert [(one.plugin, one.reward.kind, one.amount, one.taken) for one in found.balances] == [
        ("tokens", "tokens", 7, True),
        ("tokens", "tokens.praise", 0, False),
        ("tokens", "tokens.charm", 7, False),
    ]
    assert {one.standing for one in found.places} == {Standing.ALL}
    assert [(one.fact.name, type(one.value)) for one in found.facts] == [("member.since", datetime)]
    house.save("giver", holdout_percent=50)
    standings = {profile(house, house.member(f"m{number}")).places[0].standing for number in range(20)}
    assert standings == {Standing.IN, Standing.OUT}
    with house.platform.database.tenant(house.tenant.id) as scope:
        members.change(scope, ann, exempt=True, by="test")
    assert profile(house, ann).places[0].standing is Standing.EXEMPT

    def broken(*_):
        raise ValueError("secret")

    registered = house.platform.registry["tokens"]
    object.__setattr__(registered.rewards["tokens"], "balance", broken)
    try:
        found = profile(house, ann)
    finally:
        object.__setattr__(registered.rewards["tokens"], "balance", keeper.balance)
    assert found.failed == ["tokens"]
    assert found.balances[0].amount is None


def test_members_are_listed_and_found(house, send):
    with house.platform.database.tenant(house.tenant.id) as scope:
        keyring = house.platform.keyring
        members.resolve(scope, keyring, ["shop-1"])
        members.resolve(scope, keyring, ["shop-2"])
        identities.link(scope, keyring, "shop-1", "phone", "13800138000")
        identities.link(scope, keyring, "shop-2", "openid:wx1", "oABC")
    for _ in range(3):
        send(house.tenant, "visit.made", "shop-1")
    send(house.tenant, "visit.made", "shop-2")
    with house.platform.database.tenant(house.tenant.id) as scope:
        page = roster.newest(scope, limit=1)
        assert [one.external_id for one in page.members] == ["shop-2"]
        rest = roster.newest(scope, limit=1, before=page.next)
        assert ([one.external_id for one in rest.members], rest.next) == (["shop-1"], None)
        assert rest.members[0].last_type == "visit.made"
        assert [(one.external_id, one.events) for one in roster.liveliest(scope)] == [("shop-1", 3), ("shop-2", 1)]

        def found(wanted, **more):
            return [(one.external_id, one.exact) for one in roster.search(scope, keyring, wanted, **more)]

        assert found("shop-2") == [("shop-2", True)]
        assert found("shop") == [("shop-1", False), ("shop-2", False)]
        assert found(" 138 0013 8000 ") == found("+86 13800138000") == [("shop-1", True)]
        assert found("13800138000", phones=False) == []
        assert found("oABC") == [("shop-2", True)]
        assert found("oabc") == found("%") == found("_") == found("' OR 1=1 --") == []
        for wrong in ("", "  ", "x" * 129, "a\0", "\ud800"):
            with pytest.raises(Invalid):
                roster.search(scope, keyring, wanted=wrong)
        for wrong in (0, 201):
            with pytest.raises(Invalid):
                roster.newest(scope, limit=wrong)


def test_the_number_of_statements_does_not_grow(house, send, ann):
    def page(scope):
        opened = house.platform.inside(scope, house.tenant)
        timeline.read(opened, ann, limit=20)
        profiles.read(opened, ann)
        roster.newest(scope)
        roster.liveliest(scope)
        roster.search(scope, house.platform.keyring, "a")

    send(house.tenant, "visit.made", "ann")
    few = counted(house, page)
    for number in range(30):
        send(house.tenant, "visit.made", "ann", time=datetime.now(UTC))
        house.member(f"a{number}")
    assert counted(house, page) == few <= 22
