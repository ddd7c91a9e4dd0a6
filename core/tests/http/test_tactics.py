import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar

import httpx2
import pytest
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from threepeat.events.platform import Platform
from threepeat.plugins import Registry
from threepeat.sdk import Context, Manifest, Plugin, PluginSettings, SecretStr, hookimpl
from threepeat.tenancy import switches, tenants
from threepeat.tenancy.errors import CapReached
from threepeat.tenancy.switches import SwitchState
from threepeat.tenancy.tenants import Tenant

SignedIn = Callable[[str], httpx2.Client]
IDS = ["t1", "t2", "t3", "t4", "t5"]


class Hook(BaseModel):
    url: str = ""
    token: SecretStr | None = None


class Settings(PluginSettings):
    rate: int = Field(default=1, ge=1, le=100)
    label: str = Field(default="", max_length=20)
    ratio: float = 1.0
    share: float | None = None
    token: SecretStr | None = None
    hook: Hook = Hook()
    other: Hook | None = None

    @model_validator(mode="after")
    def _a_signed_label_needs_a_token(self) -> "Settings":
        if self.label == "signed" and self.token is None:
            raise ValueError("a signed label needs a token")
        return self


class Toy(Plugin[Settings]):
    settings_model = Settings
    calls: ClassVar[dict[tuple[int, str], list[str]]] = defaultdict(list)
    debts: ClassVar[dict[tuple[int, str], list[str]]] = defaultdict(list)

    def __init__(self, name: str, **label: Any) -> None:
        self.manifest = Manifest(id=name, kind="tactic", title=name.upper(), summary="A toy.", **label)

    def told(self, ctx: Context[Settings], hook: str) -> None:
        self.calls[ctx.tenant.id, self.manifest.id].append(hook)

    @hookimpl
    def on_enabled(self, ctx: Context[Settings]) -> None:
        self.told(ctx, "on_enabled")

    @hookimpl
    def on_closing(self, ctx: Context[Settings]) -> None:
        self.told(ctx, "on_closing")

    @hookimpl
    def open_obligations(self, ctx: Context[Settings]) -> Iterable[str]:
        return self.debts[ctx.tenant.id, self.manifest.id]

    @hookimpl
    def on_disabled(self, ctx: Context[Settings]) -> None:
        self.told(ctx, "on_disabled")


class Forgetful(Toy):
    def routes(self) -> Iterable[Any]:  # without @hookimpl, so it is quarantined
        return ()


def toys() -> Registry:
    plugins: list[Toy] = [*map(Toy, IDS), Toy("crowd", holdout="none"), Forgetful("broken")]
    return Registry.load((plugin.manifest.id, plugin) for plugin in plugins)


@pytest.fixture(scope="module")
def registry() -> Registry:
    made = toys()
    assert made.quarantined.keys() == {"broken"}
    return made


@pytest.fixture(autouse=True)
def forget() -> None:
    Toy.calls.clear()
    Toy.debts.clear()


def enable(client: httpx2.Client, tactic: str, replace: str | None = None, **headers: str) -> httpx2.Response:
    body = {"replace": replace} if replace is not None else None
    return client.post(f"/v1/tactics/{tactic}/enable", json=body, headers=headers)


def disable(client: httpx2.Client, tactic: str) -> httpx2.Response:
    return client.post(f"/v1/tactics/{tactic}/disable")


def put(client: httpx2.Client, settings: Any, tactic: str = "t1", **more: Any) -> httpx2.Response:
    return client.put(f"/v1/tactics/{tactic}/settings", json={"settings": settings, **more})


def listed(client: httpx2.Client) -> dict[str, dict[str, Any]]:
    answer = client.get("/v1/tactics")
    assert answer.status_code == 200
    return {tactic["id"]: tactic for tactic in answer.json()["tactics"]}


def states(client: httpx2.Client) -> dict[str, str]:
    return {name: tactic["state"] for name, tactic in listed(client).items() if tactic["state"] != "off"}


def assert_problem(answer: httpx2.Response, status: int, field: str | None = None) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    if field is not None:
        assert [found["field"] for found in body["errors"]] == [field], body
    return body


