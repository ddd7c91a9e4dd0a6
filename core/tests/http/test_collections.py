"""What a merchant's server manages over HTTP; what core does about it is proved beside it."""

import json
import secrets
from pathlib import Path

import pytest
from fastapi import Request
from pydantic import ConfigDict
from sqlalchemy import text

from threepeat.http.app import create_app
from threepeat.plugins import Registry
from threepeat.sdk import Manifest, Once, collection, hookimpl
from threepeat.tenancy import audit, switches

JARS = "/v1/plugins/shelf/jars"


@pytest.fixture(scope="module")
def toys():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "events/toys")
        import shelf_toy
    return shelf_toy


@pytest.fixture(scope="module")
def registry(toys):
    return Registry.load([("shelf", toys.Shelf())])


@pytest.fixture
def shelf(registry):
    plugin = registry["shelf"].plugin
    yield plugin
    plugin.__init__()


@pytest.fixture
def tenant(make_tenant):
    return make_tenant(f"shop-{secrets.token_hex(4)}", enable=("shelf",))


def make(manager, **values):
    answer = manager.post(JARS, json={"values": {"name": "honey", **values}})
    assert answer.status_code == 200, answer.text
    return answer.json()


def fields(answer):
    assert answer.status_code == 422, answer.text
    return [one["field"] for one in answer.json()["errors"]]


def code(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()["type"].removeprefix("urn:threepeat:problem:")


def test_an_item_is_made_read_saved_moved_and_listed(manager, platform, tenant):
    made = make(manager, price=250)
    assert (made["state"], made["revision"], made["title"], made["figures"]) == (
        "open",
        1,
        "honey",
        {"Price": 250},
    )
    assert (made["editable"], made["actions"]) == (True, ["seal", "break"])
    place = f"{JARS}/{made['id']}"
    assert manager.get(place).json() == made
    saved = manager.put(place, json={"values": {"name": "jam"}, "revision": 1}).json()
    assert (saved["title"], saved["values"]["price"], saved["revision"]) == ("jam", 100, 2)
    sealed = manager.post(f"{place}/seal", json={"revision": 2}).json()
    assert (sealed["state"], sealed["editable"], sealed["actions"]) == ("sealed", False, ["break"])
    assert manager.get(JARS).json() == {"items": [sealed], "next": None}
    with platform.database.tenant(tenant.id) as scope:
        trail = [(one.actor, one.action) for one in audit.read(scope) if one.action.startswith("collection.")]
    assert [action for _, action in trail] == ["collection.seal", "collection.updated", "collection.created"]
    assert all(actor.startswith("key:") for actor, _ in trail)


def test_a_list_comes_in_pages(manager):
    made = [make(manager, name=f"jar {number}")["id"] for number in range(3)]
    first = manager.get(JARS, params={"limit": 2}).json()
    rest = manager.get(JARS, params={"limit": 2, "after": first["next"]}).json()
    assert [item["id"] for page in (first, rest) for item in page["items"]] == made
    assert rest["next"] is None
    assert [item["id"] for item in manager.get(JARS, params={"search": "jar 1"}).json()["items"]] == [made[1]]
    assert manager.get(JARS, params={"state": "sealed"}).json()["items"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "state=gone", "after=a%20b", "search=%00"])
def test_a_query_that_asks_for_nonsense_is_refused_by_name(manager, query):
    assert fields(manager.get(f"{JARS}?{query}")) == [query.partition("=")[0]]


def test_the_same_key_makes_one_item_and_takes_one_step(manager):
    body, headers = {"values": {"name": "honey"}}, {"Idempotency-Key": "k"}
    first, again = (manager.post(JARS, json=body, headers=headers) for _ in range(2))
    assert (first.content, again.headers["Idempotency-Replayed"]) == (again.content, "true")
    assert (
        code(manager.post(JARS, json={"values": {"name": "jam"}}, headers=headers), 422)
        == "idempotency-key-reused"
    )
    assert len(manager.get(JARS).json()["items"]) == 1
    step, headers = f"{JARS}/{first.json()['id']}/seal", {"Idempotency-Key": "s"}
    first, again = (manager.post(step, json={"revision": 1}, headers=headers) for _ in range(2))
    assert (first.status_code, first.content) == (200, again.content)
    assert code(manager.post(step, json={"revision": 2}, headers=headers), 422) == "idempotency-key-reused"


def test_reading_needs_a_key_that_reads_and_changing_one_that_manages(
    client, signed_in, make_key, tenant, manager
):
    item = make(manager)
    reader, sender = signed_in(make_key(tenant, "read")), signed_in(make_key(tenant, "ingest"))
    place = f"{JARS}/{item['id']}"
    for path in ("/v1/plugins", JARS, place):
        assert reader.get(path).status_code == 200
        assert code(sender.get(path), 403) == "not-allowed"
        assert code(client.get(path), 401) == "denied"
    values, step = {"values": {"name": "x"}}, {"revision": 1}
    for one, status in ((reader, 403), (sender, 403), (client, 401)):
        assert one.post(JARS, json=values).status_code == status
        assert one.put(place, json={**values, **step}).status_code == status
        assert one.post(f"{place}/seal", json=step).status_code == status
    assert manager.get(place).json() == item


