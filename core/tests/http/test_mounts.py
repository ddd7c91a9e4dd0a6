import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Annotated, Any, ClassVar

import httpx2
import pytest
from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy import text

from threepeat.events.platform import Platform
from threepeat.http.app import create_app
from threepeat.plugins import Registry
from threepeat.sdk import Context, Manifest, Plugin, PluginSettings, Refused, Route, get, hookimpl, post
from threepeat.sdk.events import PLUGIN, Event, Sender
from threepeat.tenancy import keys, members, switches
from threepeat.tenancy.holdout import held_out
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import serving

SignedIn = Callable[[str], httpx2.Client]


class Joined(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "club.joined"
    senders: ClassVar[frozenset[Sender]] = PLUGIN
    seats: int


class Order(BaseModel):
    seats: int = Field(ge=1, le=10)
    note: str = Field(default="", max_length=20)


class Seat(BaseModel):
    member: int
    seats: int


class Club(Plugin[PluginSettings]):
    manifest = Manifest(id="club", kind="tactic", title="Club", summary="A toy with routes.")
    settings_model = PluginSettings
    owes: ClassVar[bool] = False
    fails: ClassVar[int] = 0

    @hookimpl
    def events(self) -> Iterator[type[Event]]:
        yield Joined

    @hookimpl
    def routes(self) -> Iterator[Route]:
        yield get("/seat", self.seat, summary="My seat")
        yield get("/offer", self.seat, summary="What is on offer", always=False)
        yield get("/page/{number}", self.page, summary="A page")
        yield post("/join", self.join, summary="Join")
        yield post("/leave", self.join, summary="Leave", always=True)
        yield post("/refuse", self.refuse, summary="Always refused")
        yield post("/shake", self.shake, summary="Breaks as often as it is told to")

    @hookimpl
    def open_obligations(self, ctx: Context[PluginSettings]) -> Iterable[str]:
        del ctx
        return ["a seat"] if self.owes else []

    def seat(self, ctx: Context[PluginSettings]) -> Seat:
        """What I hold."""
        return Seat(member=ctx.member, seats=0)

    def page(
        self,
        ctx: Context[PluginSettings],
        number: int,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        word: Annotated[str, Query(max_length=5)] = "",
    ) -> dict[str, Any]:
        return {"number": number, "limit": limit, "word": word, "store": ctx.tenant.slug}

    def join(self, ctx: Context[PluginSettings], order: Order) -> Seat:
        ctx.emit(Joined(seats=order.seats), member=ctx.member)
        return Seat(member=ctx.member, seats=order.seats)

    def refuse(self, ctx: Context[PluginSettings]) -> None:
        ctx.emit(Joined(seats=1), member=ctx.member)
        raise Refused("the club is full", code="club-full")

    def shake(self, ctx: Context[PluginSettings], order: Order) -> Seat:
        ctx.emit(Joined(seats=1), member=ctx.member)
        if type(self).fails:
            type(self).fails -= 1
            raise ZeroDivisionError("a secret detail")
        return Seat(member=ctx.member, seats=order.seats)


class Broken(Plugin[PluginSettings]):
    """A plugin with one route whose declaration may be anything."""

    settings_model = PluginSettings

    def __init__(self, route: Route, name: str = "broken") -> None:
        self.manifest = Manifest(id=name, kind="tactic", title="Broken", summary="A toy.")
        self.route = route

    @hookimpl
    def routes(self) -> Iterator[Route]:
        yield self.route


@pytest.fixture(scope="module")
def registry() -> Registry:
    made = Registry.load([("club", Club())])
    assert not made.quarantined
    return made


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Club, "owes", False)
    monkeypatch.setattr(Club, "fails", 0)


@pytest.fixture
def switch(platform: Platform, tenant: Tenant) -> Callable[..., None]:
    """Switches the club: `switch("enable")`, `switch("disable")`."""

    def turn(how: str, *, holdout: int = 0) -> None:
        with platform.database.tenant(tenant.id) as scope:
            getattr(switches, how)(scope, tenant, platform.registry, "club", by="test", act=platform.act)
            if how == "enable":
                switches.save_settings(
                    scope,
                    tenant,
                    platform.registry,
                    platform.keyring,
                    "club",
                    {},
                    revision=None,
                    holdout_percent=holdout,
                    by="test",
                )

    return turn


