"""Whatever is sent to whatever route: a problem that says what is wrong, never a 5xx, and no memory to speak of.

The routes come from the OpenAPI document, so a new one is covered by being there.
"""

import copy
import itertools
import json
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import JSON, BigInteger, cast, literal, select

from threepeat.events.platform import Platform
from threepeat.events.stores import open_store
from threepeat.http.config import HttpConfig
from threepeat.plugins import Registry
from threepeat.plugins.registry import GROUP, entry_points
from threepeat.sdk import Context, Manifest, Plugin, PluginSettings, Route, get, hookimpl, post
from threepeat.tenancy import keys, members
from threepeat.testing.fixtures import serving
from threepeat.testing.hostile import ADDRESSES, IMPOSSIBLE, ODD

MOST_SECONDS = 5
MOST_ANSWER = 64 * 1024

OTHERS = "/v1/operator"
"""Needs another credential than a store's, and is tried where it is made."""
READERS = {"/v1/events", "/v1/me/keeper/keep"}
"""Where bodies are read in a way of their own: events one by one, and a model with a field of each kind."""
OF_PLUGINS = re.compile(r"/v1/(plugins|me)/[a-z]+/")


class Everything(BaseModel):
    """A body with a field of each kind."""

    model_config = ConfigDict(extra="allow")

    text: str = Field(max_length=1000)
    number: int
    share: float
    flag: bool
    moment: Any = None
    free: dict[str, Any] = {}
    several: list[Any] = []


class Keeper(Plugin[PluginSettings]):
    """Gives what it is sent to whoever falls over it: JSON in a transaction, and the answer."""

    manifest = Manifest(id="keeper", kind="tactic", title="Keeper", summary="Takes anything.", holdout="none")
    settings_model = PluginSettings

    @hookimpl
    def routes(self) -> Iterator[Route]:
        yield post("/keep", self.keep, summary="Keeps anything")
        yield get("/find/{number}/{word}", self.find, summary="Finds nothing")

    def keep(self, ctx: Context[PluginSettings], given: Everything) -> dict[str, Any]:
        ctx.db.execute(select(cast(literal(given.model_dump(), JSON), JSON), literal(given.text)))
        return {"kept": given.model_dump()}

    def find(
        self, ctx: Context[PluginSettings], number: int, word: str, page: int = 0, of: str = ""
    ) -> dict[str, Any]:
        ctx.db.execute(
            select(cast(literal(number), BigInteger), literal(word), cast(literal(page), BigInteger), literal(of))
        )
        return {"number": number}


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Every installed plugin, so that its routes are covered too, and the keeper."""
    return Registry.load([*((point.name, point) for point in entry_points(group=GROUP)), ("keeper", Keeper())])


@dataclass(frozen=True)
class Operation:
    """A route as the OpenAPI document describes it."""

    method: str
    path: str
    content: dict[str, Any]
    parameters: tuple[dict[str, Any], ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Api:
    """A server, what it says about itself, and a store to try it on."""

    def __init__(self, client: httpx2.Client, key: str, token: Callable[[str], str]) -> None:
        self.client, self._key, self._token = client, key, token
        self._numbers = itertools.count()
        self.schema = client.get("/v1/openapi.json").json()
        shared = self.schema["components"].get("schemas", {})
        self._shared = shared
        self.operations = [
            Operation(
                method.upper(),
                path,
                found.get("requestBody", {}).get("content", {}),
                tuple(found.get("parameters", ())),
            )
            for path, methods in self.schema["paths"].items()
            if not path.startswith(OTHERS)
            for method, found in methods.items()
        ]

    def example(self, schema: dict[str, Any], name: str = "") -> Any:
        """A value that fits a schema."""
        if name in OF_MODELS:
            return copy.deepcopy(OF_MODELS[name])
        if name in EXAMPLES and "$ref" not in schema and (EXAMPLES[name] is not None or _may_be_null(schema)):
            return EXAMPLES[name]
        if "$ref" in schema:
            value = self.example(self._shared[schema["$ref"].rpartition("/")[2]], name)
        elif "anyOf" in schema:
            value = self.example(next(one for one in schema["anyOf"] if one.get("type") != "null"), name)
        elif "enum" in schema or "const" in schema:
            value = schema.get("const") or schema["enum"][0]
        elif schema.get("type") == "object":
            value = {inner: self.example(one, inner) for inner, one in schema.get("properties", {}).items()}
        elif schema.get("type") == "array":
            value = [self.example(schema.get("items", {}), name)]
        elif schema.get("format") == "date-time":
            value = "2026-01-01T00:00:00Z"
        else:
            value = copy.deepcopy(SCALARS.get(schema.get("type", "")))
            if schema.get("type") in {"integer", "number"}:
                value = schema.get("minimum", value)
        return value

    def address(self, operation: Operation, given: Mapping[str, str]) -> str:
        """The route's address, with good parameters where no others are given."""
        path, query = operation.path, []
        for one in operation.parameters:
            name = one["name"]
            good = quote(str(self.example(one["schema"], name)))
            value = given.get(name, good)
            # Erasing is for good, and any id may lead to the good member by now: only ids that nobody has.
            if name == "external_id" and operation.method == "DELETE":
                value = f"gone{next(self._numbers)}{given.get(name, '')}"
            if one["in"] == "path":
                path = path.replace("{" + name + "}", value)
            elif one["in"] == "query" and name in given:
                query.append(f"{name}={value}")
        return path + ("?" + "&".join(query) if query else "")

    def send(
        self,
        operation: Operation,
        body: bytes | None,
        kind: str | bytes,
        given: Mapping[str, str] = MappingProxyType({}),
    ) -> httpx2.Response:
        """One request, by whoever may, about a member who is there."""
        member = f"gone{next(self._numbers)}" if operation.method == "DELETE" else "m1"
        mine = operation.path.startswith("/v1/me/") or operation.path == "/v1/me"
        headers = {
            "Authorization": f"Bearer {self._token(member) if mine else self._key}",
            "Idempotency-Key": secrets.token_hex(8),
        }
        if body is not None:
            headers["Content-Type"] = kind
        began = time.perf_counter()
        answer = self.client.request(
            operation.method, self.address(operation, given), headers=headers, content=body
        )
        seconds = time.perf_counter() - began
        what = (str(operation), (body or b"")[:200], given, answer.status_code, answer.text[:300])
        assert answer.status_code < 500, what
        assert "x-evil" not in answer.headers, what
        assert seconds < MOST_SECONDS, (seconds, what)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", what
            assert answer.json()["detail"], what
            assert len(answer.content) < MOST_ANSWER, what
        return answer


