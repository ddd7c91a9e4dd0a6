"""Whatever is sent as a setting is taken and comes back, or is refused with a reason."""

import json
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import httpx2
from pydantic import SecretStr
from structlog.testing import capture_logs

from threepeat.sdk.settings import PluginSettings
from threepeat.tenancy import switches
from threepeat.testing import hostile
from threepeat.testing.conformance.bench import Bench, NotApplicable, Stand
from threepeat.testing.conformance.slots import (
    EDGES,
    MOST_BYTES,
    TRICKY,
    Judged,
    Slot,
    crashes,
    judge,
    odd,
    shown,
    slots,
)

TITLE = "Hostile settings are refused with a reason or come back as they were taken; none is a server error."
FIX = (
    "Give the field a type, bounds and max_length, and let a validator raise ValueError alone: wrap what it calls,"
    " such as ZoneInfo(…), which raises KeyError."
)


def check(bench: Bench) -> Iterator[str]:
    """Ask the model about every value in every field, then send what it takes and what nothing takes."""
    model = bench.installed.plugin.settings_model
    places = slots(model, bench.project.settings)
    if not places:
        raise NotApplicable("it has nothing to set")
    found = judge(model, places)
    yield from (f"the setting {one}" for one in crashes(found))
    stand = bench.store(ready=False)
    with capture_logs() as logs:
        small = [(name, raw) for name, raw in hostile.IMPOSSIBLE.items() if len(raw) < MOST_BYTES]
        for (name, raw), slot in zip(small, cycle(places), strict=False):
            answer = _put(stand, b'{"settings":' + slot.raw(raw) + b"}")
            if answer.status_code < 400 or answer.status_code >= 500:
                yield _told(f"{slot.name} = {shown(name)}", answer, logs)
        for number, name in enumerate((*odd(), *EDGES)):
            yield from _odd(stand, model, name, number, [one for one in found if one.value == name], logs)
    if not (listed := stand.call("GET", "/v1/tactics")).is_success:
        yield f"GET /v1/tactics answers {listed.status_code} afterwards: {listed.text}"


def _odd(
    stand: Stand, model: type[PluginSettings], name: str, number: int, found: list[Judged], logs: list[Any]
) -> Iterator[str]:
    """Send a value in every field that takes it, or in all of them if none does."""
    taking = [one.slot for one in found if one.accepted]
    some = taking or [one.slot for one in found if one.error is None] or [one.slot for one in found]
    if not some:
        return
    together: dict[str, Slot] = {}
    for slot in some[number % len(some) :] + some[: number % len(some)]:
        together.setdefault(slot.top, slot)
    small = len((TRICKY | hostile.ODD).get(name, b"")) < MOST_BYTES
    tries = [list(together.values())[: None if small else 1]] + [
        [slot] for slot in taking[number % max(1, len(taking)) :][:1]
    ]
    for places in tries:
        values = dict(stand.bench.project.settings)
        for slot in places:
            values[slot.top] = slot.put(slot.values[name])[slot.top]
        answer = _put(stand, json.dumps({"settings": values}).encode())
        if answer.status_code >= 500:
            yield _told(f"{', '.join(slot.name for slot in places)} = {shown(name)}", answer, logs)
        elif answer.is_success:
            wrong = _unlike(stand, model, values, answer.json()["settings"])
            yield from (f"the settings with {places[0].name} = {shown(name)} {one}" for one in wrong)
            return


def _put(stand: Stand, content: bytes) -> httpx2.Response:
    place = f"/v1/tactics/{stand.bench.installed.id}/settings"
    headers = {"Authorization": f"Bearer {stand.key}", "Content-Type": "application/json"}
    return stand.bench.http.request("PUT", place, content=content, headers=headers)


def _told(what: str, answer: httpx2.Response, logs: list[Any]) -> str:
    where = next((f": {one['error']}" for one in reversed(logs) if one["event"] == "unexpected error"), "")
    return f"the settings with {what} are answered {answer.status_code}{where}"


def _unlike(
    stand: Stand, model: type[PluginSettings], given: dict[str, Any], answered: dict[str, Any]
) -> Iterator[str]:
    """How what was stored differs from what was taken."""
    meant = model.model_validate(given)
    try:
        with stand.scope() as scope:
            activation = switches.activations(scope)[stand.bench.installed.id]
        stored = stand.platform.settings(stand.tenant, stand.bench.installed, activation)
    except Exception as error:  # noqa: BLE001 - a stranger's model may raise anything
        yield f"are taken, and cannot be read any more: {type(error).__name__}"
        return
    if _open(stored.model_dump(exclude_unset=True)) != _open(meant.model_dump(exclude_unset=True)):
        yield "are taken, and come back as others"
    plain = meant.model_dump(mode="json", exclude_unset=True)
    if unlike := [key for key, value in answered.items() if plain.get(key) != value and not _secret(value)]:
        yield f"are taken, and the answer has another {', '.join(unlike)}"


def _open(value: Any) -> Any:
    """Settings without their secrets: one that is not sent stays as it is."""
    if isinstance(value, dict):
        return {name: _open(one) for name, one in value.items() if not isinstance(one, SecretStr)}
    return value


def _secret(value: object) -> bool:
    """Whether it is a model from which a secret was left out."""
    return isinstance(value, dict)
