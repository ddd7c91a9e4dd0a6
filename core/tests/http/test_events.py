import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx2
import jwt
import psycopg
import pytest
from sqlalchemy import text

from threepeat.events.platform import Platform
from threepeat.plugins import Registry
from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl
from threepeat.sdk.events import BEHAVIOUR, CATALOGUE, PLUGIN, Event, Sender
from threepeat.tenancy import keys
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Cluster

BATCH = "application/cloudevents-batch+json"
SINGLE = "application/cloudevents+json"
PAID = {"order_id": "o1", "total": 12800, "currency": "CNY"}
BEHAVIOUR_DATA: dict[str, dict[str, Any]] = {
    "session.started": {"session_id": "s"},
    "session.ended": {"session_id": "s", "seconds": 60},
    "page.viewed": {"page": "home"},
    "product.viewed": {"sku": "s"},
    "product.favorited": {"sku": "s"},
    "cart.updated": {"items": [{"sku": "s", "quantity": 2}]},
    "search.performed": {"query": "茶", "results": 3},
    "content.viewed": {"content_id": "c"},
    "share.sent": {"what": "box"},
    "review.submitted": {"sku": "s", "rating": 5},
    "feedback.submitted": {"text": "好"},
    "code.scanned": {"code": "c"},
}


class LevelReached(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "toy.level"
    senders: ClassVar[frozenset[Sender]] = PLUGIN
    level: int = 1


class Toy(Plugin[PluginSettings]):
    manifest = Manifest(id="toy", kind="tactic", title="Toy", summary="Declares an event.")
    settings_model = PluginSettings

    @hookimpl
    def events(self) -> Iterator[type[Event]]:
        yield LevelReached


@pytest.fixture(scope="module")
def registry() -> Registry:
    made = Registry.load([("toy", Toy())])
    assert not made.quarantined
    return made


@pytest.fixture
def shop(signed_in: Callable[[str], httpx2.Client], make_key: Callable[..., str], tenant: Tenant) -> httpx2.Client:
    """The shop's server with an ingest key."""
    return signed_in(make_key(tenant, "ingest"))


def event(key: str = "1", kind: str = "page.viewed", **given: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": key,
        "source": "shop",
        "type": kind,
        "subject": "m1",
        "data": {"page": "home"},
    } | given


def post(client: httpx2.Client, body: Any, kind: str | None = None) -> httpx2.Response:
    kind = kind or (BATCH if isinstance(body, list) else SINGLE)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post("/v1/events", content=content, headers={"Content-Type": kind})


def log(platform: Platform, tenant: Tenant) -> list[Any]:
    with platform.database.tenant(tenant.id) as scope:
        statement = text("SELECT position, id, type, subject, data FROM core.event ORDER BY position")
        return list(scope.connection.execute(statement))


def assert_problem(answer: httpx2.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["type"].startswith("urn:threepeat:problem:")
    assert body["title"]
    assert body["detail"]
    return body


def test_a_single_event_is_accepted_then_known_then_contradicted(
    platform: Platform, tenant: Tenant, shop: httpx2.Client
) -> None:
    first = post(shop, event())
    assert (first.status_code, first.headers["content-type"]) == (200, "application/json")
    assert first.json() == {
        "accepted": 1,
        "duplicate": 0,
        "conflict": 0,
        "invalid": 0,
        "items": [{"index": 0, "verdict": "accepted", "id": "1", "position": 1}],
    }
    again = post(shop, event())
    assert again.status_code == 200
    assert again.json()["items"] == [{"index": 0, "verdict": "duplicate", "id": "1", "position": 1}]
    other = assert_problem(post(shop, event(data={"page": "cart"})), 409)
    assert other["errors"][0]["field"] == "id"
    assert [row.data for row in log(platform, tenant)] == [{"page": "home"}]


def test_a_batch_with_anything_refused_is_207_and_each_item_says_what_became_of_it(
    platform: Platform, tenant: Tenant, shop: httpx2.Client
) -> None:
    post(shop, [event("known"), event("taken")])
    answer = post(
        shop,
        [
            event("known"),
            event("taken", data={"page": "cart"}),
            event("bad", data={}),
            event("new"),
            None,
            event("new"),
        ],
    )
    assert answer.status_code == 207
    body = answer.json()
    assert (body["accepted"], body["duplicate"], body["conflict"], body["invalid"]) == (1, 2, 1, 2)
    verdicts = [item["verdict"] for item in body["items"]]
    assert verdicts == ["duplicate", "conflict", "invalid", "accepted", "invalid", "duplicate"]
    assert [item["index"] for item in body["items"]] == list(range(6))
    assert all(item.get("reason") for item in body["items"] if item["verdict"] in {"conflict", "invalid"})
    assert [row.id for row in log(platform, tenant)] == ["known", "taken", "new"]


def test_a_batch_without_refusals_is_200_also_as_a_repeat(shop: httpx2.Client) -> None:
    batch = [event(str(n)) for n in range(1000)]
    assert (first := post(shop, batch)).status_code == 200
    assert first.json()["accepted"] == 1000
    assert (again := post(shop, batch)).status_code == 200
    assert again.json()["duplicate"] == 1000


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        (SINGLE, event(), 200),
        (f"{SINGLE}; charset=utf-8", event(), 200),
        ("Application/CloudEvents+JSON", event(), 200),
        (BATCH, [event()], 200),
        (f"{BATCH.upper()} ; charset=UTF-8", [event()], 200),
        ("application/json", event(), 200),
        ("application/json", [event()], 200),
        ("text/plain", event(), 415),
        ("application/x-www-form-urlencoded", event(), 415),
        (SINGLE, [event()], 422),
        (BATCH, event(), 400),
        ("text/plain", [event()], 415),
    ],
)
def test_the_content_type_says_whether_it_is_one_or_a_batch(
    shop: httpx2.Client, kind: str, body: Any, status: int
) -> None:
    assert post(shop, body, kind).status_code == status