SCALARS: dict[str, Any] = {"string": "a", "integer": 1, "number": 1, "boolean": False}
EXAMPLES: dict[str, Any] = {
    "specversion": "1.0",
    "type": "page.viewed",
    "source": "shop",
    "subject": "m1",
    "data": {"page": "home", "more": {"deep": ["x"]}},
    "datacontenttype": "application/json",
    "dataschema": None,
    "external_id": "m1",
    "member": "m1",
    "tactic": "keeper",
    "replace": None,
    "revision": None,
    "settings": {},
    "kind": "unionid",
    "purpose": "marketing.sms",
    "time": None,
    "word": "w",
    "of": "x",
    "page": 1,
    "number": 1,
    "limit": 1,
    "item": "1",
    "factor": "2",
    "first_day": "2100-01-01",
    "last_day": "2100-01-01",
}
OF_MODELS: dict[str, Any] = {"audience": {"any": [{"fact": "orders.count", "op": "at_least", "value": 1}]}}
"""Examples of what a schema alone cannot make."""


def _may_be_null(schema: Mapping[str, Any]) -> bool:
    return not schema or {"type": "null"} in schema.get("anyOf", ())


@pytest.fixture(scope="module")
def api(platform: Platform) -> Iterator[Api]:
    tenant = open_store(platform, "hostile", enable=("keeper", "points"), by="test")
    with platform.database.tenant(tenant.id) as scope:
        key = keys.create_key(scope, platform.keyring, "test", ["ingest", "read", "manage"], by="test")
    made: dict[str, str] = {}

    def token(name: str) -> str:
        if name not in made:
            with platform.database.tenant(tenant.id) as scope:
                member = members.put(scope, platform.keyring, name)
            made[name] = keys.sign_token(platform.keyring, tenant.id, member.id, name, keys.MAX_TOKEN_LIFE)[0]
        return made[name]

    off = {f"{who}_{what}": 0 for who in ("key", "member", "tenant") for what in ("requests", "events")}
    with serving(platform, HttpConfig(**off)) as url, httpx2.Client(base_url=url, timeout=60) as client:
        token("m1")
        yield Api(client, key, token)


@pytest.fixture(autouse=True)
def still_good(api: Api) -> Iterator[None]:
    """What is good is taken before and after, so that a refusal is for what is hostile."""
    yield
    kept = next(found for found in api.operations if found.path == "/v1/me/keeper/keep")
    put = next(found for found in api.operations if str(found) == "PUT /v1/members/{external_id}")
    good = {"text": "a", "number": 1, "share": 0.5, "flag": True}
    assert api.send(kept, json.dumps(good).encode(), "application/json").status_code == 200
    assert api.send(put, b"{}", "application/json").status_code == 200


def places(value: Any) -> Iterator[Callable[[Any, Any], Any]]:
    """Every place in a document, as a function that puts something else there."""
    if isinstance(value, dict):
        for key in value:
            yield from ((lambda d, x, k=key, p=put: {**d, k: p(d[k], x)}) for put in places(value[key]))
        yield lambda d, x: {**d, "another": x}
    elif isinstance(value, list):
        yield from ((lambda d, x, p=put: [p(d[0], x), *d[1:]]) for put in (places(value[0]) if value else ()))
    yield lambda _, x: x


HERE = "«here»"