def together(work: Sequence[Callable[[], httpx2.Response]]) -> list[httpx2.Response]:
    """Do all at the same moment, each in a thread."""
    start = threading.Barrier(len(work))
    answers: list[httpx2.Response | None] = [None] * len(work)

    def run(number: int) -> None:
        start.wait()
        answers[number] = work[number]()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in answers
    return [answer for answer in answers if answer is not None]


def stored(platform: Platform, tenant: Tenant, tactic: str = "t1") -> str:
    with platform.database.tenant(tenant.id) as scope:
        statement = text("SELECT a::text FROM core.activation a WHERE plugin = :plugin")
        return str(scope.connection.execute(statement, {"plugin": tactic}).scalar_one())


# Switching


def test_every_installed_tactic_is_listed_and_a_quarantined_one_is_not(manager: httpx2.Client) -> None:
    answer = manager.get("/v1/tactics").json()
    assert answer["cap"] == 3
    assert {tactic["id"] for tactic in answer["tactics"]} == {*IDS, "crowd"}
    for tactic in answer["tactics"]:
        assert (tactic["state"], tactic["slot"], tactic["allowed"]) == ("off", None, True)
        assert (tactic["settings"], tactic["secrets"]["token"]) == ({}, False)
        assert tactic["settings_schema"]["properties"]["rate"]["maximum"] == 100


def test_enabling_takes_a_slot_and_tells_the_plugin_once(manager: httpx2.Client, tenant: Tenant) -> None:
    first = enable(manager, "t1").json()
    assert (first["state"], first["slot"], first["holdout_percent"]) == ("enabled", 1, 10)
    again = enable(manager, "t1").json()
    assert again == first
    assert Toy.calls[tenant.id, "t1"] == ["on_enabled"]
    assert enable(manager, "crowd").json()["holdout_percent"] == 0


def test_the_fourth_is_refused_and_the_three_are_named(manager: httpx2.Client, tenant: Tenant) -> None:
    for tactic in ("t3", "t1", "t2"):
        assert enable(manager, tactic).status_code == 200
    body = assert_problem(enable(manager, "t4"), 409)
    assert (body["type"], body["cap"]) == ("urn:threepeat:problem:cap-reached", 3)
    assert body["enabled"] == ["t3", "t1", "t2"]
    assert all(name in body["detail"] for name in ("t1", "t2", "t3"))
    assert states(manager) == {"t1": "enabled", "t2": "enabled", "t3": "enabled"}
    assert Toy.calls[tenant.id, "t4"] == []


def test_a_swap_takes_over_the_slot(manager: httpx2.Client, tenant: Tenant) -> None:
    for tactic in ("t1", "t2", "t3"):
        enable(manager, tactic)
    swapped = enable(manager, "t4", "t2").json()
    assert (swapped["state"], swapped["slot"]) == ("enabled", 2)
    assert states(manager) == {"t1": "enabled", "t3": "enabled", "t4": "enabled"}
    assert Toy.calls[tenant.id, "t2"] == ["on_enabled", "on_closing", "on_disabled"]


@pytest.mark.parametrize("replace", ["t5", "t4", "crowd", "nothing", "broken", "", "a\0b", "x" * 10_000, "'; --"])
def test_a_swap_for_what_is_not_on_is_refused_and_changes_nothing(manager: httpx2.Client, replace: str) -> None:
    for tactic in ("t1", "t2", "t3"):
        enable(manager, tactic)
    assert_problem(enable(manager, "t4", replace), 422)
    assert states(manager) == {"t1": "enabled", "t2": "enabled", "t3": "enabled"}


def test_half_a_surrogate_pair_to_replace_is_a_problem(manager: httpx2.Client) -> None:
    answer = manager.post(
        "/v1/tactics/t1/enable", content=b'{"replace":"\\ud800"}', headers={"Content-Type": "application/json"}
    )
    assert_problem(answer, 422)


@pytest.mark.parametrize(
    ("tactic", "status"),
    [("nothing", 404), ("%00", 404), ("%ff", 404), ("core", 404), ("broken", 403), ("T1", 404)],
)
def test_what_cannot_be_enabled_says_why(manager: httpx2.Client, tactic: str, status: int) -> None:
    body = assert_problem(enable(manager, tactic), status)
    if tactic == "broken":
        assert "routes overrides a hook without @hookimpl" in body["detail"]
    assert_problem(put(manager, {}, tactic), status)
    assert_problem(disable(manager, tactic), 404)