@pytest.mark.parametrize("kind", [SINGLE, BATCH])
@pytest.mark.parametrize("body", [b"", b" \n", b"{", b"\xff", b"\xef\xbb\xbf[]", b"[" * 100_000, b"NaN", b"\0"])
def test_a_body_that_cannot_be_read_is_a_400(shop: httpx2.Client, kind: str, body: bytes) -> None:
    assert assert_problem(post(shop, body, kind), 400)["type"] == "urn:threepeat:problem:malformed"


def test_an_empty_batch_and_one_of_1001_are_refused_whole(
    platform: Platform, tenant: Tenant, shop: httpx2.Client
) -> None:
    assert "empty" in assert_problem(post(shop, []), 400)["detail"]
    detail = assert_problem(post(shop, [event(str(n)) for n in range(1001)]), 400)["detail"]
    assert "1000" in detail
    assert "1001" in detail
    assert log(platform, tenant) == []


def test_a_single_invalid_event_is_422_and_names_the_field(shop: httpx2.Client) -> None:
    body = assert_problem(post(shop, event(kind="order.paid", data=PAID | {"total": -1})), 422)
    assert body["errors"] == [{"field": "data.total", "detail": "Expected `int` >= 0"}]


def test_a_body_over_the_limit_is_413_announced_or_not(shop: httpx2.Client) -> None:
    large = b'[{"x":"' + b"x" * 8 * 1024 * 1024 + b'"}]'
    assert_problem(post(shop, large, BATCH), 413)

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(large), 1 << 20):
            yield large[start : start + (1 << 20)]

    answer = shop.post("/v1/events", content=pieces(), headers={"Content-Type": BATCH})
    assert_problem(answer, 413)
    assert post(shop, event()).status_code == 200