@pytest.fixture
def phone(signed_in: SignedIn, make_token: Callable[..., str], tenant: Tenant) -> httpx2.Client:
    return signed_in(make_token(tenant, "m1"))


def command(client: httpx2.Client, path: str = "join", key: str | None = "k", body: Any = None) -> httpx2.Response:
    headers = {"Idempotency-Key": key} if key is not None else {}
    return client.post(f"/v1/me/club/{path}", json=body or {"seats": 2}, headers=headers)


def emitted(platform: Platform, tenant: Tenant) -> list[Any]:
    with platform.database.tenant(tenant.id) as scope:
        return list(
            scope.connection.execute(text("SELECT data ->> 'seats' FROM core.outbox ORDER BY id")).scalars()
        )


def kept_keys(platform: Platform, tenant: Tenant) -> list[str]:
    with platform.database.tenant(tenant.id) as scope:
        return list(scope.connection.execute(text("SELECT key FROM core.idempotency ORDER BY key")).scalars())


def assert_problem(answer: httpx2.Response, status: int, code: str | None = None) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert code is None or body["type"] == f"urn:threepeat:problem:{code}"
    return body


# Gating


def test_a_tactic_that_is_off_has_no_routes(phone: httpx2.Client, switch: Callable[..., None]) -> None:
    for answer in (phone.get("/v1/me/club/seat"), phone.get("/v1/me/club/offer"), command(phone)):
        assert_problem(answer, 404, "not-found")
    switch("enable")
    assert phone.get("/v1/me/club/seat").status_code == 200
    switch("disable")
    assert_problem(phone.get("/v1/me/club/seat"), 404)
    assert_problem(command(phone, "leave"), 404)


def test_an_enabled_tactic_answers_its_members(
    platform: Platform, tenant: Tenant, phone: httpx2.Client, switch: Callable[..., None]
) -> None:
    switch("enable")
    assert phone.get("/v1/me/club/seat").json()["seats"] == 0
    assert phone.get("/v1/me/club/offer").status_code == 200
    assert phone.get("/v1/me").json()["tactics"] == [{"id": "club", "title": "Club"}]
    answer = command(phone)
    assert (answer.status_code, answer.json()["seats"]) == (200, 2)
    assert emitted(platform, tenant) == ["2"]


