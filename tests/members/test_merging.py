"""Two members who are one person: what becomes of everything that they had."""

from datetime import UTC, datetime, timedelta

import pytest

from threepeat.database.personal import personal_tables
from threepeat.events import merging
from threepeat.events.context import Cause
from threepeat.sdk import Grant, Revocation, Spend
from threepeat.tenancy import consents, identities, members
from threepeat.tenancy.errors import Conflict, NotFound

START = datetime(2026, 1, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)

WAITING = {
    "timer": ("plugin, kind, name, key, due_at", "'points', 'timer', 'n', 'k', now() + interval '1 day'"),
    "dead_letter": ("plugin, position, error", "'points', 1, 'x'"),
    "attempt": ("plugin, what, attempts", "'points', 'w', 1"),
    "reward": (
        "plugin, key, kind, rule, amount, cost, month, granted_at",
        "'points', 'abc', 'points', 'r', 1, 0, '2026-01-01', now()",
    ),
    "outbox": ("source, event_id, type, occurred_at, depth, data", "'s', 'e', 'visit.made', now(), 0, '{}'"),
}


def test_what_was_the_sources_is_the_targets(shop):
    shop.paid("wx", "1", 10_000)
    shop.paid("wx", "2", 5_000, time=START + 9 * DAY)
    shop.paid("app", "3", 2_000, time=START + 2 * DAY)
    shop.refunded("wx", "r1", 3_000, "1")
    shop.serve()
    source, target = shop.id("wx"), shop.id("app")
    assert (shop.points(source), shop.points(target)) == ((120, 0, 120), (20, 0, 20))
    answer = shop.merge("wx", "app")
    assert answer.status_code == 200, answer.text
    assert answer.json()["external_id"] == "app"
    assert answer.json()["identities"] == [{"kind": "shop", "value": "app"}, {"kind": "shop", "value": "wx"}]
    assert (shop.points(source), shop.points(target)) == ((0, 0, 0), (140, 0, 140))
    assert shop.bought(source) == []
    assert shop.bought(target) == [(3, 17_000, 3_000, START, START + 9 * DAY)]
    assert shop.violations() == []
    assert shop.id("wx") == shop.id("app") == target
    assert shop.call("GET", "wx").json() == shop.call("GET", "app").json()


def test_the_history_that_the_member_sees_adds_up(shop):
    shop.paid("wx", "1", 10_000)
    shop.paid("app", "2", 2_000)
    shop.serve()
    shop.merge("wx", "app")
    entries = shop.me(shop.token("app"), "/points/history").json()["entries"]
    assert [(one["kind"], one["points"]) for one in entries] == [("merged", 100), ("earned", 20)]
    assert entries[0]["reference"].startswith("merge:")
    assert shop.me(shop.token("app"), "/points/balance").json()["available"] == 120


def test_orders_that_waited_in_the_log_count_for_the_target(shop):
    shop.put("wx", "app")
    shop.paid("wx", "1", 10_000)
    shop.refunded("wx", "r1", 4_000, "1")
    source, target = shop.id("wx"), shop.id("app")
    shop.merge("wx", "app")
    assert shop.points(target) == (60, 0, 60)
    assert shop.points(source) == (0, 0, 0)
    assert shop.bought(target) == [(1, 10_000, 4_000, START, START)]
    assert {row.member_id for row in shop.rows("SELECT member_id FROM core.event WHERE tenant_id = :tenant")} == {
        source,
        target,
    }
    assert shop.violations() == []


def test_a_refund_of_the_sources_order_takes_the_points_back_from_the_target(shop):
    shop.paid("wx", "1", 10_000)
    shop.put("app")
    shop.serve()
    target = shop.id("app")
    shop.merge("wx", "app")
    shop.refunded("wx", "r1", 2_500, "1")
    assert shop.points(target) == (75, 0, 75)
    shop.refunded("app", "r2", 2_500, "1")
    assert shop.points(target) == (50, 0, 50)
    assert shop.violations() == []


def test_a_refund_that_the_source_had_before_its_order_counts_when_the_order_comes(shop):
    shop.refunded("wx", "r1", 4_000, "1")
    shop.put("app")
    shop.serve()
    shop.merge("wx", "app")
    shop.paid("app", "1", 10_000)
    assert shop.points(shop.id("app")) == (60, 0, 60)
    assert shop.violations() == []