def test_a_member_can_manage_nothing(signed_in, make_token, tenant, manager):
    make(manager)
    member = signed_in(make_token(tenant, "ann"))
    assert code(member.get(JARS), 403) == "not-allowed"
    assert code(member.post(JARS, json={"values": {"name": "x"}}), 403) == "not-allowed"


def test_two_stores_never_see_or_touch_each_others_items(manager, signed_in, make_key, make_tenant):
    mine = make(manager)
    other = signed_in(make_key(make_tenant(f"shop-{secrets.token_hex(4)}", enable=("shelf",)), "manage"))
    place = f"{JARS}/{mine['id']}"
    assert other.get(JARS).json()["items"] == []
    assert code(other.get(place), 404) == "not-found"
    assert code(other.put(place, json={"values": {"name": "x"}, "revision": 1}), 404) == "not-found"
    assert code(other.post(f"{place}/break", json={"revision": 1}), 404) == "not-found"
    assert manager.get(place).json() == mine


def test_who_comes_second_and_what_cannot_be_is_a_conflict(manager):
    item = make(manager)
    place, values = f"{JARS}/{item['id']}", {"name": "x"}
    manager.put(place, json={"values": values, "revision": 1})
    assert code(manager.put(place, json={"values": values, "revision": 1}), 409) == "stale"
    assert code(manager.post(f"{place}/seal", json={"revision": 1}), 409) == "stale"
    manager.post(f"{place}/seal", json={"revision": 2})
    assert code(manager.post(f"{place}/seal", json={"revision": 3}), 409) == "not-now"
    assert code(manager.put(place, json={"values": values, "revision": 3}), 409) == "not-editable"
    assert code(manager.post(f"{place}/melt", json={"revision": 3}), 404) == "http"
    cursed = make(manager, name="cursed")
    assert code(manager.post(f"{JARS}/{cursed['id']}/seal", json={"revision": 1}), 409) == "cursed"


def test_a_closing_tactic_takes_nothing_new_and_one_that_is_off_has_nothing(manager, platform, tenant, shelf):
    item, shelf.owes = make(manager), True
    place = f"{JARS}/{item['id']}"

    def disable():
        with platform.database.tenant(tenant.id) as scope:
            switches.disable(scope, tenant, platform.registry, "shelf", by="t", act=platform.act)

    disable()
    assert (manager.get(place).json()["editable"], manager.get(place).json()["actions"]) == (False, ["break"])
    assert not manager.get("/v1/plugins").json()["collections"][0]["open"]
    assert code(manager.post(JARS, json={"values": {"name": "x"}}), 409) == "closing"
    assert code(manager.post(f"{place}/seal", json={"revision": 1}), 409) == "closing"
    assert manager.post(f"{place}/break", json={"revision": 1}).status_code == 200
    shelf.owes = False
    disable()
    assert code(manager.get(JARS), 404) == "not-found"
    assert "switch it on first" in manager.get(JARS).json()["detail"]
    assert manager.get("/v1/plugins").json() == {"collections": []}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "values"),
        ({"values": None}, "values"),
        ({"values": []}, "values"),
        ({"values": {}}, "values.name"),
        ({"values": {"name": ""}}, "values.name"),
        ({"values": {"name": "x", "price": "many"}}, "values.price"),
        ({"values": {"name": "x", "labels": [{"text": "x", "colour": 1}]}}, "values.labels.0.colour"),
        ({"values": {"name": "x", "gift": {"kind": "gold", "amount": 1}}}, "values.gift.kind"),
        ({"values": {"name": "x", "audience": {"fact": "gone.x", "op": "is_true"}}}, "values.audience.fact"),
        ({"values": {"name": "x"}, "more": 1}, "more"),
    ],
)
def test_a_bad_body_is_refused_by_name_and_nothing_is_made(manager, body, field):
    assert fields(manager.post(JARS, json=body)) == [field]
    assert manager.get(JARS).json()["items"] == []


@pytest.mark.parametrize("revision", ["null", "0", "-1", "9223372036854775808", "1.5", '"x"', "true"])
def test_a_revision_that_is_none_is_refused(manager, revision):
    place = f"{JARS}/{make(manager)['id']}"
    body = f'{{"revision": {revision}}}'.encode()
    answer = manager.post(f"{place}/seal", content=body, headers={"Content-Type": "application/json"})
    if revision == "true":  # pydantic reads it as 1
        assert answer.status_code == 200
    else:
        assert fields(answer) == ["revision"]


def test_a_plugin_that_fails_tells_nothing_and_changes_nothing(manager, shelf):
    item = make(manager)

    def fails(ctx, jar, revision):
        ctx.sql("move", id=int(jar), revision=revision, state="sealed")
        raise ZeroDivisionError("a secret detail")

    shelf.instead["seal"] = fails
    answer = manager.post(f"{JARS}/{item['id']}/seal", json={"revision": 1})
    assert code(answer, 500) == "unexpected"
    assert "secret" not in answer.text
    assert manager.get(f"{JARS}/{item['id']}").json() == item