def test_a_closing_tactic_keeps_its_promises_and_makes_no_new_ones(
    phone: httpx2.Client, switch: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    switch("enable")
    monkeypatch.setattr(Club, "owes", True)
    switch("disable")
    assert phone.get("/v1/me/club/seat").status_code == 200
    assert command(phone, "leave", "k1").status_code == 200
    assert_problem(phone.get("/v1/me/club/offer"), 409, "not-offered")
    assert_problem(command(phone, "join", "k2"), 409, "not-offered")
    assert phone.get("/v1/me").json()["tactics"] == []


def test_the_comparison_group_is_offered_nothing_but_keeps_what_is_always_there(
    platform: Platform,
    tenant: Tenant,
    signed_in: SignedIn,
    make_token: Callable[..., str],
    switch: Callable[..., None],
) -> None:
    switch("enable", holdout=50)
    names = [f"m{number}" for number in range(24)]
    with platform.database.tenant(tenant.id) as scope:
        ids = members.resolve(scope, platform.keyring, names)
        key = switches.activations(scope)["club"].holdout_key
    held = {name for name in names if held_out(key, 50, ids[name])}
    assert 0 < len(held) < len(names)
    for name in names:
        client = signed_in(make_token(tenant, name))
        assert client.get("/v1/me/club/seat").status_code == 200
        assert client.get("/v1/me/club/offer").status_code == (409 if name in held else 200)
        assert command(client, "leave", "k1").status_code == 200
    someone = min(held)
    client = signed_in(make_token(tenant, someone))
    assert_problem(command(client, "join", "k2"), 409, "not-offered")
    with platform.database.tenant(tenant.id) as scope:
        members.put(scope, platform.keyring, someone, exempt=True)
    assert command(client, "join", "k2").status_code == 200


def test_a_suspended_member_is_offered_nothing(
    platform: Platform, tenant: Tenant, phone: httpx2.Client, switch: Callable[..., None]
) -> None:
    switch("enable")
    with platform.database.tenant(tenant.id) as scope:
        scope.connection.execute(text("UPDATE core.member SET suspended_until = now() + interval '1 hour'"))
    assert_problem(command(phone), 409, "not-offered")
    assert phone.get("/v1/me/club/seat").status_code == 200
    with platform.database.tenant(tenant.id) as scope:
        scope.connection.execute(text("UPDATE core.member SET suspended_until = now() - interval '1 second'"))
    assert command(phone).status_code == 200


def test_only_a_member_token_opens_a_members_route(
    client: httpx2.Client,
    signed_in: SignedIn,
    make_key: Callable[..., str],
    tenant: Tenant,
    switch: Callable[..., None],
) -> None:
    switch("enable")
    server = signed_in(make_key(tenant, "manage", "read", "ingest"))
    assert_problem(server.get("/v1/me/club/seat"), 403)
    assert_problem(server.get("/v1/me"), 403)
    assert_problem(client.get("/v1/me/club/seat"), 401)
    assert_problem(command(client), 401)


def test_the_other_method_and_unknown_paths_are_problems(
    phone: httpx2.Client, switch: Callable[..., None]
) -> None:
    switch("enable")
    assert_problem(phone.get("/v1/me/club/join"), 405)
    assert_problem(phone.post("/v1/me/club/seat", headers={"Idempotency-Key": "k"}), 405)
    assert_problem(phone.get("/v1/me/club/nothing"), 404)
    assert_problem(phone.get("/v1/me/nothing/seat"), 404)


# Commands


@pytest.mark.parametrize("key", [None, "", "k" * 256])
def test_a_command_needs_an_idempotency_key(
    platform: Platform, tenant: Tenant, phone: httpx2.Client, switch: Callable[..., None], key: str | None
) -> None:
    switch("enable")
    body = assert_problem(command(phone, key=key), 422)
    assert body["errors"][0]["field"] == "Idempotency-Key"
    assert emitted(platform, tenant) == []


def test_a_command_repeated_sixteen_times_at_once_happens_once(
    platform: Platform,
    tenant: Tenant,
    signed_in: SignedIn,
    make_token: Callable[..., str],
    switch: Callable[..., None],
) -> None:
    switch("enable")
    token, start = make_token(tenant, "m1"), threading.Barrier(16)
    answers: list[httpx2.Response] = []

    def send(client: httpx2.Client) -> None:
        start.wait()
        answers.append(command(client))

    threads = [threading.Thread(target=send, args=(signed_in(token),)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(answer.status_code for answer in answers) == {200: 16}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 15
    assert emitted(platform, tenant) == ["2"]


def test_different_keys_are_different_commands(
    platform: Platform, tenant: Tenant, phone: httpx2.Client, switch: Callable[..., None]
) -> None:
    switch("enable")
    for key in ("k1", "k2", "k1"):
        assert command(phone, key=key).status_code == 200
    assert emitted(platform, tenant) == ["2", "2"]


@pytest.mark.parametrize(
    ("path", "body"), [("join", {"seats": 3}), ("join", {"seats": 2, "note": "x"}), ("leave", {"seats": 2})]
)
def test_a_key_with_another_request_is_refused(
    platform: Platform,
    tenant: Tenant,
    phone: httpx2.Client,
    switch: Callable[..., None],
    path: str,
    body: dict[str, Any],
) -> None:
    switch("enable")
    assert command(phone).status_code == 200
    assert_problem(command(phone, path, "k", body), 422, "idempotency-key-reused")
    assert emitted(platform, tenant) == ["2"]


def test_two_members_may_use_the_same_key(
    platform: Platform,
    tenant: Tenant,
    signed_in: SignedIn,
    make_token: Callable[..., str],
    switch: Callable[..., None],
) -> None:
    switch("enable")
    answers = [command(signed_in(make_token(tenant, name))) for name in ("m1", "m2")]
    assert len({answer.json()["member"] for answer in answers}) == 2
    assert emitted(platform, tenant) == ["2", "2"]


def test_a_refusal_is_a_409_that_leaves_nothing_not_even_its_key(
    platform: Platform, tenant: Tenant, phone: httpx2.Client, switch: Callable[..., None]
) -> None:
    switch("enable")
    body = assert_problem(command(phone, "refuse"), 409, "club-full")
    assert body["detail"] == "the club is full"
    assert emitted(platform, tenant) == kept_keys(platform, tenant) == []


def test_an_exception_is_a_500_that_leaves_nothing_and_tells_nothing(
    platform: Platform,
    tenant: Tenant,
    phone: httpx2.Client,
    switch: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    switch("enable")
    monkeypatch.setattr(Club, "fails", 1)
    answer = command(phone, "shake")
    assert_problem(answer, 500, "unexpected")
    assert "secret detail" not in answer.text
    assert emitted(platform, tenant) == kept_keys(platform, tenant) == []
    assert command(phone, "shake").status_code == 200, "the same key may try again"
    assert (emitted(platform, tenant), kept_keys(platform, tenant)) == (["1"], ["k"])


# Parameters


def test_parameters_arrive_as_their_types(
    phone: httpx2.Client, tenant: Tenant, switch: Callable[..., None]
) -> None:
    switch("enable")
    answer = phone.get("/v1/me/club/page/7?limit=5&word=茶")
    assert answer.json() == {"number": 7, "limit": 5, "word": "茶", "store": tenant.store.slug}


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("page/seven", "number"),
        ("page/1.5", "number"),
        ("page/1?limit=0", "limit"),
        ("page/1?limit=101", "limit"),
        ("page/1?limit=1e400", "limit"),
        ("page/1?limit=" + "9" * 5000, "limit"),
        ("page/%00", "number"),
        ("page/1?word=abcdef", "word"),
    ],
)
def test_a_wrong_parameter_is_named(
    phone: httpx2.Client, switch: Callable[..., None], path: str, field: str
) -> None:
    switch("enable")
    body = assert_problem(phone.get(f"/v1/me/club/{path}"), 422)
    assert [found["field"] for found in body["errors"]] == [field]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"seats":0}', "seats"),
        (b'{"seats":11}', "seats"),
        (b'{"seats":1e400}', "seats"),
        (b'{"seats":NaN}', "seats"),
        (b'{"seats":9223372036854775808}', "seats"),
        (b"{}", "seats"),
        (b'{"seats":1,"note":"' + b"x" * 21 + b'"}', "note"),
        (b'{"seats":1,"note":"\\ud800"}', "note"),
        (b"[]", "body"),
        (b"", "body"),
        (b"null", "body"),
    ],
)
def test_a_wrong_body_is_named_and_nothing_happens(
    platform: Platform, tenant: Tenant, phone: httpx2.Client, switch: Callable[..., None], body: bytes, field: str
) -> None:
    switch("enable")
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    problem = assert_problem(phone.post("/v1/me/club/join", content=body, headers=headers), 422)
    assert [found["field"] for found in problem["errors"]] == [field]
    assert emitted(platform, tenant) == []


