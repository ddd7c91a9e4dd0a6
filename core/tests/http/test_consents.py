import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest
from sqlalchemy import text

from threepeat.events.platform import Platform
from threepeat.events.suppression import request
from threepeat.tenancy import consents, members
from threepeat.tenancy.consents import Statement
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Cluster
from threepeat.worker.loop import Worker

SignedIn = Callable[[str], httpx2.Client]
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
ANN = "/v1/members/ann/consents"
ME = "/v1/me/consents"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def assert_problem(answer: httpx2.Response, status: int, code: str | None = None) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    if code is not None:
        assert body["type"] == f"urn:threepeat:problem:{code}"
    return body


def changed(key: str, subject: str, granted: bool, *, at: datetime = NOON, **data: object) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": key,
        "source": "shop",
        "type": "consent.changed",
        "subject": subject,
        "time": at.isoformat(),
        "data": {"purpose": "marketing.sms", "granted": granted, **data},
    }


@pytest.fixture
def shop(
    manager: httpx2.Client, signed_in: SignedIn, make_key: Callable[..., str], tenant: Tenant
) -> httpx2.Client:
    """The shop's server; ann is a member."""
    manager.put("/v1/members/ann", json={})
    return signed_in(make_key(tenant, "ingest", "manage"))


def send(client: httpx2.Client, *events: dict[str, object]) -> list[str]:
    answer = client.post("/v1/events", content=json.dumps(events), headers=BATCH)
    return [item["verdict"] for item in answer.json()["items"]]


def current(client: httpx2.Client, address: str = ANN) -> dict[str, bool]:
    return {one["purpose"]: one["granted"] for one in client.get(address).json()["consents"]}


def granted(platform: Platform, tenant: Tenant, *names: str, purpose: str = "marketing.sms") -> set[str]:
    with platform.database.tenant(tenant.id) as scope:
        ids = {members.find(scope, name): name for name in names}
        return {ids[member] for member in consents.granted(scope, ids, purpose)}


def logged(platform: Platform, tenant: Tenant) -> list[Any]:
    Worker(platform).drain()
    with platform.database.tenant(tenant.id) as scope:
        query = "SELECT * FROM core.event WHERE tenant_id = :tenant AND type = 'consent.changed' ORDER BY position"
        return list(scope.run(text(query)))


def recorded(platform: Platform, tenant: Tenant) -> int:
    with platform.database.tenant(tenant.id) as scope:
        return int(scope.run(text("SELECT count(*) FROM core.consent WHERE tenant_id = :tenant"))[0][0])


def test_an_event_is_on_record_when_it_is_accepted(
    platform: Platform, tenant: Tenant, shop: httpx2.Client
) -> None:
    assert current(shop) == {}
    assert granted(platform, tenant, "ann") == set()
    told = changed("1", "ann", True, text_version="2026-04", channel="mini-program")
    assert send(shop, told) == ["accepted"]
    assert granted(platform, tenant, "ann") == {"ann"}
    (one,) = shop.get(ANN).json()["consents"]
    assert (one["purpose"], one["granted"]) == ("marketing.sms", True)
    assert (one["text_version"], one["channel"]) == ("2026-04", "mini-program")
    assert one["given_at"] == "2026-05-01T12:00:00Z"
    assert datetime.now(UTC) - datetime.fromisoformat(one["recorded_at"]) < timedelta(minutes=1)
    send(shop, changed("2", "ann", False, at=NOON + HOUR))
    assert granted(platform, tenant, "ann") == set()


def test_the_latest_statement_counts_in_whatever_order_they_come(shop: httpx2.Client) -> None:
    send(shop, changed("2", "ann", False, at=NOON + HOUR))
    send(shop, changed("1", "ann", True, at=NOON))
    assert current(shop) == {"marketing.sms": False}
    send(shop, changed("4", "ann", False, at=NOON + 3 * HOUR), changed("3", "ann", True, at=NOON + 4 * HOUR))
    assert current(shop) == {"marketing.sms": True}
    history = shop.get(ANN, params={"purpose": "marketing.sms"}).json()["consents"]
    assert [one["granted"] for one in history] == [True, False, False, True]
    assert shop.get(ANN, params={"purpose": "other"}).json()["consents"] == []


def test_of_two_statements_of_one_moment_the_later_recorded_counts_and_together_the_withdrawal(
    platform: Platform, tenant: Tenant, shop: httpx2.Client
) -> None:
    send(shop, changed("1", "ann", False), changed("2", "ann", True))
    assert granted(platform, tenant, "ann") == set()
    send(shop, changed("3", "ann", True))
    assert granted(platform, tenant, "ann") == {"ann"}
    send(shop, changed("4", "ann", False))
    assert granted(platform, tenant, "ann") == set()