def test_what_the_operator_does_not_allow_stays_off(
    platform: Platform, manager: httpx2.Client, tenant: Tenant
) -> None:
    with platform.database.tenant(tenant.id) as scope:
        switches.allow(scope, "t1", allowed=False, by="test")
    assert "operator" in assert_problem(enable(manager, "t1"), 403)["detail"]
    assert_problem(put(manager, {"rate": 2}), 403)
    assert listed(manager)["t1"]["allowed"] is False
    with platform.database.tenant(tenant.id) as scope:
        switches.allow(scope, "t1", allowed=True, by="test")
    assert enable(manager, "t1").status_code == 200


def test_a_tactic_that_owes_nothing_is_off_at_once(manager: httpx2.Client, tenant: Tenant) -> None:
    enable(manager, "t1")
    body = disable(manager, "t1").json()
    assert (body["state"], body["slot"]) == ("off", None)
    assert Toy.calls[tenant.id, "t1"] == ["on_enabled", "on_closing", "on_disabled"]
    assert disable(manager, "t1").json()["state"] == "off"
    assert len(Toy.calls[tenant.id, "t1"]) == 3


def test_a_tactic_that_owes_something_is_closing_and_frees_its_slot(
    manager: httpx2.Client, tenant: Tenant
) -> None:
    for tactic in ("t1", "t2", "t3"):
        enable(manager, tactic)
    Toy.debts[tenant.id, "t2"] = ["a member holds points"]
    body = disable(manager, "t2").json()
    assert (body["state"], body["slot"]) == ("closing", None)
    assert Toy.calls[tenant.id, "t2"] == ["on_enabled", "on_closing"]
    assert enable(manager, "t4").json()["slot"] == 2
    assert_problem(enable(manager, "t2"), 409)
    Toy.debts.clear()
    assert disable(manager, "t2").json()["state"] == "off"


def test_a_closing_tactic_can_be_enabled_again(manager: httpx2.Client, tenant: Tenant) -> None:
    enable(manager, "t1")
    Toy.debts[tenant.id, "t1"] = ["something"]
    disable(manager, "t1")
    assert enable(manager, "t1").json()["state"] == "enabled"


def test_disabling_what_was_never_on_is_404(manager: httpx2.Client) -> None:
    assert_problem(disable(manager, "t1"), 404)


def test_a_key_that_only_reads_cannot_switch(
    signed_in: SignedIn, make_key: Callable[..., str], tenant: Tenant
) -> None:
    reader = signed_in(make_key(tenant, "read"))
    assert listed(reader)
    for answer in (enable(reader, "t1"), disable(reader, "t1"), put(reader, {})):
        assert_problem(answer, 403)


# Races


@pytest.mark.parametrize("turn", range(3))
def test_threads_that_enable_five_tactics_never_exceed_the_cap(
    manager: httpx2.Client, signed_in: SignedIn, make_key: Callable[..., str], tenant: Tenant, turn: int
) -> None:
    key = make_key(tenant, "manage")
    wanted = [IDS[(number + turn) % 5] for number in range(8)]
    answers = together([partial(enable, signed_in(key), one) for one in wanted])
    assert {answer.status_code for answer in answers} == {200, 409}
    on = {answer.json()["id"] for answer in answers if answer.status_code == 200}
    assert states(manager) == dict.fromkeys(on, "enabled")
    assert len(on) == 3
    assert sorted(tactic["slot"] for tactic in listed(manager).values() if tactic["slot"]) == [1, 2, 3]
    for answer in answers:
        if answer.status_code == 409:
            assert set(answer.json()["enabled"]) == on
    for tactic in IDS:
        assert Toy.calls[tenant.id, tactic] == (["on_enabled"] if tactic in on else [])