# Declarations


def test_the_api_description_holds_the_routes_and_every_reference_in_it_leads_somewhere(
    client: httpx2.Client,
) -> None:
    answer = client.get("/v1/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    described = json.loads(answer.content)
    join = described["paths"]["/v1/me/club/join"]["post"]
    assert (join["summary"], join["tags"]) == ("Join", ["club"])
    header = next(found for found in join["parameters"] if found["in"] == "header")
    assert (header["name"], header["required"]) == ("Idempotency-Key", True)
    assert join["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/Order")
    assert described["components"]["schemas"]["Order"]["properties"]["seats"]["maximum"] == 10
    page = described["paths"]["/v1/me/club/page/{number}"]["get"]
    assert {found["name"] for found in page["parameters"]} == {"number", "limit", "word"}
    assert {"/v1/events", "/v1/me", "/v1/tactics", "/v1/members/{external_id}"} <= described["paths"].keys()
    names = [
        operation["operationId"]
        for path in described["paths"].values()
        for operation in path.values()
        if "operationId" in operation
    ]
    assert len(names) == len(set(names))

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    found = set(references(described))
    assert "#/components/schemas/CloudEvent" in found
    for reference in found:
        target = described
        for name in reference.removeprefix("#/").split("/"):
            assert name in target, reference
            target = target[name]


async def waits(ctx: Context[Any]) -> None:
    del ctx


def plain(ctx: Context[Any]) -> None:
    del ctx


def untold(ctx: Context[Any]):
    del ctx


def takes_request(ctx: Context[Any], request: int) -> None:
    del ctx, request


def takes_a_stranger(ctx: Context[Any], thread: threading.Thread) -> None:
    del ctx, thread


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        (get("/x", waits, summary="Waits"), "must be a plain def"),
        (post("/x", waits, summary="Waits"), "must be a plain def"),
        (get("x", plain, summary="No slash"), "must begin with a slash"),
    ],
)
def test_a_route_that_core_cannot_serve_quarantines_its_plugin_at_load(route: Route, reason: str) -> None:
    registry = Registry.load([("broken", Broken(route)), ("club", Club())])
    assert [plugin.id for plugin in registry] == ["club"]
    assert reason in registry.quarantined["broken"].reason