def test_a_statement_dated_ahead_does_not_outlast_a_withdrawal(
    platform: Platform, tenant: Tenant, shop: httpx2.Client, signed_in: SignedIn, make_token: Callable[..., str]
) -> None:
    phone = signed_in(make_token(tenant, "ann"))
    send(shop, changed("1", "ann", True, at=datetime.now(UTC) + timedelta(minutes=9)))
    assert granted(platform, tenant, "ann") == {"ann"}
    body = {"purpose": "marketing.sms", "granted": False}
    assert phone.post(ME, json=body, headers={"Idempotency-Key": "k"}).status_code == 200
    assert granted(platform, tenant, "ann") == set()


def test_a_repeated_or_contradicting_event_changes_nothing(
    platform: Platform, tenant: Tenant, shop: httpx2.Client
) -> None:
    assert send(shop, changed("1", "ann", True), changed("1", "ann", True)) == ["accepted", "duplicate"]
    assert send(shop, changed("1", "ann", True), changed("1", "ann", False)) == ["duplicate", "conflict"]
    assert send(shop, changed("1", "ann", False), changed("2", "bob", True)) == ["conflict", "accepted"]
    assert recorded(platform, tenant) == 2
    assert granted(platform, tenant, "ann", "bob") == {"ann", "bob"}


def test_sources_and_ids_that_look_alike_joined_are_different_statements() -> None:
    assert consents.reference("a\nb", "c") != consents.reference("a", "b\nc")
    assert consents.reference("ab", "c") != consents.reference("a", "bc")


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"purpose": ""}, "data.purpose"),
        ({"purpose": "Marketing"}, "data.purpose"),
        ({"purpose": "a b"}, "data.purpose"),
        ({"purpose": "sms\n"}, "data.purpose"),
        ({"purpose": "a" * 65}, "data.purpose"),
        ({"purpose": 7}, "data.purpose"),
        ({"granted": "yes"}, "data.granted"),
        ({"granted": None}, "data.granted"),
        ({"text_version": "v" * 65}, "data.text_version"),
        ({"channel": ["app"]}, "data.channel"),
        ({"channel": "a\0"}, "data.channel"),
    ],
)
def test_a_hostile_event_is_invalid_and_nothing_is_on_record(
    platform: Platform, tenant: Tenant, shop: httpx2.Client, data: dict[str, object], field: str
) -> None:
    told = changed("1", "ann", True)
    told["data"] = {"purpose": "ads", "granted": True, **data}
    answer = shop.post("/v1/events", content=json.dumps([told]), headers=BATCH)
    (item,) = answer.json()["items"]
    assert (item["verdict"], item["reason"].partition(":")[0]) == ("invalid", field)
    assert recorded(platform, tenant) == 0


def test_a_member_cannot_send_the_event_itself(
    shop: httpx2.Client, signed_in: SignedIn, make_token: Callable[..., str], tenant: Tenant
) -> None:
    phone = signed_in(make_token(tenant, "ann"))
    assert send(phone, changed("1", "ann", True)) == ["invalid"]
    assert current(shop) == {}


def test_the_shops_server_puts_a_statement_on_record_and_into_the_log_once(
    platform: Platform, tenant: Tenant, shop: httpx2.Client
) -> None:
    body = {"purpose": "profiling", "granted": True, "text_version": "v3", "given_at": "2026-05-01T20:00:00+08:00"}
    headers = {"Idempotency-Key": str(uuid4())}
    first = shop.post(ANN, json=body, headers=headers)
    assert first.status_code == 200, first.text
    assert first.json()["given_at"] == "2026-05-01T12:00:00Z"
    assert (first.json()["text_version"], first.json()["channel"]) == ("v3", None)
    again = shop.post(ANN, json=body, headers=headers)
    assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
    assert_problem(shop.post(ANN, json={**body, "granted": False}, headers=headers), 422, "idempotency-key-reused")
    (event,) = logged(platform, tenant)
    assert (event.source, event.occurred_at) == ("threepeat", NOON)
    assert (event.data["purpose"], event.data["granted"], event.data["text_version"]) == ("profiling", True, "v3")
    assert recorded(platform, tenant) == 1
    assert shop.get(ANN).json()["consents"] == [first.json()]


