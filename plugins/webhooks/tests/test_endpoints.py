"""Endpoints over HTTP: the secret is shown once and kept nowhere in plain text, and bad input names its field."""

import json
import secrets
import threading

import psycopg
import pytest
from hooks_kit import Receiver, Shop

from threepeat.tenancy import audit
from threepeat.testing.hostile import ADDRESSES, IMPOSSIBLE, ODD
from threepeat_webhooks import endpoints
from threepeat_webhooks.addresses import LOOPBACK

PLACE = "/v1/plugins/webhooks/endpoints"
GOOD = {"name": "Orders", "url": "https://shop.example.com/hook"}


class Manager:
    """The merchant's server, with its key."""

    def __init__(self, client, shop):
        self.shop, self._client = shop, client
        self._headers = {"Authorization": f"Bearer {shop.key()}"}

    def ask(self, method, path="", body=None, *, key=None, **more):
        headers = {**self._headers, **({"Idempotency-Key": key} if key else {}), **more.pop("headers", {})}
        return self._client.request(method, PLACE + path, json=body, headers=headers, **more)

    def make(self, *, key=None, **values):
        return self.ask("POST", body={"values": {**GOOD, **values}}, key=key)

    def act(self, item, step, *, key=None):
        revision = self.ask("GET", f"/{item}").json()["revision"]
        return self.ask("POST", f"/{item}/{step}", {"revision": revision}, key=key)


@pytest.fixture
def manager(client, shop):
    return Manager(client, shop)


@pytest.fixture(scope="module")
def hostile(client, platform):
    """One store, and an endpoint of its own, for all hostile values."""
    made = Manager(client, Shop(platform))
    return made, made.make().json()["id"]


def everything(platform):
    """Every row of the database, as text."""
    url = platform.database.urls.ops.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as ops:
        tables = ops.execute(
            "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'r' AND n.nspname IN ('core', 'webhooks') AND c.relname <> 'alembic_version'"
        ).fetchall()
        assert len(tables) > 20
        rows = [str(ops.execute(f"SELECT t::text FROM {name} t").fetchall()) for (name,) in tables]
        # Bytes are written in hexadecimal there.
        return "\n".join(rows)


def test_a_secret_is_shown_once_and_stored_nowhere(manager, platform):
    made = manager.make(key="k1")
    secret = made.json()["once"]["Signing secret"]
    assert secret.startswith("whsec_")
    again = manager.make(key="k1")
    assert (again.status_code, again.json()["once"], again.json()["id"]) == (200, {}, made.json()["id"])
    assert manager.ask("GET", f"/{made.json()['id']}").json()["once"] == {}
    assert all(one["once"] == {} for one in manager.ask("GET").json()["items"])
    rotated = manager.act(made.json()["id"], "rotate", key="k2").json()["once"]["Signing secret"]
    found = everything(platform)
    for one in (secret, rotated):
        assert one not in found
        assert one.encode().hex() not in found
        assert one.removeprefix("whsec_") not in found
    assert made.json()["values"]["url"] in found, "the search sees what is there"


def test_what_is_done_stands_in_the_trail_without_secrets(manager, platform):
    made = manager.make().json()
    for step in ("test", "rotate", "off", "on"):
        assert manager.act(made["id"], step).status_code == 200
    with platform.database.tenant(manager.shop.tenant.id) as scope:
        trail = [one for one in audit.read(scope) if one.action.startswith("collection.")]
    done = [one.action.removeprefix("collection.") for one in trail]
    assert done == ["on", "off", "rotate", "test", "created"]
    assert all("whsec" not in str(one) for one in trail)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", ""), ("name", " "), ("name", "x" * 61), ("name", None), ("name", 7), ("name", "a\0b")),
        *(
            ("url", ""),
            ("url", "http://shop.com/"),
            ("url", "https://10.0.0.1/"),
            ("url", "x" * 3000),
            ("url", []),
        ),
        *(("url", "https://localhost/"), ("url", "https://user@shop.com/"), ("url", "https://shop.com:22/")),
        *(("which", "none"), ("types", ["order.paid", "order.payed"]), ("types", "order.paid"), ("types", [7])),
        *(("types", ["x"] * 201), ("secret", "whsec_mine"), ("state", "active")),
    ],
)
def test_bad_input_names_its_field(hostile, monkeypatch, field, value):
    manager, _ = hostile
    there = manager.ask("GET").json()["items"]
    monkeypatch.delenv(LOOPBACK)
    answer = manager.make(**{"which": "chosen", "types": ["order.paid"], field: value})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"].startswith(f"values.{field}")
    assert manager.ask("GET").json()["items"] == there