def test_without_the_unique_slot_two_who_do_not_see_each_other_would_exceed_the_cap(
    open_platform: Callable[..., Platform], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Switches of a store happen one after the other; here the index has to hold alone.
    monkeypatch.setattr(switches, "CLOSE_OFF", text("SELECT :tenant"))
    platform = open_platform(registry=toys())
    with platform.database.ops.begin() as ops:
        shops = [tenants.create(ops, slug, by="test") for slug in ("held", "broken")]

    def race(tenant: Tenant) -> int:
        def turn_on(scope: Any, tactic: str) -> None:
            switches.enable(scope, tenant, platform.registry, tactic, by="test", act=platform.act)

        with platform.database.tenant(tenant.id) as slow, platform.database.tenant(tenant.id) as fast:
            fast.connection.execute(text("SET LOCAL lock_timeout = '200ms'"))
            for tactic in ("t1", "t2", "t3"):
                turn_on(slow, tactic)
            with suppress(OperationalError), fast.connection.begin_nested():
                turn_on(fast, "t4")
        with platform.database.tenant(tenant.id) as scope:
            return sum(one.slot is not None for one in switches.activations(scope).values())

    assert race(shops[0]) == 3
    with platform.database.owner.begin() as owner:
        owner.execute(text("DROP INDEX core.activation_slot"))
    assert race(shops[1]) == 4


@pytest.mark.parametrize("turn", range(4))
def test_of_two_swaps_for_one_slot_one_wins_and_the_other_is_told(
    manager: httpx2.Client, signed_in: SignedIn, make_key: Callable[..., str], tenant: Tenant, turn: int
) -> None:
    key = make_key(tenant, "manage")
    for tactic in ("t1", "t2", "t3"):
        enable(manager, tactic)
    gone = f"t{turn % 3 + 1}"
    answers = together([partial(enable, signed_in(key), one, gone) for one in ("t4", "t5")])
    won, lost = sorted(answers, key=lambda answer: answer.status_code)
    assert won.status_code == 200
    assert_problem(lost, 422, "replace")
    on = {"t1", "t2", "t3", won.json()["id"]} - {gone}
    assert states(manager) == dict.fromkeys(on, "enabled")
    assert Toy.calls[tenant.id, gone] == ["on_enabled", "on_closing", "on_disabled"]


def test_swaps_that_cross_do_not_deadlock(
    manager: httpx2.Client, signed_in: SignedIn, make_key: Callable[..., str], tenant: Tenant
) -> None:
    key = make_key(tenant, "manage")
    for tactic in ("t1", "t2", "t3"):
        enable(manager, tactic)
    pairs = [("t4", "t1"), ("t1", "t4"), ("t5", "t2"), ("t2", "t5"), ("t4", "t3"), ("t3", "t4")]
    clients = [signed_in(key) for _ in pairs]
    for _ in range(3):
        answers = together(
            [partial(enable, to, wanted, gone) for (wanted, gone), to in zip(pairs, clients, strict=True)]
        )
        assert {answer.status_code for answer in answers} <= {200, 409, 422}
        assert len(states(manager)) == 3


def test_a_tactic_that_was_quarantined_while_it_was_on_can_give_its_slot_back(
    open_platform: Callable[..., Platform],
) -> None:
    platform = open_platform(registry=toys())
    with platform.database.ops.begin() as ops:
        tenant = tenants.create(ops, "shop", by="test")
    with platform.database.tenant(tenant.id) as scope:
        for tactic in ("t1", "t2", "t3"):
            switches.enable(scope, tenant, platform.registry, tactic, by="test", act=platform.act)
    without = platform.registry.quarantine({"t1": "its schema is ahead"})
    with platform.database.tenant(tenant.id) as scope, pytest.raises(CapReached):
        switches.enable(scope, tenant, without, "t4", by="test", act=platform.act)
    with platform.database.tenant(tenant.id) as scope:
        switches.enable(scope, tenant, without, "t4", by="test", act=platform.act, replace="t1")
        assert switches.activations(scope)["t1"].state is SwitchState.CLOSING  # nobody can say what it owes
    without = platform.registry.quarantine({"t2": "its schema is ahead"})
    with platform.database.tenant(tenant.id) as scope:
        left = switches.disable(scope, tenant, without, "t2", by="test", act=platform.act)
        assert (left.state, left.slot) == (SwitchState.CLOSING, None)


# Idempotency keys


def test_the_same_key_answers_byte_for_byte_and_acts_once(manager: httpx2.Client, tenant: Tenant) -> None:
    first = enable(manager, "t1", **{"Idempotency-Key": "k"})
    put(manager, {"rate": 7})
    again = enable(manager, "t1", **{"Idempotency-Key": "k"})
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert Toy.calls[tenant.id, "t1"] == ["on_enabled"]
    for other in (
        enable(manager, "t1", "t2", **{"Idempotency-Key": "k"}),
        enable(manager, "t2", **{"Idempotency-Key": "k"}),
        manager.post("/v1/tactics/t1/disable", headers={"Idempotency-Key": "k"}),
    ):
        assert assert_problem(other, 422)["type"] == "urn:threepeat:problem:idempotency-key-reused"


def test_a_refused_command_can_be_repeated_with_its_key(manager: httpx2.Client) -> None:
    for tactic in ("t1", "t2", "t3"):
        enable(manager, tactic)
    assert_problem(enable(manager, "t4", **{"Idempotency-Key": "k"}), 409)
    disable(manager, "t1")
    assert enable(manager, "t4", **{"Idempotency-Key": "k"}).status_code == 200


def test_sixteen_at_once_with_one_key_act_once_and_hear_the_same(
    signed_in: SignedIn, make_key: Callable[..., str], tenant: Tenant
) -> None:
    key = make_key(tenant, "manage")
    clients = [signed_in(key) for _ in range(16)]
    answers = together([partial(enable, to, "t1", **{"Idempotency-Key": "k"}) for to in clients])
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert Toy.calls[tenant.id, "t1"] == ["on_enabled"]


@pytest.mark.parametrize(
    ("key", "status"),
    [
        (b"k" * 255, 200),
        (b"k" * 256, 422),
        (b"", 422),
        (b"'; DROP TABLE core.idempotency; --", 200),
        (b"\xff\xfe\x80", 200),
        ("键😀".encode(), 200),
        (b"a\tb", 200),
        (b"%00%s:tenant", 200),
    ],
)
def test_hostile_keys_are_kept_apart_or_refused(manager: httpx2.Client, key: bytes, status: int) -> None:
    headers = [(b"Idempotency-Key", key)]
    first = manager.post("/v1/tactics/t1/enable", headers=headers)
    assert first.status_code == status, first.text
    if status == 422:
        assert_problem(first, 422, "Idempotency-Key")
    else:
        again = manager.post("/v1/tactics/t1/enable", headers=headers)
        assert again.headers["idempotency-replayed"] == "true"


# Settings


def test_settings_are_saved_shown_and_counted(manager: httpx2.Client) -> None:
    body = put(manager, {"rate": 7, "label": "茶", "hook": {"url": "https://x"}}).json()
    assert (body["settings"], body["revision"]) == ({"rate": 7, "label": "茶", "hook": {"url": "https://x"}}, 2)
    assert listed(manager)["t1"]["settings"] == body["settings"]
    assert put(manager, {"rate": 8}, revision=2).json()["settings"] == {"rate": 8}
    assert listed(manager)["t1"]["state"] == "off"


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"rate": 0}, "settings.rate"),
        ({"rate": 101}, "settings.rate"),
        ({"rate": "many"}, "settings.rate"),
        ({"rate": None}, "settings.rate"),
        ({"rate": 2**63}, "settings.rate"),
        ({"rate": 10**40}, "settings.rate"),
        ({"label": "x" * 21}, "settings.label"),
        ({"label": 7}, "settings.label"),
        ({"hook": {"url": 7}}, "settings.hook.url"),
        ({"hook": {"uri": "x", "url": {}}}, "settings.hook.url"),
        ({"hook": None}, "settings.hook"),
        ({"hook": "x"}, "settings.hook"),
        ({"unknown": 1}, "settings.unknown"),
        ({"token": 7}, "settings.token"),
        ({"label": "signed"}, "settings"),
    ],
)
def test_each_wrong_setting_is_named_and_nothing_is_saved(
    manager: httpx2.Client, settings: dict[str, Any], field: str
) -> None:
    before = put(manager, {"rate": 5}).json()
    assert_problem(put(manager, settings), 422, field)
    assert listed(manager)["t1"] == before


