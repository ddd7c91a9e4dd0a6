"""Walks through the API: Schemathesis makes the requests, links fill in what earlier answers told, alarms look on.

Who may do what is taken from the reference, so that what it says is also what is enforced.
"""

import importlib.util
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import httpx2
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from tests.fuzz.stores import SHUT, Store, Stores

DOCS = Path(__file__).resolve().parents[2] / "docs"
METHODS = {"get", "put", "post", "delete", "patch"}
UNREADABLE = frozenset({400, 404, 408, 413, 415, 422, 429})
"""What a request may be told before its right is looked at: it cannot be read, leads nowhere, comes too often."""
NAMES = {"subject": "external_id", "into": "external_id", "plugin": "tactic", "template": "vouchers/templates"}
"""Where a field's values come from, if not from its own name."""
IDS = ("external_id", "slug", "tactic", "plan", "code", "template", "series", "group", "item", "order_id")
"""Fields of answers whose values are worth knowing."""
BASES = {"key_id": "keys", "quote_id": "quotes", "erasure_id": "members", "series": "blindbox/series"}
"""Whose ids an address's parameter takes, if not those of what stands before it."""


def _reference() -> Any:
    spec = importlib.util.spec_from_file_location("threepeat_docs_reference", DOCS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = _reference()


@dataclass(frozen=True)
class Operation:
    """A route and method, who may call it, and requests that Schemathesis made for it.

    Attributes:
        rights: `ingest`, `read`, `manage`, `member`, `operator`; `anyone` for all of them and nobody.
    """

    method: str
    path: str
    rights: frozenset[str]
    cases: Sequence[Any] = field(compare=False, repr=False)

    @property
    def label(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        """What stands in braces."""
        return re.findall(r"{(\w+)}", self.path)

    def open_to(self, kind: str) -> bool:
        """Whether a kind of caller has the right."""
        return "anyone" in self.rights or (kind not in SHUT and kind.removeprefix("other ") in self.rights)


def operations(stores: Stores, examples: int, number: int) -> list[Operation]:
    """Every operation of the served API, each with requests that differ from seed to seed.

    Args:
        examples: Good requests of each operation; a third as many bad ones are made besides.
        number: The seed.
    """
    described = httpx2.get(f"{stores.url}/v1/openapi.json", timeout=30).json()
    schema = schemathesis.openapi.from_dict(described)
    plugins = [plugin.id for plugin in stores.platform.registry]
    made = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        one = found.ok()
        tag = described["paths"][one.path][one.method]["tags"][0]
        words = REFERENCE.who_may(one.path, one.method, tag, plugins)
        made.append(Operation(one.method.upper(), one.path, rights(words), _cases(one, examples, number)))
    wanted = {(path, method) for path, found in described["paths"].items() for method in METHODS & set(found)}
    assert {(one.path, one.method.lower()) for one in made} == wanted
    return made


def rights(words: str) -> frozenset[str]:
    """Who may call, read from the words of the reference."""
    known = {"a member token": "member", "an operator's key": "operator", "anyone": "anyone"}
    found = {right for said, right in known.items() if said in words}
    found |= set(re.findall(r"`(ingest|read|manage)`", words))
    assert found, words
    return frozenset(found)


def _cases(operation: Any, examples: int, number: int) -> list[Any]:
    made: list[Any] = []
    for mode, most in ((GenerationMode.POSITIVE, examples), (GenerationMode.NEGATIVE, examples // 3)):
        if not most:
            continue

        @seed(number)
        @settings(
            max_examples=most,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode))
        def collect(case: Any) -> None:
            made.append(case)

        try:
            collect()
        except Exception as error:
            # Nothing that it takes can be wrong.
            if mode is GenerationMode.POSITIVE or "Unsatisfiable" not in type(error).__name__:
                raise
    return made


@dataclass
class Request:
    """A request as it is sent."""

    operation: Operation
    who: str
    given: dict[str, Any]

    @property
    def text(self) -> str:
        """All that the caller says in it."""
        told = {name: value for name, value in self.given.items() if name not in {"headers", "cookies"}}
        return json.dumps(told, default=str, ensure_ascii=False)

    def __str__(self) -> str:
        return f"{self.operation.label} as {self.who}: {self.text[:300]}"


class Walk:
    """Sends requests, learns ids from the answers, and keeps what no answer may be.

    Attributes:
        alarms: What went wrong, one line each.
        statuses: How often each operation gave each status to each kind of caller.
    """

    def __init__(self, stores: Stores, operations: Sequence[Operation], number: int) -> None:
        self.stores = stores
        self.operations = operations
        self.alarms: list[str] = []
        self.statuses: dict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
        self._random = Random(number)
        self._session = requests.Session()
        self._known: dict[str, list[str]] = defaultdict(list)
        self._asked: Counter[tuple[str, str]] = Counter()
        self._told: dict[str, set[str]] = defaultdict(set)
        first = stores.first
        self._known["external_id"] = [f"{first.prefix}-{number}-m" for number in range(2)]
        self._known["slug"] = [store.tenant.store.slug for store in (first, stores.other)]
        self._known["plan"] = ["standard"]

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()

    def reached(self, who: str) -> set[str]:
        """The operations that did for a kind of caller what it asked."""
        return {
            label
            for label, found in self.statuses.items()
            if any(kind == who and status < 300 for kind, status in found)
        }

    # --- Sending ---------------------------------------------------------------------------------------------

    def request(self, operation: Operation, who: str, *, case: Any = None) -> Request:
        """A request of a kind of caller, with ids that answers told."""
        case = case or self._random.choice(operation.cases)
        given = case.as_transport_kwargs(self.stores.url)
        given["headers"] = dict(given["headers"])
        for name in [name for name in given["headers"] if name.lower() == "authorization"]:
            del given["headers"][name]
        if isinstance(given.get("json"), dict | list):
            given["json"] = self._filled(given["json"])
        credential = self.stores.credentials[who]
        if credential is not None:
            given["headers"]["Authorization"] = f"Bearer {credential}"
        address = operation.path
        for name in operation.parameters:
            value = str(case.path_parameters[name])  # escaped already
            known = self._pick(self._source(operation.path, name), "")
            if known and self._random.random() < 0.85:
                value = quote(known, safe="")
            address = address.replace(f"{{{name}}}", value)
        given["url"] = f"{self.stores.url}{address}"
        return Request(operation, who, given)

    def send(self, request: Request) -> requests.Response:
        """Send a request and look at the answer."""
        response = self._session.request(**request.given, timeout=60, allow_redirects=False)
        self.statuses[request.operation.label][request.who, response.status_code] += 1
        for wrong in (*self._broken(response), *self._leaked(request, response)):
            self.alarms.append(f"{wrong}: {request} gave {response.status_code} {response.text[:300]}")
        if request.who in {"manage", "member", "operator"}:
            self._learn(request.operation.path, response)
        return response

    def refuse(self, request: Request) -> None:
        """Send a request of somebody who has no right to it."""
        response = self.send(request)
        # The edge knows who is gone only when the call itself asks.
        allowed = {401} if request.who in SHUT and request.who != "erased" else {401, 403} | UNREADABLE
        if response.status_code not in allowed:
            self.alarms.append(f"no right: {request} gave {response.status_code} {response.text[:300]}")

    # --- Walking ---------------------------------------------------------------------------------------------

    def steps(self, count: int, *, who: Mapping[str, int]) -> None:
        """Go on at random, mostly to where an id that was told leads; everybody does what they have the right to.

        Args:
            count: How many requests.
            who: Kinds of callers, each with how often it is its turn.
        """
        kinds, weights = list(who), list(who.values())
        for number in range(count):
            if number % 40 == 0:
                self.stores.renew()
            kind = self._random.choices(kinds, weights)[0]
            mine = [one for one in self.operations if one.open_to(kind) and "anyone" not in one.rights]
            linked = [one for one in mine if one.parameters and self._leads(one)]
            choice = linked if linked and self._random.random() < 0.5 else mine
            some = self._random.sample(choice, min(4, len(choice)))
            least = min(some, key=lambda one: self._asked[kind, one.label])
            self._asked[kind, least.label] += 1
            self.send(self.request(least, kind))

    def unchanged(self, store: Store, before: Mapping[str, str], why: str) -> None:
        """See that a store's rows are what they were."""
        after = self.stores.rows(store)
        different = sorted(name for name, found in after.items() if before.get(name) != found)
        if different:
            self.alarms.append(f"changed {store.tenant.store.slug}: {', '.join(different)}: {why}")

    def _leads(self, operation: Operation) -> bool:
        return any(self._known.get(self._source(operation.path, name)) for name in operation.parameters)

    def _pick(self, source: str, otherwise: str) -> str:
        known = self._known.get(source)
        return self._random.choice(known[-20:]) if known else otherwise

    def _source(self, path: str, name: str) -> str:
        if name in BASES:
            return BASES[name]
        if name in {"item", "person", "group"}:
            return _base(path.partition(f"/{{{name}}}")[0])
        return NAMES.get(name, name)

    def _filled(self, value: Any, name: str = "") -> Any:
        """A body in which ids that answers told stand where such an id belongs."""
        if isinstance(value, dict):
            return {key: self._filled(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._filled(inner, name) for inner in value]
        if isinstance(value, str) and self._random.random() < 0.8:
            return self._pick(NAMES.get(name, name), value)
        return value

    def _learn(self, path: str, response: requests.Response) -> None:
        if response.status_code >= 300 or "json" not in response.headers.get("content-type", ""):
            return
        base = _base(path)
        for found in _objects(response.json()):
            for name in IDS:
                if isinstance(found.get(name), str):
                    self._remember(name, found[name])
            if isinstance(found.get("id"), str | int):
                self._remember("tactic" if base == "tactics" else base, str(found["id"]))

    def _remember(self, name: str, value: str) -> None:
        if value not in self._known[name]:
            self._known[name].append(value)

    # --- Alarms ----------------------------------------------------------------------------------------------

    def _broken(self, response: requests.Response) -> Iterator[str]:
        if response.status_code >= 500:
            yield "broken"
        if response.status_code >= 400:
            try:
                found = response.json()
                good = (
                    response.headers["content-type"] == "application/problem+json"
                    and found["status"] == response.status_code
                    and {"type", "title", "detail"} <= set(found)
                )
            except (ValueError, KeyError, TypeError):
                good = False
            if not good:
                yield "no problem of RFC 9457"

    def _leaked(self, request: Request, response: requests.Response) -> Iterator[str]:
        """Words of stores that the caller has nothing to do with; but for those that it said itself."""
        if request.who == "operator":
            return
        own = self.stores.other if request.who.startswith("other ") else self.stores.first
        told = self._told[own.prefix]
        told |= _words(request.text) | _words(request.given["url"])
        for store in (self.stores.first, self.stores.other, self.stores.silent):
            if store is own and request.who not in SHUT:
                continue
            foreign = {word for word in _words(response.text) if word.startswith(store.prefix)} - told
            if foreign:
                yield f"a word of {store.tenant.store.slug} ({min(foreign)})"


def _words(text: str) -> set[str]:
    return set(re.findall(r"cnry[a-z]+-\d+-[mz]", text))


def _base(path: str) -> str:
    """The collection that an address is about: `points/bonus_days`, `members`, `staff`."""
    parts = [part for part in path.split("/") if part and not part.startswith("{")]
    if parts[:2] == ["v1", "plugins"]:
        return "/".join(parts[2:4])
    if parts[:2] == ["v1", "operator"] and "staff" in parts:
        return "staff"
    return parts[2] if parts[:2] == ["v1", "operator"] and len(parts) > 2 else "/".join(parts[1:2])


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)