def test_a_member_gives_and_withdraws_its_own(
    platform: Platform, tenant: Tenant, shop: httpx2.Client, signed_in: SignedIn, make_token: Callable[..., str]
) -> None:
    phone, other = signed_in(make_token(tenant, "ann")), signed_in(make_token(tenant, "bob"))
    body = {"purpose": "marketing.sms", "granted": True, "channel": "mini-program"}
    assert assert_problem(phone.post(ME, json=body), 422)["errors"][0]["field"] == "Idempotency-Key"
    answer = phone.post(ME, json=body, headers={"Idempotency-Key": "1"})
    assert answer.status_code == 200, answer.text
    assert current(phone, ME) == current(shop) == {"marketing.sms": True}
    assert current(other, ME) == {}
    phone.post(ME, json={**body, "granted": False}, headers={"Idempotency-Key": "2"})
    assert phone.post(ME, json=body, headers={"Idempotency-Key": "1"}).json() == answer.json()
    assert granted(platform, tenant, "ann", "bob") == set()
    assert [event.data["granted"] for event in logged(platform, tenant)] == [True, False]
    assert len(phone.get(ME, params={"purpose": "marketing.sms"}).json()["consents"]) == 2
    dated = {**body, "given_at": "2026-05-01T12:00:00Z"}
    assert_problem(phone.post(ME, json=dated, headers={"Idempotency-Key": "3"}), 422)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"purpose": "Ads"}, "purpose"),
        ({"purpose": "a\n"}, "purpose"),
        ({"purpose": ""}, "purpose"),
        ({"purpose": "a" * 65}, "purpose"),
        ({"purpose": 2**63}, "purpose"),
        ({"granted": "perhaps"}, "granted"),
        ({"text_version": "a\0"}, "text_version"),
        ({"text_version": "a" * 65}, "text_version"),
        ({"channel": "a\0"}, "channel"),
        ({"given_at": "2026-05-01T12:00:00"}, "given_at"),
        ({"given_at": "1969-12-31T23:59:59Z"}, "given_at"),
        ({"given_at": "2999-01-01T00:00:00Z"}, "given_at"),
        ({"given_at": "9999-12-31T23:59:59-23:59"}, "given_at"),
        ({"member": "bob"}, "member"),
    ],
)
def test_a_hostile_statement_is_refused_by_name(
    platform: Platform, tenant: Tenant, shop: httpx2.Client, body: dict[str, object], field: str
) -> None:
    answer = shop.post(ANN, json={"purpose": "ads", "granted": True, **body})
    assert assert_problem(answer, 422, "invalid")["errors"][0]["field"] == field
    assert recorded(platform, tenant) == 0


@pytest.mark.parametrize("purpose", ["", "Ads", "a b", "a\n", "a\0", "a" * 65])
def test_a_hostile_purpose_is_refused_by_name(shop: httpx2.Client, purpose: str) -> None:
    answer = shop.get(ANN, params={"purpose": purpose})
    assert assert_problem(answer, 422, "invalid")["errors"][0]["field"] == "purpose"


def test_each_key_opens_what_it_says(
    shop: httpx2.Client,
    signed_in: SignedIn,
    make_key: Callable[..., str],
    make_token: Callable[..., str],
    tenant: Tenant,
) -> None:
    reader, sender = signed_in(make_key(tenant, "read")), signed_in(make_key(tenant, "ingest"))
    phone = signed_in(make_token(tenant, "ann"))
    body = {"purpose": "ads", "granted": True}
    assert reader.get(ANN).status_code == 200
    for client, method, address in (
        (reader, "POST", ANN),
        (sender, "GET", ANN),
        (sender, "POST", ANN),
        (phone, "GET", ANN),
        (phone, "POST", ANN),
        (shop, "GET", ME),
        (shop, "POST", ME),
    ):
        given = {"json": body, "headers": {"Idempotency-Key": "k"}} if method == "POST" else {}
        assert_problem(client.request(method, address, **given), 403)
    assert_problem(shop.get("/v1/members/nobody/consents"), 404)
    assert_problem(shop.post("/v1/members/nobody/consents", json=body), 404)


def test_consents_of_two_stores_never_meet(
    platform: Platform,
    tenant: Tenant,
    other_tenant: Tenant,
    shop: httpx2.Client,
    signed_in: SignedIn,
    make_key: Callable[..., str],
) -> None:
    other = signed_in(make_key(other_tenant, "ingest", "manage"))
    send(shop, changed("same", "ann", True))
    send(other, changed("same", "ann", False))
    assert (current(shop), current(other)) == ({"marketing.sms": True}, {"marketing.sms": False})
    with platform.database.tenant(tenant.id) as scope:
        mine = members.find(scope, "ann")
    with platform.database.tenant(other_tenant.id) as scope:
        assert consents.granted(scope, [mine], "marketing.sms") == set()
        assert consents.current(scope, mine) == []


