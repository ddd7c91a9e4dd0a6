"""Whatever members and merchants send to a plugin's routes and collections is answered, and never by an error."""

import inspect
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import Any
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, TypeAdapter, ValidationError
from structlog.testing import capture_logs

from threepeat.sdk.collections import CollectionOf
from threepeat.sdk.records import Route
from threepeat.testing import hostile, samples
from threepeat.testing.conformance.bench import Bench, NotApplicable, Stand
from threepeat.testing.conformance.slots import Judged, crashes, judge, shown, slots

TITLE = "No value that a member or a merchant sends to a plugin's routes and collections is a server error."
FIX = (
    "Give each parameter and field a type with bounds (Query(ge=…, le=…), Field(max_length=…)), read ids with"
    " item_number, and raise Refused for what cannot be done."
)
MOST_REQUESTS = 60
ADDRESSES = {
    "2^63-1": str(2**63 - 1),
    "raised digit": quote("²"),
    "minus one": "-1",
    "date that is none": "2026-02-30",
    **{name: value for name, value in hostile.ADDRESSES.items() if len(value) < 1000},
}
TELLING = (
    "the most",
    "2^63-1",
    "the longest text",
    "control characters",
    "the least",
    "-2^63",
    "raised digit",
    "huge text",
    "minus one",
    "zero",
    "1e308",
    "bidi",
    "empty text",
    "white space",
)
"""What finds most comes first."""
ONE = 1
"""A revision and an item's id where nothing better is known."""


@dataclass(frozen=True)
class _Asked:
    """A request: who asks for what with which value."""

    what: str
    method: str
    path: str
    body: bytes | None = None
    member: bool = False
    changes: "_Item | None" = None


@dataclass
class _Item:
    """An item that is changed, as it stands."""

    id: str
    revision: int


def check(bench: Bench) -> Iterator[str]:
    """Send to every route and collection, in turns, what is most telling, and read all lists afterwards."""
    installed = bench.installed
    if not installed.routes and not installed.collections:
        raise NotApplicable("it has neither routes nor collections")
    stand = bench.store()
    stand.live()
    asked: list[Iterator[_Asked]] = []
    for route in installed.routes:
        model = _body(route)
        form = _Form(model, samples.body(model)) if model is not None else None
        if form is not None:
            yield from form.crashes(f"{route.method} {_place(stand, route)}")
        asked.append(_of_route(stand, route, form))
    for declared in installed.collections.values():
        form = _Form(declared.model, _values(bench, declared))
        yield from form.crashes(f"the collection {declared.name}")
        asked += _of_collection(stand, declared, form)
    token = stand.token()
    with capture_logs() as logs:
        for one in chain(islice(_in_turns(asked), MOST_REQUESTS), _readings(stand)):
            yield from _told(one, _ask(stand, one, token), logs)


def _in_turns(many: Iterable[Iterator[_Asked]]) -> Iterator[_Asked]:
    for turn in zip_longest(*many):
        yield from (one for one in turn if one is not None)


def _ask(stand: Stand, one: _Asked, token: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token if one.member else stand.key}"}
    if one.method == "POST":
        headers["Idempotency-Key"] = secrets.token_hex(8)
    if one.body is not None:
        headers["Content-Type"] = "application/json"
    answer = stand.bench.http.request(one.method, one.path, content=one.body, headers=headers)
    if one.changes is not None and answer.is_success:
        one.changes.revision = answer.json()["revision"]
    return answer


def _told(one: _Asked, answer: httpx2.Response, logs: list[Any]) -> Iterator[str]:
    if answer.status_code >= 500:
        where = next((f": {log['error']}" for log in reversed(logs) if log["event"] == "unexpected error"), "")
        yield f"{one.what} is answered {answer.status_code}{where}"
    logs.clear()


# --- What members ask ----------------------------------------------------------------------------------------


def _place(stand: Stand, route: Route) -> str:
    return f"/v1/me/{stand.bench.installed.id}{route.path}"


def _parameters(route: Route) -> list[inspect.Parameter]:
    return list(inspect.signature(route.handler, eval_str=True).parameters.values())[1:]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _body(route: Route) -> type[BaseModel] | None:
    return next((one.annotation for one in _parameters(route) if _is_model(one.annotation)), None)


def _of_route(stand: Stand, route: Route, form: "_Form | None") -> Iterator[_Asked]:
    place = _place(stand, route)
    plain = [one for one in _parameters(route) if not _is_model(one.annotation)]
    sane = _written(form.whole) if form is not None else None

    def asked(what: str, given: Mapping[str, str], body: bytes | None) -> _Asked:
        path, query = place, []
        for one in plain:
            if f"{{{one.name}}}" in path:
                path = path.replace(f"{{{one.name}}}", given.get(one.name, str(ONE)))
            elif one.name in given or one.default is inspect.Parameter.empty:
                query.append(f"{one.name}={given.get(one.name, str(ONE))}")
        address = path + ("?" + "&".join(query) if query else "")
        return _Asked(f"{route.method} {place} with {what}", route.method, address, body, member=True)

    lists = [iter(_telling(one)) for one in plain]
    addresses = (
        asked(f"{name} = {ADDRESSES[value]} ({value})", {name: ADDRESSES[value]}, sane)
        for name, value in (found for turn in zip_longest(*lists) for found in turn if found is not None)
    )
    bodies = form.bodies() if form is not None else iter(())
    for turn in zip_longest(addresses, (asked(what, {}, body) for what, body in bodies)):
        yield from (one for one in turn if one is not None)