def test_a_type_that_is_mistyped_is_told_with_the_one_that_was_meant(manager):
    errors = manager.make(which="chosen", types=["order.paid", "order.payed"]).json()["errors"]
    assert [(one["field"], "'order.paid'" in one["detail"]) for one in errors] == [("values.types.1", True)]
    errors = manager.make(which="chosen").json()["errors"]
    assert [one["field"] for one in errors] == ["values.types"]


def at_once(times, work):
    """The answers of many who ask at the same time."""
    answers, gate = [], threading.Barrier(times)
    threads = [threading.Thread(target=lambda: (gate.wait(), answers.append(work()))) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(answer.status_code for answer in answers)


def test_a_store_has_so_many_and_no_more_also_when_many_ask_at_once(manager, monkeypatch):
    monkeypatch.setattr(endpoints, "MOST_ENDPOINTS", 3)
    assert at_once(8, manager.make) == [200] * 3 + [409] * 5
    first, *_ = manager.ask("GET").json()["items"]
    manager.act(first["id"], "off")
    assert at_once(4, manager.make) == [200] + [409] * 3
    assert manager.act(first["id"], "on").status_code == 409


def test_a_change_of_address_counts_for_what_waits(manager, receiver):
    old = Receiver()
    made = manager.make(url=old.url).json()
    old.close()
    manager.shop.send("visit.made", place="waits")
    assert "Failing since" in manager.shop.item(made["id"]).figures
    values = {**GOOD, "url": receiver.url}
    assert manager.ask("PUT", f"/{made['id']}", {"values": values, "revision": 1}).status_code == 200
    assert "Failing since" not in manager.shop.item(made["id"]).figures, "the new one has not failed yet"
    manager.shop.wait(minutes=1)
    assert [body["data"]["place"] for _, body, _ in receiver.got] == ["waits"]


def test_a_secret_that_cannot_be_opened_is_told_and_a_new_one_helps(manager, platform, receiver):
    made = manager.make(url=receiver.url).json()
    with platform.database.ops.begin() as ops:
        ops.exec_driver_sql(f"UPDATE webhooks.endpoint SET secret = 'broken' WHERE id = {int(made['id'])}")
    manager.shop.send("visit.made")
    (one,) = manager.shop.items()
    assert (one.state, one.figures["Last answer"]) == (
        "failed",
        "The signing secret cannot be opened: make a new one",
    )
    manager.act(made["id"], "rotate")
    manager.shop.step(one.id, "again", "deliveries")
    manager.shop.work()
    ((_, _, headers),) = receiver.got
    assert len(headers["webhook-signature"].split(" ")) == 1, "the one that cannot be opened signs nothing"


@pytest.mark.parametrize("value", [*IMPOSSIBLE.values(), *ODD.values()], ids=[*IMPOSSIBLE, *ODD])
def test_a_body_that_is_none(hostile, value):
    manager, item = hostile
    good = {field: json.dumps(given).encode() for field, given in {**GOOD, "which": "all", "types": []}.items()}
    resend = {"endpoint": json.dumps(item).encode(), "since": b'"2026-01-10T11:00:00Z"', "which": b'"missed"'}
    for place, fields in (("", good), ("/../resends", resend)):
        for field in fields:
            inner = b",".join(
                b'"%s":%s' % (name.encode(), value if name == field else given) for name, given in fields.items()
            )
            body = b'{"values":{' + inner + b"}}"
            answer = manager._client.post(
                f"{PLACE}{place}".replace("endpoints/../", ""),
                content=body,
                headers={**manager._headers, "Content-Type": "application/json"},
            )
            assert answer.status_code in {200, 400, 409, 413, 422}, answer.text[:300]
            if answer.status_code != 200:
                assert answer.headers["content-type"] == "application/problem+json"
    with manager.shop.platform.database.ops.begin() as ops:
        ops.exec_driver_sql(
            "UPDATE webhooks.endpoint SET state = 'off'"
            f" WHERE tenant_id = {manager.shop.tenant.id} AND id <> {item}"
        )


@pytest.mark.parametrize("value", ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_that_is_none(hostile, value):
    manager, _ = hostile
    for path in (f"/{value}", f"?after={value}", f"?state={value}", f"?search={value}&limit={value}"):
        for name in ("endpoints", "deliveries", "resends"):
            place = PLACE.replace("endpoints", name) + path
            answer = manager._client.get(place, headers=manager._headers)
            assert answer.status_code in {200, 307, 400, 404, 414, 422, 431}, answer.text[:300]
    answer = manager.ask("POST", f"/{value}/off", {"revision": 1}, key=secrets.token_hex(4))
    assert answer.status_code in {400, 404, 414, 422, 431}