# The hostile corpus: JSON texts that stand where a value, a field of data, an unknown field or a field of
# the envelope is expected. All of them are well-formed JSON.
HOSTILE_VALUES: dict[str, bytes] = {
    "NUL": b'"a\\u0000b"',
    "only NUL": b'"\\u0000"',
    "2^63": b"9223372036854775808",
    "-2^63-1": b"-9223372036854775809",
    "2^64": b"18446744073709551616",
    "10^40": b"1" + b"0" * 40,
    "10^5000": b"1" + b"0" * 5000,
    "1e400": b"1e400",
    "-1e400": b"-1e400",
    "1e200000": b"1e200000",
    "1e99999999999": b"1e99999999999",
    "5e-324": b"5e-324",
    "minus zero": b"-0.0",
    "year 300000": b'"300000-01-01T00:00:00Z"',
    "the first day east": b'"0001-01-01T00:00:00+14:00"',
    "the last day west": b'"9999-12-31T23:59:59-14:00"',
    "huge string": b'"' + b"x" * 1_000_000 + b'"',
    "huge in UTF-8": b'"' + "宽".encode() * 300_000 + b'"',
    "empty string": b'""',
    "null": b"null",
    "true": b"true",
    "array": b"[]",
    "object": b"{}",
    "100k keys": b"{" + b",".join(b'"%d":%d' % (n, n) for n in range(100_000)) + b"}",
    "100k items": b"[" + b",".join([b"0"] * 100_000) + b"]",
    "duplicate keys": b'{"a":1,"a":2,"a":3}',
    "NUL as key": b'{"a":{"\\u0000":1}}',
    "envelope": b'{"envelope":{"position":1}}',
    "900 deep": b"[" * 900 + b"]" * 900,
    "900 deep objects": b'{"a":' * 900 + b"1" + b"}" * 900,
    "bidi and joiners": '"\u202e\u2066👩\u200d👩\u200d👧\ufeff\uffff"'.encode(),
    "control characters": b'"\\u0001\\u001b[31m\\u007f"',
    "SQL": b'"\'); DROP TABLE core.event; --"',
    "template": b'"{{7*7}}${7*7}%(n)s%s{0}:tenant"',
    "lone surrogate": b'"\\ud800"',
    "surrogates the wrong way round": b'"\\udc00\\ud800 and on"',
}
PLACES: dict[str, bytes] = {
    "value": b'{"specversion":"1.0","id":"h","source":"s","type":"order.paid","subject":"m","data":'
    b'{"order_id":"o","total":HERE,"currency":"CNY"}}',
    "text value": b'{"specversion":"1.0","id":"h","source":"s","type":"page.viewed","subject":"m","data":'
    b'{"page":HERE}}',
    "optional value": b'{"specversion":"1.0","id":"h","source":"s","type":"search.performed","subject":"m","data":'
    b'{"query":"q","results":HERE}}',
    "nested value": b'{"specversion":"1.0","id":"h","source":"s","type":"cart.updated","subject":"m","data":'
    b'{"items":[{"sku":HERE,"quantity":HERE}]}}',
    "unknown field": b'{"specversion":"1.0","id":"h","source":"s","type":"page.viewed","subject":"m","data":'
    b'{"page":"p","x":HERE}}',
    "deep unknown field": b'{"specversion":"1.0","id":"h","source":"s","type":"page.viewed","subject":"m","data":'
    b'{"page":"p","x":[{"y":HERE}]}}',
    "data": b'{"specversion":"1.0","id":"h","source":"s","type":"page.viewed","subject":"m","data":HERE}',
    "id": b'{"specversion":"1.0","id":HERE,"source":"s","type":"page.viewed","subject":"m","data":{"page":"p"}}',
    "source": b'{"specversion":"1.0","id":"h","source":HERE,"type":"page.viewed","subject":"m",'
    b'"data":{"page":"p"}}',
    "subject": b'{"specversion":"1.0","id":"h","source":"s","type":"page.viewed","subject":HERE,'
    b'"data":{"page":"p"}}',
    "type": b'{"specversion":"1.0","id":"h","source":"s","type":HERE,"subject":"m","data":{"page":"p"}}',
    "time": b'{"specversion":"1.0","id":"h","source":"s","type":"page.viewed","subject":"m","time":HERE,'
    b'"data":{"page":"p"}}',
    "specversion": b'{"specversion":HERE,"id":"h","source":"s","type":"page.viewed","subject":"m",'
    b'"data":{"page":"p"}}',
    "extension": b'{"specversion":"1.0","id":"h","source":"s","type":"page.viewed","subject":"m","x":HERE,'
    b'"data":{"page":"p"}}',
    "whole": b"HERE",
}
ROOTS = {place: place for place in ("id", "source", "subject", "type", "time", "specversion")} | {"extension": "x"}
UNREADABLE: dict[str, bytes] = {
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "raw NUL": b'"a\0b"',
    "raw control": b'"a\nb"',
    "invalid UTF-8": b'"\xff\xfe"',
    "surrogate in UTF-8": b'"\xed\xa0\x80"',
    "overlong NUL": b'"\xc0\x80"',
    "20,000 deep": b"[" * 20_000 + b"]" * 20_000,
    "20,000 deep objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "unclosed": b"[" * 20_000,
    "BOM": b"\xef\xbb\xbf1",
    "leading zero": b"01",
    "hexadecimal": b"0x1",
    "comment": b"/* */1",
    "single quotes": b"'a'",
}
STRANGE_TO_THE_READER = {"lone surrogate", "surrogates the wrong way round"}


@pytest.mark.parametrize("place", PLACES)
def test_a_hostile_value_gets_a_verdict_and_its_neighbours_are_stored(
    platform: Platform, tenant: Tenant, shop: httpx2.Client, place: str
) -> None:
    neighbours = 0
    for name, value in HOSTILE_VALUES.items():
        hostile = PLACES[place].replace(b"HERE", value)
        before, after = (json.dumps(event(f"{name} {side}")).encode() for side in ("before", "after"))
        answer = post(shop, b"[" + before + b"," + hostile + b"," + after + b"]", BATCH)
        if name in STRANGE_TO_THE_READER:
            # Half a pair is no text: the body is refused as a whole, and nothing of it is stored.
            assert_problem(answer, 400)
            continue
        assert answer.status_code in {200, 207}, (name, answer.text)
        items = answer.json()["items"]
        assert (items[0]["verdict"], items[2]["verdict"]) == ("accepted", "accepted"), name
        assert (answer.status_code == 207) is (items[1]["verdict"] in {"invalid", "conflict"}), name
        assert items[1].get("reason") or items[1]["verdict"] in {"accepted", "duplicate"}, name
        neighbours += 2
        again = post(shop, b"[" + hostile + b"]", BATCH)
        assert again.status_code in {200, 207}, (name, again.text)
        if items[1]["verdict"] == "accepted":
            assert again.json()["items"][0]["verdict"] == "duplicate", name
            neighbours += 1
    rows = log(platform, tenant)
    assert [row.position for row in rows] == list(range(1, neighbours + 1))


@pytest.mark.parametrize("place", PLACES)
def test_a_hostile_value_alone_is_stored_or_a_problem_that_names_its_field(
    shop: httpx2.Client, place: str
) -> None:
    for number, (name, value) in enumerate(HOSTILE_VALUES.items()):
        hostile = PLACES[place].replace(b"HERE", value).replace(b'"h"', b'"h%d"' % number)
        answer = post(shop, hostile, SINGLE)
        if answer.status_code != 200:
            body = assert_problem(answer, 400 if name in STRANGE_TO_THE_READER else 422)
            if answer.status_code == 422 and place != "whole":
                assert body["errors"][0]["field"].startswith(ROOTS.get(place, "data")), (name, body)


@pytest.mark.parametrize("kind", [SINGLE, BATCH])
@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_json_is_refused_whole_and_nothing_of_it_is_stored(
    platform: Platform, tenant: Tenant, shop: httpx2.Client, place: str, kind: str
) -> None:
    for name, value in UNREADABLE.items():
        body = PLACES[place].replace(b"HERE", value)
        if kind == BATCH:
            body = b"[" + json.dumps(event()).encode() + b"," + body + b"]"
        assert_problem(post(shop, body, kind), 400), name
    assert log(platform, tenant) == []


def test_nul_in_every_position_of_an_event_is_refused_by_name(
    platform: Platform, tenant: Tenant, shop: httpx2.Client
) -> None:
    lines = [{"sku": "s", "quantity": 1, "amount": 1, "name": "n", "category": "c"}]
    whole = event(kind="order.paid", data=PAID | {"lines": lines, "x": {"y": ["z"]}}, time="2026-05-01T11:00:00Z")
    whole |= {"dataschema": "d", "datacontenttype": "application/json", "extension": "e"}
    written = json.dumps(whole)
    tried = 0
    for place, character in enumerate(written):
        # Into each text, key or value, once: behind its opening quote.
        if character == '"' and written[place + 1] not in ":,}] ":
            body = f"{written[: place + 1]}\\u0000{written[place + 1 :]}".encode()
            answer = assert_problem(post(shop, body, SINGLE), 422)
            assert "errors" in answer, body
            tried += 1
    assert tried == written.count('"') // 2
    assert log(platform, tenant) == []


def test_unknown_fields_come_back_bit_for_bit(platform: Platform, tenant: Tenant, shop: httpx2.Client) -> None:
    kept = {"page": "p", "名": "👩\u200d👩\u200d👧", "e\u0301": "é", "n": 2**70, "deep": {"a": [None, True, 1.5]}}
    assert post(shop, event(data=kept)).status_code == 200
    assert log(platform, tenant)[0].data == kept


@pytest.mark.parametrize("kind", [e.type for e in (*CATALOGUE, LevelReached) if e.senders != BEHAVIOUR])
def test_a_member_cannot_send_what_is_worth_something(
    platform: Platform,
    tenant: Tenant,
    signed_in: Callable[[str], httpx2.Client],
    make_token: Callable[..., str],
    kind: str,
) -> None:
    phone = signed_in(make_token(tenant, "m1"))
    body = assert_problem(post(phone, event(kind=kind, data=PAID)), 422)
    assert body["errors"] == [{"field": "type", "detail": f"a member may not send {kind}"}]
    batch = post(phone, [event("1", kind, data=PAID), event("2")])
    assert [item["verdict"] for item in batch.json()["items"]] == ["invalid", "accepted"]
    assert [row.type for row in log(platform, tenant)] == ["page.viewed"]


@pytest.mark.parametrize("kind", [e.type for e in CATALOGUE if e.senders == BEHAVIOUR])
@pytest.mark.parametrize("named", ["somebody else", None])
def test_a_member_sends_behaviour_about_itself_whomever_it_names(
    platform: Platform,
    tenant: Tenant,
    signed_in: Callable[[str], httpx2.Client],
    make_token: Callable[..., str],
    kind: str,
    named: str | None,
) -> None:
    phone = signed_in(make_token(tenant, "客人/1"))
    answer = post(phone, event(kind=kind, subject=named, data=BEHAVIOUR_DATA[kind]))
    assert answer.status_code == 200, answer.text
    assert [row.subject for row in log(platform, tenant)] == ["客人/1"]


def test_a_server_cannot_send_what_only_plugins_say(shop: httpx2.Client) -> None:
    body = assert_problem(post(shop, event(kind="toy.level", data={"level": 1})), 422)
    assert body["errors"] == [{"field": "type", "detail": "a server may not send toy.level"}]


def test_a_member_may_not_date_an_event_back_by_more_than_a_week(
    tenant: Tenant, signed_in: Callable[[str], httpx2.Client], make_token: Callable[..., str]
) -> None:
    phone = signed_in(make_token(tenant, "m1"))
    old = (datetime.now(UTC) - timedelta(days=8)).isoformat()
    body = assert_problem(post(phone, event(time=old)), 422)
    assert body["errors"][0]["field"] == "time"


def test_a_revoked_key_stops_at_once(
    platform: Platform, tenant: Tenant, signed_in: Callable[[str], httpx2.Client], make_key: Callable[..., str]
) -> None:
    key = make_key(tenant, "ingest")
    client = signed_in(key)
    assert post(client, event("1")).status_code == 200
    parsed = keys.parse_key(key)
    with platform.database.tenant(tenant.id) as scope:
        keys.revoke_key(scope, parsed.id, by="test")
    assert_problem(post(client, event("2")), 401)
    assert [row.id for row in log(platform, tenant)] == ["1"]


@pytest.mark.parametrize("scopes", [("read",), ("manage",), ("read", "manage")])
def test_a_key_without_the_scope_is_403(
    platform: Platform,
    tenant: Tenant,
    signed_in: Callable[[str], httpx2.Client],
    make_key: Callable[..., str],
    scopes: tuple[str, ...],
) -> None:
    body = assert_problem(post(signed_in(make_key(tenant, *scopes)), event()), 403)
    assert "ingest" in body["detail"]
    assert log(platform, tenant) == []


def test_every_bad_credential_gets_the_same_401(
    platform: Platform,
    url: str,
    tenant: Tenant,
    other_tenant: Tenant,
    make_key: Callable[..., str],
    make_token: Callable[..., str],
) -> None:
    key, token = make_key(tenant, "ingest", "manage"), make_token(tenant, "m1")
    parsed = keys.parse_key(key)
    key_id, secret = parsed.id, parsed.secret
    signing = platform.keyring.derive(keys.TOKEN)
    claims = {"iss": "threepeat", "sub": "1", "tid": tenant.id, "ext": "m1"}
    now = datetime.now(UTC)
    live = claims | {"iat": now, "exp": now + timedelta(hours=1)}
    flipped = "A" if secret[0] != "A" else "B"
    bad = [
        None,
        "",
        "Basic abc",
        "Bearer",
        f"Token {key}",
        f"Bearer {key}x",
        f"Bearer {key[:-1]}",
        f"Bearer tp_live_{tenant.id}_{key_id}_{flipped}{secret[1:]}",
        f"Bearer tp_live_{tenant.id}_{'0' * 12}_{secret}",
        f"Bearer tp_live_{other_tenant.id}_{key_id}_{secret}",
        f"Bearer tp_live_{2**62}_{key_id}_{secret}",
        f"Bearer tp_live_{2**63 - 1}_{key_id}_{secret}",
        f"Bearer tp_live_{2**63}_{key_id}_{secret}",
        f"Bearer tp_live_{10**18 * 9 + 10**17 * 9}_{key_id}_{secret}",
        f"Bearer tp_live_{10**40}_{key_id}_{secret}",
        f"Bearer tp_live_0_{key_id}_{secret}",
        f"Bearer tp_live_-1_{key_id}_{secret}",
        f"Bearer tp_live_{key_id}_{secret}",
        f"Bearer {key.replace('live', 'test')}",
        f"Bearer {token}x",
        f"Bearer {token[:-5]}",
        f"Bearer {token.rsplit('.', 1)[0]}.",
        "Bearer a.b.c",
        "Bearer ..",
        "Bearer " + "x" * 5000,
        f"Bearer {jwt.encode(live, 'x' * 32, 'HS256')}",
        f"Bearer {jwt.encode(live, None, 'none')}",
        f"Bearer {jwt.encode(live, signing * 2, 'HS512')}",
        f"Bearer {jwt.encode(claims | {'iat': now, 'exp': now - timedelta(seconds=1)}, signing, 'HS256')}",
        f"Bearer {jwt.encode(live | {'iss': 'somebody'}, signing, 'HS256')}",
        f"Bearer {jwt.encode({k: v for k, v in live.items() if k != 'exp'}, signing, 'HS256')}",
        f"Bearer {jwt.encode({k: v for k, v in live.items() if k != 'tid'}, signing, 'HS256')}",
        f"Bearer {jwt.encode(live | {'tid': 2**62}, signing, 'HS256')}",
    ]
    answers = []
    with httpx2.Client(base_url=url) as client:
        for value in bad:
            headers = {"Content-Type": SINGLE} | ({"Authorization": value} if value is not None else {})
            for method, path in (("POST", "/v1/events"), ("GET", "/v1/tactics"), ("GET", "/v1/me")):
                content = json.dumps(event()).encode() if method == "POST" else None
                answer = client.request(method, path, headers=headers, content=content)
                assert_problem(answer, 401)
                answers.append((value, answer.content, answer.headers["www-authenticate"]))
        assert len({(body, challenge) for _, body, challenge in answers}) == 1
        headers = {"Authorization": f"bearer  {key}", "Content-Type": SINGLE}
        good = client.post("/v1/events", headers=headers, content=json.dumps(event()).encode())
        assert good.status_code == 200, "the good key works, so that the bad ones prove something"
    assert len(log(platform, tenant)) == 1


def test_a_token_that_was_good_is_refused_once_it_has_expired(
    platform: Platform, url: str, tenant: Tenant, make_token: Callable[..., str]
) -> None:
    signing = platform.keyring.derive(keys.TOKEN)
    claims = jwt.decode(make_token(tenant, "m1"), signing, ["HS256"], issuer="threepeat")
    ends = int(time.time()) + 3
    token = jwt.encode(claims | {"exp": ends}, signing, "HS256")
    viewed = json.dumps(event()).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": SINGLE}
    with httpx2.Client(base_url=url, headers=headers) as client:
        assert client.get("/v1/me").status_code == 200
        assert client.post("/v1/events", content=viewed).status_code == 200
        time.sleep(ends - time.time())
        assert_problem(client.get("/v1/me"), 401)
        assert_problem(client.post("/v1/events", content=viewed), 401)


@pytest.mark.parametrize(
    "line",
    [
        b"Authorization: Bearer \0",
        b"Authorization: Bearer tp_live_1\r\n X-Folded: 1",
        b"Authorization: Bearer x\rX-Evil: 1",
        b"Authorization: Bearer x\nX-Evil: 1",
        b"Authorization: Bearer \xff\xfe\xe4",
        b"Authorization: Bearer \xe2\x80\xae",
        b"Authorization: \x01\x02 x",
        b"Authorization: Bearer KEY\r\nContent-Type: \xff\xfe",
        b"Authorization: Bearer KEY\r\nContent-Type: " + b"a" * 10_000,
        b"Authorization: Bearer KEY\r\nContent-Length: -1",
        b"Authorization: Bearer KEY\r\nContent-Length: 1e3",
        b"Authorization: Bearer KEY\r\nContent-Length: 99999999999999999999999",
        b"Authorization: Bearer KEY\r\nIdempotency-Key: \0",
    ],
)
def test_hostile_headers_get_a_refusal_and_never_a_5xx_or_a_header_of_theirs(
    url: str, tenant: Tenant, make_key: Callable[..., str], line: bytes
) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    line = line.replace(b"KEY", make_key(tenant, "ingest").encode())
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        ending = b"" if b"Content-Length" in line else b"\r\nContent-Length: 2"
        connection.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + line + ending)
        connection.sendall(b"\r\n\r\n{}")
        try:
            answer = connection.makefile("rb").read()
        except ConnectionResetError:
            return  # hung up on before it had sent all: a refusal too
    assert answer.split(b" ", 2)[1] in {b"400", b"401", b"413", b"415", b"422", b"431"}, answer
    assert b"x-evil" not in answer.lower()