@pytest.mark.parametrize(("debtor", "holder"), [("wx", "app"), ("app", "wx")])
def test_debts_add_up_and_are_paid_from_the_others_lots_the_earliest_first(shop, debtor, holder):
    shop.paid(debtor, "1", 3_000)
    shop.refunded(debtor, "r1", 8_000)
    shop.paid(holder, "2", 4_000, time=START + DAY)
    shop.paid(holder, "3", 4_000)
    shop.serve()
    assert shop.points(shop.id(debtor)) == (0, 50, -50)
    shop.merge("wx", "app")
    assert shop.points(shop.id("app")) == (30, 0, 30)
    left = shop.rows("SELECT order_id, remaining FROM points.lot WHERE tenant_id = :tenant ORDER BY 1")
    assert [tuple(row) for row in left] == [("1", 0), ("2", 30), ("3", 0)]
    assert shop.violations() == []


def test_two_debts_are_one_debt(shop):
    for member in ("wx", "app"):
        shop.paid(member, f"of {member}", 1_000)
        shop.refunded(member, f"r {member}", 3_000)
    shop.serve()
    shop.merge("wx", "app")
    assert shop.points(shop.id("app")) == (0, 40, -40)
    assert shop.violations() == []


def test_standing_is_joined_and_the_targets_group_stays(shop):
    soon, late = "2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z"
    shop.put("wx", exempt=True, suspended_until=late, suspended_reason="fraud")
    shop.put("app", suspended_until=soon, suspended_reason="check")
    source, target = shop.id("wx"), shop.id("app")
    query = "SELECT holdout_unit, created_at FROM core.member WHERE tenant_id = :tenant AND id = :id"
    unit, first = shop.rows(query, id=target)[0].holdout_unit, shop.rows(query, id=source)[0].created_at
    body = shop.merge("wx", "app").json()
    assert (body["exempt"], body["suspended_until"], body["suspended_reason"]) == (True, late, "fraud")
    after = shop.rows(query, id=target)[0]
    assert (after.holdout_unit, after.created_at) == (unit, first)
    shop.put("eve", suspended_until=soon, suspended_reason="x")
    assert shop.merge("eve", "app").json()["suspended_reason"] == "fraud"


def test_consents_of_both_are_judged_together(shop):
    shop.put("wx", "app")
    for member, granted, day in (("wx", False, 2), ("app", True, 1), ("wx", True, 0)):
        given_at = (START + day * DAY).isoformat()
        body = {"purpose": "ads", "granted": granted, "given_at": given_at}
        assert shop.call("POST", member, "/consents", **body).status_code == 200
    assert shop.call("GET", "app", "/consents").json()["consents"][0]["granted"] is True
    shop.merge("wx", "app")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        assert consents.granted(scope, [shop.id("app")], "ads") == set()
        assert len(consents.history(scope, shop.id("app"), "ads")) == 3


def test_rewards_and_payments_of_the_source_go_on_with_the_target(shop):
    shop.paid("wx", "1", 3_000)
    shop.put("app")
    shop.serve()
    points = shop.platform.registry["points"]

    def run(work):
        with shop.platform.database.tenant(shop.tenant.id) as scope:
            context = shop.platform.inside(scope, shop.tenant).context(points, cause=Cause("test"))
            answer = work(context)
            context.finish()
            return answer

    source, target = shop.id("wx"), shop.id("app")
    (gift,) = run(lambda ctx: ctx.grant("points", [Grant(source, 50, "gift", "birthday")]))
    run(lambda ctx: ctx.spend("points", [Spend(source, 40, "cup")]))
    assert shop.points(source) == (40, 0, 40)
    shop.merge("wx", "app")
    assert run(lambda ctx: ctx.balance("points", [source, target])) == {target: 40}
    run(lambda ctx: ctx.spend("points", [Spend(target, 40, "cup")]))
    assert shop.points(target) == (40, 0, 40)
    run(lambda ctx: ctx.spend("points", [Spend(target, 5, "tea")]))
    run(lambda ctx: ctx.revoke("points", [Revocation(gift.key)]))
    assert shop.points(target) == (0, 15, -15)
    assert shop.violations() == []


def test_every_table_that_names_a_member_is_moved_or_known_to_stay(shop):
    """A new table of core's that a merge forgets is noticed here, and by the merge itself."""
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        found = {str(table) for table in personal_tables(scope.connection, schemas=["core"])}
    moved = {"identity", "consent", "dead_letter", "attempt", "reward", "timer", "outbox"}
    # The log cannot be changed, and whoever has an erasure is not merged any more.
    assert found == {f"core.{name}" for name in moved | {"event", "erasure"}} | merging.STAYS


def test_deadlines_letters_and_what_waits_to_be_sent_become_the_targets(shop):
    shop.put("wx", "app")
    source, target = shop.id("wx"), shop.id("app")
    for table, (columns, values) in WAITING.items():
        shop.rows(
            f"INSERT INTO core.{table} (tenant_id, member_id, {columns}) VALUES (:tenant, :id, {values})",
            id=source,
        )
    shop.merge("wx", "app")
    for table in WAITING:
        query = f"SELECT member_id FROM core.{table} WHERE tenant_id = :tenant AND member_id IS NOT NULL"
        assert {row.member_id for row in shop.rows(query)} == {target}, table