@pytest.mark.parametrize(
    "route",
    [
        get("/x", untold, summary="No annotation"),
        get("/x", takes_request, summary="A name of core's"),
        get("/x", takes_a_stranger, summary="A parameter that no request holds"),
    ],
    ids=lambda route: route.summary,
)
def test_a_route_that_fastapi_refuses_quarantines_its_plugin_and_the_others_are_served(
    open_platform: Callable[..., Platform], route: Route
) -> None:
    platform = open_platform(registry=Registry.load([("broken", Broken(route)), ("club", Club())]))
    assert "broken" in platform.registry
    app = create_app(platform)
    assert "its routes cannot be served" in app.state.platform.registry.quarantined["broken"].reason
    with serving(platform) as url, httpx2.Client(base_url=url) as client:
        ready = client.get("/readyz")
        assert (ready.status_code, list(ready.json()["quarantined"])) == (200, ["broken"])
        described = client.get("/v1/openapi.json").json()["paths"]
        assert "/v1/me/club/join" in described
        assert "/v1/me/broken/x" not in described
        token = keys.sign_token(platform.keyring, 1, 1, "m1", timedelta(hours=1))[0]
        headers = {"Authorization": f"Bearer {token}"}
        assert_problem(client.get("/v1/me/broken/x", headers=headers), 404)


class Secretive(BaseModel):
    """An answer that pydantic can write and not describe."""

    call: Callable[[], int] | None = None


def undescribed(ctx: Context[Any]) -> Secretive:
    del ctx
    return Secretive()


def test_a_plugin_whose_types_have_no_description_is_served_and_left_out_of_it(
    open_platform: Callable[..., Platform],
) -> None:
    route = get("/x", undescribed, summary="An answer without a description")
    platform = open_platform(registry=Registry.load([("broken", Broken(route)), ("club", Club())]))
    with serving(platform) as url, httpx2.Client(base_url=url) as client:
        assert not client.get("/readyz").json()["quarantined"]
        answer = client.get("/v1/openapi.json")
        assert answer.status_code == 200
        paths = answer.json()["paths"].keys()
        assert {"/v1/me/club/join", "/v1/events"} <= paths
        assert not [path for path in paths if "broken" in path]