def _telling(one: inspect.Parameter) -> list[tuple[str, str]]:
    """The values that reach the handler first, then one that does not."""
    adapter = TypeAdapter(one.annotation)
    reaching: list[tuple[str, str]] = []
    refused: list[tuple[str, str]] = []
    for name, value in ADDRESSES.items():
        text = value if value.isascii() and "%" not in value else name
        try:
            adapter.validate_python(text)
        except ValidationError:
            refused.append((one.name, name))
        except Exception:  # noqa: BLE001 - a stranger's type; over HTTP it will show
            reaching.insert(0, (one.name, name))
        else:
            reaching.append((one.name, name))
    return [*reaching, *refused[:1]]


# --- What merchants ask --------------------------------------------------------------------------------------


def _values(bench: Bench, declared: CollectionOf[Any]) -> dict[str, Any]:
    """The values of an item that can be made."""
    named = [one["values"] for one in bench.project.collections if one["name"] == declared.name]
    return dict(named[0]) if named else samples.body(declared.model)


def _of_collection(stand: Stand, declared: CollectionOf[Any], form: "_Form") -> Iterator[Iterator[_Asked]]:
    place = f"/v1/plugins/{stand.bench.installed.id}/{declared.name}"
    item = _made(stand, place, declared, form.whole)
    step = {"revision": item.revision}
    ways: list[tuple[str, str, Mapping[str, Any] | None]] = [
        ("GET", "", None),
        *([("PUT", "", {**step, "values": dict(form.whole)})] if declared.update is not None else ()),
        *(("POST", f"/{name}", step) for name in declared.actions),
        *([("GET", "/file", None)] if declared.download is not None else ()),
    ]

    def ask(method: str, path: str, what: str, body: bytes | None = None, changes: _Item | None = None) -> _Asked:
        return _Asked(f"{method} {place}{path} with {what}", method, place + path, body, changes=changes)

    yield (
        ask("GET", f"?{key}={value}", f"{key} = {value} ({name})")
        for key in ("after", "search", "state")
        for name, value in ADDRESSES.items()
    )
    yield (
        ask(method, f"/{value}{tail}", f"the item {value} ({name})", _written(body) if body is not None else None)
        for name, value in ADDRESSES.items()
        for method, tail, body in ways
    )
    if declared.create is not None:
        yield (ask("POST", "", what, b'{"values":' + body + b"}") for what, body in form.bodies())
    if declared.update is not None:
        yield (
            ask("PUT", f"/{item.id}", what, b'{"revision":%d,"values":' % item.revision + body + b"}", item)
            for what, body in form.bodies()
        )


def _made(stand: Stand, place: str, declared: CollectionOf[Any], values: Mapping[str, Any]) -> _Item:
    """An item to be changed: a new one if one can be made, else the first that is there."""
    answer = stand.call("POST", place, {"values": dict(values)}) if declared.create is not None else None
    if answer is not None and answer.is_success:
        return _Item(answer.json()["id"], answer.json()["revision"])
    listed = stand.call("GET", place)
    there = listed.json()["items"] if listed.is_success else []
    return _Item(there[0]["id"], there[0]["revision"]) if there else _Item(str(ONE), ONE)


def _readings(stand: Stand) -> Iterator[_Asked]:
    """Everything that shows what was stored."""
    for name in stand.bench.installed.collections:
        place = f"/v1/plugins/{stand.bench.installed.id}/{name}"
        yield _Asked(f"GET {place} after what was stored", "GET", place)
    for route in stand.bench.installed.routes:
        if route.method == "GET" and "{" not in route.path:
            place = _place(stand, route)
            yield _Asked(f"GET {place} after what was stored", "GET", place, member=True)


# --- Bodies --------------------------------------------------------------------------------------------------


class _Form:
    """A model, a document that it takes, and what it makes of odd values."""

    def __init__(self, model: type[BaseModel], whole: Mapping[str, Any]) -> None:
        self.whole = whole
        self._model = model
        self._places = slots(model, whole)
        self._judged = judge(model, self._places)

    def crashes(self, where: str) -> Iterator[str]:
        """What its validators raise that they may not."""
        yield from (f"{where}, field {one}" for one in crashes(self._judged))

    def bodies(self) -> Iterator[tuple[str, bytes]]:
        """Documents that it takes: odd in all places at once, then in one; and some that nothing takes."""
        taken = sorted((one for one in self._judged if one.accepted), key=_rank)
        at = {slot.name: [one for one in taken if one.slot is slot] for slot in self._places}
        for number in range(2):
            if both := self._together(at, number):
                yield both
        refused = zip(self._places, ("lone surrogate", "2^63"), strict=False)
        singles = (one for turn in zip_longest(*at.values()) for one in turn if one is not None)
        for first in islice(singles, 4):
            yield self._single(first)
        for slot, name in refused:
            yield f"{slot.name} = {shown(name)}", slot.raw(hostile.IMPOSSIBLE[name])
        yield from map(self._single, singles)

    def _single(self, one: Judged) -> tuple[str, bytes]:
        return f"{one.slot.name} = {shown(one.value)}", _written(one.slot.put(one.slot.values[one.value]))

    def _together(self, at: Mapping[str, list[Judged]], number: int) -> tuple[str, bytes] | None:
        values, what = dict(self.whole), []
        for name, found in at.items():
            if "." not in name and found:
                one = found[number % len(found)]
                values[name] = one.slot.values[one.value]
                what.append(f"{name} = {shown(one.value)}")
        try:
            self._model.model_validate(values)
        except Exception:  # noqa: BLE001 - they do not go together; one at a time will tell more
            return None
        return (", ".join(what), _written(values)) if len(what) > 1 else None


def _rank(one: Judged) -> int:
    return TELLING.index(one.value) if one.value in TELLING else len(TELLING)


def _written(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values).encode()