def test_a_chain_leads_everybody_to_its_end(shop):
    for number, name in enumerate(("a", "b", "c")):
        shop.paid(name, name, 1_000 * (number + 1))
    shop.serve()
    first, second, third = (shop.id(name) for name in ("a", "b", "c"))
    tokens = {name: shop.token(name) for name in ("a", "b", "c")}
    shop.merge("a", "b")
    shop.merge("b", "c")
    assert shop.points(third) == (60, 0, 60)
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        assert members.moved(scope, [first, second, third]) == {first: third, second: third}
        assert [members.current(scope, one, hold=True) for one in (first, second, third)] == [third] * 3
        assert [members.current(scope, one, hold=False) for one in (first, second, third)] == [third] * 3
    for name, token in tokens.items():
        assert shop.id(name) == third
        assert shop.me(token, "/points/balance").json()["available"] == 60
    shop.paid("a", "late", 500)
    assert shop.points(third) == (65, 0, 65)
    merges = shop.call("GET", "a", "/merges").json()["merges"]
    assert [one["identities"] for one in merges] == [
        [{"kind": "shop", "value": "a"}, {"kind": "shop", "value": "b"}],
        [{"kind": "shop", "value": "a"}],
    ]
    assert shop.violations() == []


def test_what_was_merged_can_be_read_and_a_phone_is_not_told(shop):
    shop.put("wx", "app")
    shop.call("PUT", "wx", "/identities", kind="phone", value="13800138000")
    shop.call("PUT", "wx", "/identities", kind="openid:wx1", value="o-1")
    before = datetime.now(UTC) - timedelta(seconds=5)
    shop.merge("wx", "app")
    (one,) = shop.call("GET", "app", "/merges").json()["merges"]
    assert one["identities"] == [
        {"kind": "openid:wx1", "value": "o-1"},
        {"kind": "phone", "value": None},
        {"kind": "shop", "value": "wx"},
    ]
    assert datetime.fromisoformat(one["merged_at"]) > before
    assert one["merged_by"].startswith("key:")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        assert identities.find(scope, shop.platform.keyring, "phone", "+8613800138000") == shop.id("app")
    assert shop.call("GET", "app").json()["external_id"] == "app"


def test_a_merge_is_refused_with_its_reason(shop):
    shop.put("wx", "app")
    assert shop.merge("wx", "wx").json()["type"].endswith(":same-member")
    assert shop.merge("nobody", "app").status_code == 404
    assert shop.merge("wx", "nobody").status_code == 404
    source, target = shop.id("wx"), shop.id("app")
    assert shop.merge("wx", "app").status_code == 200
    again = shop.merge("wx", "app")
    assert (again.status_code, again.json()["type"]) == (409, "urn:threepeat:problem:same-member")
    shop.put("eve")
    for pair in ((source, shop.id("eve")), (shop.id("eve"), source)):
        with pytest.raises(Conflict, match="was merged in the meantime"):
            shop.merge_ids(*pair)
    with pytest.raises(NotFound):
        shop.merge_ids(target, 10**15)
    shop.rows(
        "UPDATE core.member SET erase_requested_at = now() WHERE tenant_id = :tenant AND id = :id", id=target
    )
    with pytest.raises(Conflict, match="is being erased"):
        shop.merge_ids(shop.id("eve"), target)


@pytest.mark.parametrize("body", [{}, {"source": 7}, {"source": "x" * 129}, {"source": "wx", "target": "y"}, []])
def test_a_hostile_request_is_refused(shop, body):
    shop.put("app")
    answer = shop.client.post("/v1/members/app/merge", headers=shop.key, json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert shop.merge("\0", "app").status_code in {404, 422}


def test_a_repeat_with_its_key_gets_the_first_answer(shop):
    shop.put("wx", "app")
    first = shop.merge("wx", "app", "k1")
    again = shop.merge("wx", "app", "k1")
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert shop.merge("app", "wx", "k1").json()["type"].endswith("idempotency-key-reused")


def test_each_scope_opens_what_it_says(shop, make_key):
    shop.put("wx", "app")
    for scope, status in (("ingest", 403), ("read", 403)):
        headers = {"Authorization": f"Bearer {make_key(shop.tenant, scope)}"}
        assert (
            shop.client.post("/v1/members/app/merge", headers=headers, json={"source": "wx"}).status_code == status
        )
    assert (
        shop.client.post("/v1/members/app/merge", headers=shop.token("wx"), json={"source": "app"}).status_code
        == 403
    )