@pytest.mark.parametrize(
    "settings",
    [
        b'{"ratio":NaN}',
        b'{"ratio":Infinity}',
        b'{"ratio":1e400}',
        b'{"share":NaN}',
        b'{"label":"a\\u0000b"}',
        b'{"label":"\\ud800"}',
        b'{"token":"\\ud800"}',
        b'{"hook":{"url":"\\u0000"}}',
        b'{"hook":{"url":"\\udc00"}}',
        b'{"\\ud800":1}',
        b'{"\\u0000":1}',
    ],
)
def test_a_setting_that_cannot_be_stored_is_refused_and_the_tactic_still_works(
    platform: Platform, tenant: Tenant, manager: httpx2.Client, settings: bytes
) -> None:
    before = enable(manager, "t1").json()
    body = b'{"settings":' + settings + b"}"
    answer = manager.put("/v1/tactics/t1/settings", content=body, headers={"Content-Type": "application/json"})
    assert_problem(answer, 422)
    assert listed(manager)["t1"] == before
    with platform.database.tenant(tenant.id) as scope:
        found = switches.activations(scope)["t1"]
    assert platform.settings(tenant, platform.registry["t1"], found) == Settings()


@pytest.mark.parametrize(
    "body", [{}, {"settings": []}, {"settings": None}, {"settings": {}, "more": 1}, [], "x", None]
)
def test_a_request_of_another_form_is_refused(manager: httpx2.Client, body: object) -> None:
    assert "errors" in assert_problem(manager.put("/v1/tactics/t1/settings", json=body), 422)