def test_the_collections_of_a_store_are_described(manager):
    (found,) = manager.get("/v1/plugins").json()["collections"]
    assert (found["plugin"], found["name"], found["open"]) == ("shelf", "jars", True)
    assert found["states"] == {"open": "Open", "sealed": "Sealed", "broken": "Broken"}
    assert [one["name"] for one in found["actions"]] == ["seal", "break"]
    assert found["values_schema"]["properties"]["name"]["maxLength"] == 200


def test_the_api_description_is_typed_by_the_model(client):
    described = client.get("/v1/openapi.json").json()
    schemas = described["components"]["schemas"]

    def body(method, path):
        found = described["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
        return schemas[found["$ref"].rpartition("/")[2]]

    for method, path in (("post", JARS), ("put", f"{JARS}/{{item}}")):
        jar = schemas[body(method, path)["properties"]["values"]["$ref"].rpartition("/")[2]]
        assert jar["properties"]["name"]["maxLength"] == 200
    assert body("post", f"{JARS}/{{item}}/seal")["required"] == ["revision"]
    states = json.dumps(described["paths"][JARS]["get"]["parameters"])
    assert '"enum": ["open", "sealed", "broken"]' in states
    assert f"{JARS}/{{item}}/melt" not in described["paths"]


def test_a_model_that_no_schema_can_tell_quarantines_its_plugin(open_platform, toys):
    class Odd(toys.Jar):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        thing: Request

    class Strange(toys.Shelf):
        manifest = Manifest(id="strange", kind="tactic", title="S", summary="S")

        @hookimpl
        def events(self):
            return ()

        @hookimpl
        def collections(self):
            def nothing(*_):
                raise NotImplementedError

            names = dict.fromkeys(("title", "singular", "summary"), "x")
            calls = dict.fromkeys(("find", "read", "create", "update"), nothing)
            yield collection("odd", Odd, **names, states={"a": "A"}, editable={"a"}, **calls)

    platform = open_platform(registry=Registry.load([("shelf", toys.Shelf()), ("strange", Strange())]))
    served = create_app(platform).state.platform.registry
    assert list(served.quarantined) == ["strange"]
    assert "shelf" in served


def test_a_value_that_fits_no_column_is_refused_and_not_an_error(manager, shelf):
    item = make(manager)
    shelf.instead["seal"] = lambda ctx, *_: ctx.sql("move", id=2**70, revision=1, state="x")
    answer = manager.post(f"{JARS}/{item['id']}/seal", json={"revision": 1})
    assert code(answer, 422) == "invalid"


def test_nothing_of_an_attempt_is_left(manager, platform, tenant, shelf):
    item = make(manager)
    shelf.instead["seal"] = lambda *_: False
    headers = {"Idempotency-Key": "once"}
    assert code(manager.post(f"{JARS}/{item['id']}/seal", json={"revision": 1}, headers=headers), 409) == "stale"
    shelf.instead.clear()
    assert manager.post(f"{JARS}/{item['id']}/seal", json={"revision": 1}, headers=headers).status_code == 200
    with platform.database.tenant(tenant.id) as scope:
        assert scope.run(text("SELECT count(*) FROM core.outbox WHERE tenant_id = :tenant"))[0][0] == 1


def test_a_file_is_sent_to_whoever_may_manage(manager, tenant, client, make_key):
    place = f"{JARS}/{make(manager)['id']}"
    assert code(manager.get(f"{place}/file"), 409) == "not-now"
    manager.post(f"{place}/seal", json={"revision": 1})
    answer = manager.get(f"{place}/file")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert (answer.headers["cache-control"], answer.text.splitlines()[-1]) == ("no-store", "low,-5")
    reader = {"Authorization": f"Bearer {make_key(tenant, 'read')}"}
    assert code(client.get(f"{place}/file", headers=reader), 403) == "not-allowed"
    assert code(manager.get(f"{JARS}/99/file"), 404) == "not-found"
    listed = manager.get("/v1/plugins").json()["collections"]
    assert [one["file"] for one in listed if one["plugin"] == "shelf"] == ["The label"]


def test_what_is_shown_once_is_not_in_the_stored_answer(manager, platform, shelf, toys):
    shelf.instead["create"] = lambda ctx, jar: Once(toys.create(ctx, jar), {"Secret": "s-e-c-r-e-t"})
    body, key = {"json": {"values": {"name": "honey"}}}, {"headers": {"Idempotency-Key": "shown-once"}}
    made = manager.post(JARS, **body, **key).json()
    assert made["once"] == {"Secret": "s-e-c-r-e-t"}
    again = manager.post(JARS, **body, **key)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == {**made, "once": {}}
    assert manager.get(f"{JARS}/{made['id']}").json()["once"] == {}
    with platform.database.ops.connect() as ops:
        (kept,) = ops.execute(text("SELECT body FROM core.idempotency WHERE key = 'shown-once'")).scalars()
    assert b"s-e-c-r-e-t" not in bytes(kept)
    assert b"honey" in bytes(kept)