def test_what_a_batch_is_asked_is_answered_for_each_member(
    platform: Platform, tenant: Tenant, shop: httpx2.Client
) -> None:
    names = [f"m{number}" for number in range(30)]
    events = [
        changed(f"{n}-{turn}", name, (n + turn) % 3 == 0, at=NOON + turn * HOUR)
        for n, name in enumerate(names)
        for turn in range(3)
    ]
    send(shop, *reversed(events))
    assert granted(platform, tenant, *names) == {name for n, name in enumerate(names) if (n + 2) % 3 == 0}
    assert granted(platform, tenant, *names, purpose="other") == set()


def test_withdrawals_hold_from_their_answer_on_while_others_are_recorded(
    platform: Platform, tenant: Tenant, shop: httpx2.Client, signed_in: SignedIn, make_key: Callable[..., str]
) -> None:
    key = make_key(tenant, "ingest")
    names = [f"m{number}" for number in range(12)]
    send(shop, *(changed(f"{name}-on", name, True) for name in names))
    late: list[str] = []

    def withdraw(client: httpx2.Client, mine: list[str]) -> None:
        for name in mine:
            assert send(client, changed(f"{name}-off", name, False, at=NOON + HOUR)) == ["accepted"]
            late.extend(granted(platform, tenant, name))

    threads = [threading.Thread(target=withdraw, args=(signed_in(key), names[number::4])) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert late == []
    assert granted(platform, tenant, *names) == set()


@pytest.mark.parametrize("way", ["events", "the server", "the member"])
def test_a_withdrawal_waits_for_whoever_acts_on_the_consent_before_it(
    cluster: Cluster, platform: Platform, tenant: Tenant, shop: httpx2.Client, signed_in: SignedIn, way: str
) -> None:
    """Otherwise a message could go after the answer to the withdrawal, under a consent that was read before it."""
    send(shop, changed("1", "ann", True))
    body = {"purpose": "marketing.sms", "granted": False}
    phone = signed_in(shop.post("/v1/members/ann/token").json()["token"])
    ways: dict[str, Callable[[], object]] = {
        "events": lambda: send(shop, changed("2", "ann", False, at=NOON + HOUR)),
        "the server": lambda: shop.post(ANN, json=body),
        "the member": lambda: phone.post(ME, json=body, headers={"Idempotency-Key": "k-1"}),
    }
    answered = threading.Event()

    def withdraw() -> None:
        ways[way]()
        answered.set()

    asking = threading.Thread(target=withdraw)
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
    database = platform.database.urls.app.database
    with platform.database.tenant(tenant.id) as scope:
        ann = members.find(scope, "ann")
        members.lock(scope, [ann])
        assert consents.agreeing(scope, [ann], ["marketing.sms"])
        asking.start()
        with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
            while admin.execute(waits, (database,)).fetchone() == (0,):
                assert asking.is_alive()
                assert not answered.is_set()
        assert consents.agreeing(scope, [ann], ["marketing.sms"])
    asking.join(20)
    assert answered.is_set()
    with platform.database.tenant(tenant.id) as scope:
        assert consents.agreeing(scope, [ann], ["marketing.sms"]) == {}


def test_an_erased_members_consents_go_and_no_statement_brings_it_back(
    platform: Platform, tenant: Tenant, shop: httpx2.Client
) -> None:
    send(shop, changed("1", "ann", True))
    with platform.database.tenant(tenant.id) as scope:
        request(platform, scope, members.find(scope, "ann"), by="test")
    assert send(shop, changed("2", "ann", True)) == ["invalid"]
    assert_problem(shop.post(ANN, json={"purpose": "ads", "granted": True}), 404)
    assert recorded(platform, tenant) == 0


def test_a_statement_is_on_record_once_however_often_it_is_recorded(platform: Platform, tenant: Tenant) -> None:
    with platform.database.tenant(tenant.id) as scope:
        ann = members.put(scope, platform.keyring, "ann").id
        statement = Statement(ann, "ads", consents.reference("s", "1"), True, "", "", NOON)
        consents.record(scope, [statement, statement])
        consents.record(scope, [statement])
        assert len(consents.history(scope, ann, "ads")) == 1