def test_the_second_of_two_writers_is_told(manager: httpx2.Client) -> None:
    revision = enable(manager, "t1").json()["revision"]
    assert put(manager, {"rate": 2}, revision=revision).status_code == 200
    body = assert_problem(put(manager, {"rate": 3}, revision=revision), 409)
    assert body["type"] == "urn:threepeat:problem:stale"
    assert listed(manager)["t1"]["settings"] == {"rate": 2}
    for wrong in (0, -1, 2**31, 2**63 - 1):
        assert_problem(put(manager, {"rate": 3}, revision=wrong), 409)
    for impossible in (2**63, 10**40):
        assert_problem(put(manager, {"rate": 3}, revision=impossible), 422, "revision")


def test_also_of_two_first_writers_the_second_is_told(manager: httpx2.Client) -> None:
    revision = listed(manager)["t1"]["revision"]
    assert put(manager, {"rate": 2}, revision=revision).status_code == 200
    assert_problem(put(manager, {"rate": 3}, revision=revision), 409)


def test_of_many_writers_at_once_with_one_revision_one_saves(
    manager: httpx2.Client, signed_in: SignedIn, make_key: Callable[..., str], tenant: Tenant
) -> None:
    revision = enable(manager, "t1").json()["revision"]
    key = make_key(tenant, "manage")
    answers = together([partial(put, signed_in(key), {"rate": n}, revision=revision) for n in range(1, 9)])
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    saved = next(answer for answer in answers if answer.status_code == 200).json()
    assert listed(manager)["t1"]["settings"] == saved["settings"]
    assert saved["revision"] == revision + 1


CANARY = "canary-5f1c"


def test_a_secret_is_sealed_in_the_database_and_shown_nowhere(
    platform: Platform, tenant: Tenant, manager: httpx2.Client
) -> None:
    saved = put(
        manager, {"token": CANARY, "hook": {"url": "https://x", "token": CANARY}, "other": {"token": CANARY}}
    )
    assert saved.status_code == 200
    row = stored(platform, tenant)
    assert row.count("sealed.1.") == 3
    assert CANARY not in row
    for answer in (saved, manager.get("/v1/tactics"), enable(manager, "t1"), disable(manager, "t1")):
        assert CANARY not in answer.text
        assert "sealed" not in answer.text
    found = listed(manager)["t1"]
    assert found["secrets"] == {"token": True, "hook.token": True, "other.token": True}
    assert found["settings"] == {"hook": {"url": "https://x"}, "other": {}}
    with platform.database.tenant(tenant.id) as scope:
        opened = platform.settings(tenant, platform.registry["t1"], switches.activations(scope)["t1"])
    assert opened.token.get_secret_value() == opened.hook.token.get_secret_value() == CANARY


def test_a_secret_that_is_refused_is_not_repeated(manager: httpx2.Client) -> None:
    answer = put(manager, {"token": CANARY, "rate": 0})
    assert_problem(answer, 422, "settings.rate")
    assert CANARY not in answer.text
    assert CANARY not in put(manager, {"token": [CANARY]}).text