def test_a_suspended_store_is_told_so_only_with_a_good_credential(
    platform: Platform,
    tenant: Tenant,
    signed_in: Callable[[str], httpx2.Client],
    make_key: Callable[..., str],
    make_token: Callable[..., str],
) -> None:
    key, token = make_key(tenant, "ingest", "manage"), make_token(tenant, "m1")
    assert post(signed_in(key), event("1")).status_code == 200
    with platform.database.ops.begin() as ops:
        ops.execute(text("UPDATE core.tenant SET suspended_at = now() WHERE id = :id"), {"id": tenant.id})
    for credential in (key, token):
        assert "suspended" in assert_problem(post(signed_in(credential), event("2")), 403)["detail"]
    assert_problem(signed_in(key).get("/v1/tactics"), 403)
    assert_problem(signed_in(token).get("/v1/me"), 403)
    forged = key[:-4] + ("AAAA" if key[-4:] != "AAAA" else "BBBB")
    assert_problem(post(signed_in(forged), event("2")), 401)
    assert_problem(signed_in(forged).get("/v1/tactics"), 401)
    assert [row.id for row in log(platform, tenant)] == ["1"]


def test_concurrent_posts_of_one_event_are_one_event(
    platform: Platform, tenant: Tenant, signed_in: Callable[[str], httpx2.Client], make_key: Callable[..., str]
) -> None:
    key = make_key(tenant, "ingest")
    told: list[str] = []
    start = threading.Barrier(16)

    def send(client: httpx2.Client) -> None:
        start.wait()
        told.append(post(client, event()).json()["items"][0]["verdict"])

    threads = [threading.Thread(target=send, args=(signed_in(key),)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["accepted"] + ["duplicate"] * 15
    assert len(log(platform, tenant)) == 1


def test_a_lost_database_connection_is_a_503_and_the_next_request_is_served(
    platform: Platform, cluster: Cluster, tenant: Tenant, shop: httpx2.Client
) -> None:
    database = platform.database.urls.app.database
    with platform.database.tenant(tenant.id) as scope:
        # Hold the stream's row, so that the request waits in the database while its backend is killed.
        scope.connection.execute(text("SELECT FROM core.stream FOR UPDATE"))
        answers: list[httpx2.Response] = []
        thread = threading.Thread(target=lambda: answers.append(post(shop, event())))
        thread.start()
        with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
            waiting = None
            while waiting is None:
                waiting = admin.execute(
                    "SELECT pid FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'", (database,)
                ).fetchone()
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", waiting)
        thread.join()
    body = assert_problem(answers[0], 503)
    assert body["type"] == "urn:threepeat:problem:busy"
    assert answers[0].headers["retry-after"] == "1"
    assert log(platform, tenant) == []
    assert post(shop, event()).status_code == 200


def test_the_corpus_of_hostile_values_bites_a_reader_that_does_not_look_for_nul(
    shop: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("threepeat.events.incoming.ESCAPE", b"never found")
    monkeypatch.setattr("threepeat.events.ingest.UNSTORABLE", ())
    hostile = PLACES["text value"].replace(b"HERE", HOSTILE_VALUES["NUL"])
    assert post(shop, hostile, SINGLE).status_code >= 500