def bodies(example: Any, hostile: bytes) -> Iterator[bytes]:
    """The example with the hostile text in each place, once each."""
    for put in places(example):
        whole = json.dumps(put(copy.deepcopy(example), HERE), ensure_ascii=False)
        yield whole.encode().replace(f'"{HERE}"'.encode(), hostile)


def taken(answer: httpx2.Response) -> bool:
    """Whether anything of it was taken; of a batch of events, that is what the verdict says."""
    if answer.status_code == 207:
        return bool(answer.json()["accepted"])
    return answer.status_code < 300


def test_the_examples_are_good_so_that_what_is_put_into_them_is_what_is_wrong(api: Api) -> None:
    told: Counter[int] = Counter()
    tried = 0
    for operation in api.operations:
        if OF_PLUGINS.match(operation.path):
            continue  # what an item may be, and which there are, its plugin's own tests know
        for kind, content in operation.content.items():
            answer = api.send(operation, json.dumps(api.example(content["schema"])).encode(), kind)
            print(operation, kind, answer.status_code, answer.text[:200])
            told[answer.status_code // 100] += 1
            tried += 1
    assert tried >= 5
    assert told[2] >= tried / 2, told


def tried(api: Api, operation: Operation, schema: dict[str, Any], name: str, *, whole: bool) -> Iterator[bytes]:
    """The bodies that a hostile value is tried in.

    Unless the whole is wanted, a value goes to every place of what has a reader of its own, and to one place of
    any other body, another value to another place.
    """
    hostile = {**IMPOSSIBLE, **ODD}
    every = bodies(api.example(schema), hostile[name])
    if whole or operation.path in READERS:
        yield from every
    else:
        one = [*every]
        yield one[([*hostile].index(name) + api.operations.index(operation)) % len(one)]


WHOLE = pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.long)], ids=["some", "all"])


@WHOLE
@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_cannot_be_is_refused_by_every_route_in_every_place(api: Api, name: str, whole: bool) -> None:
    for operation in api.operations:
        for kind, content in operation.content.items():
            for body in tried(api, operation, content["schema"], name, whole=whole):
                answer = api.send(operation, body, kind)
                events = operation.path == "/v1/events"
                if not events:
                    assert 400 <= answer.status_code < 500, (str(operation), body[:200], answer.text[:200])
                if name in {"NUL", "lone surrogate", "NaN"}:
                    assert not taken(answer), (str(operation), body[:200], answer.text[:200])


@WHOLE
@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=pytest.mark.long) if one.startswith("9,000") else one for one in ODD]
)
def test_what_is_odd_is_taken_or_refused_by_every_route_in_every_place(api: Api, name: str, whole: bool) -> None:
    for operation in api.operations:
        for kind, content in operation.content.items():
            for body in tried(api, operation, content["schema"], name, whole=whole):
                api.send(operation, body, kind)


@WHOLE
@pytest.mark.parametrize("name", ADDRESSES)
def test_a_hostile_address_is_a_problem_on_every_route(api: Api, name: str, whole: bool) -> None:
    tried = 0
    for number, operation in enumerate(api.operations):
        good = next(
            ((k, json.dumps(api.example(c["schema"])).encode()) for k, c in operation.content.items()), None
        )
        places = [one["name"] for one in operation.parameters if one["in"] in {"path", "query"}]
        if places and not whole and OF_PLUGINS.match(operation.path):
            places = [places[([*ADDRESSES].index(name) + number) % len(places)]]
        for place in places:
            kind, body = good or ("application/json", None)
            answer = api.send(operation, body, kind, {place: ADDRESSES[name]})
            tried += 1
            if name == "NUL":
                assert answer.status_code in {404, 422}, (str(operation), answer.text)
    assert tried >= 10


@pytest.mark.parametrize(
    ("kind", "encoding", "status"),
    [
        ("text/plain", None, 415),
        ("application/x-www-form-urlencoded", None, 415),
        ("multipart/form-data; boundary=x", None, 415),
        ("application/xml", None, 415),
        ("application/jsonp", None, 415),
        ("\xff", None, 415),
        ("a" * 5000, None, 415),
        ("application/json", "gzip", 415),
        ("application/json", "identity", None),
    ],
)
def test_a_body_of_another_kind_is_415_on_every_route(
    api: Api, kind: str, encoding: str | None, status: int | None
) -> None:
    for operation in api.operations:
        for content in operation.content.values():
            body = json.dumps(api.example(content["schema"])).encode()
            if encoding:
                api.client.headers["Content-Encoding"] = encoding
            try:
                answer = api.send(operation, body, kind.encode("latin-1"))
            finally:
                api.client.headers.pop("Content-Encoding", None)
            assert (answer.status_code == 415) is (status == 415), (str(operation), answer.text)


def test_the_corpus_bites_where_nobody_looks_through_the_bodies(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threepeat.http.edge._look_through", lambda _: None)
    bitten = []
    for name in ("NUL", "lone surrogate", "10^40", "900 deep", "NaN"):
        try:
            test_what_cannot_be_is_refused_by_every_route_in_every_place(api, name, whole=False)
        except AssertionError:
            bitten.append(name)
    assert len(bitten) >= 3, bitten