def test_secrets_survive_load_edit_save_and_null_clears_them(
    platform: Platform, tenant: Tenant, manager: httpx2.Client
) -> None:
    put(manager, {"token": CANARY, "label": "signed", "hook": {"token": CANARY}, "other": {"token": CANARY}})
    before = stored(platform, tenant)
    loaded = listed(manager)["t1"]
    saved = put(manager, loaded["settings"] | {"rate": 9}, revision=loaded["revision"])
    assert saved.json()["secrets"] == {"token": True, "hook.token": True, "other.token": True}
    assert saved.json()["settings"] == loaded["settings"] | {"rate": 9}
    sealed = [part for part in before.split('"') if "sealed.1." in part]
    assert all(part in stored(platform, tenant) for part in sealed), "kept as they were, not sealed anew"
    assert put(manager, {"token": None}).json()["secrets"]["token"] is False
    assert listed(manager)["t1"]["secrets"] == {"token": False, "hook.token": True, "other.token": True}
    assert put(manager, {"hook": {"token": None}}).json()["secrets"]["hook.token"] is False
    assert put(manager, {"other": None}).json()["secrets"]["other.token"] is False
    assert "sealed" not in stored(platform, tenant)


def test_a_text_that_looks_sealed_is_sealed_as_any_other(
    platform: Platform, tenant: Tenant, manager: httpx2.Client
) -> None:
    put(manager, {"token": CANARY})
    stolen = next(part for part in stored(platform, tenant).split('"') if "sealed.1." in part).rstrip("\\")
    put(manager, {"token": stolen, "label": "sealed.1.x"})
    with platform.database.tenant(tenant.id) as scope:
        opened = platform.settings(tenant, platform.registry["t1"], switches.activations(scope)["t1"])
    assert opened.token.get_secret_value() == stolen
    assert opened.label == "sealed.1.x"


def test_a_sealed_secret_moved_to_another_store_does_not_open(
    platform: Platform,
    tenant: Tenant,
    other_tenant: Tenant,
    manager: httpx2.Client,
    signed_in: SignedIn,
    make_key: Callable[..., str],
) -> None:
    put(manager, {"token": CANARY})
    thief = signed_in(make_key(other_tenant, "manage"))
    put(thief, {"token": "own"})
    with platform.database.tenant(tenant.id) as scope:
        taken = json.dumps(dict(switches.activations(scope)["t1"].settings))
    with platform.database.tenant(other_tenant.id) as scope:
        statement = text("UPDATE core.activation SET settings = CAST(:taken AS jsonb)")
        scope.connection.execute(statement, {"taken": taken})
    with platform.database.tenant(other_tenant.id) as scope:
        found = switches.activations(scope)["t1"]
    with pytest.raises(ValueError, match="damaged or belongs elsewhere"):
        platform.settings(other_tenant, platform.registry["t1"], found)
    body = assert_problem(put(thief, {"rate": 2}), 422, "settings.token")
    assert "enter the secret again" in body["detail"]
    assert put(thief, {"rate": 2, "token": "new"}).status_code == 200


@pytest.mark.parametrize(
    ("percent", "status"),
    [(0, 200), (50, 200), (51, 422), (-1, 422), (2**63, 422), (1.5, 422), ("ten", 422), (None, 200)],
)
def test_the_comparison_group_has_0_to_50_percent(manager: httpx2.Client, percent: object, status: int) -> None:
    answer = put(manager, {}, holdout_percent=percent)
    if status == 200:
        assert answer.json()["holdout_percent"] == (10 if percent is None else percent)
    else:
        assert_problem(answer, 422, "holdout_percent")


def test_a_tactic_whose_members_meet_has_no_comparison_group(manager: httpx2.Client) -> None:
    assert put(manager, {}, "crowd", holdout_percent=0).status_code == 200
    assert_problem(put(manager, {}, "crowd", holdout_percent=1), 422, "holdout_percent")


def test_another_stores_switches_and_settings_are_its_own(
    manager: httpx2.Client, signed_in: SignedIn, make_key: Callable[..., str], other_tenant: Tenant
) -> None:
    enable(manager, "t1")
    put(manager, {"rate": 7})
    neighbour = signed_in(make_key(other_tenant, "manage"))
    assert states(neighbour) == {}
    assert listed(neighbour)["t1"]["settings"] == {}
    assert_problem(disable(neighbour, "t1"), 404)
    assert states(manager) == {"t1": "enabled"}
