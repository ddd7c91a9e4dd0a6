"""A command that is under way when its tactic is switched off: what it promises is counted."""

import threading

import pytest
from sqlalchemy import text

from threepeat.plugins import Registry
from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, post
from threepeat.tenancy import switches
from threepeat.tenancy.switches import SwitchState


class Desk(Plugin[PluginSettings]):
    """Promises something to whoever asks, when it is let."""

    manifest = Manifest(id="desk", kind="tactic", title="Desk", summary="A toy.", holdout="none")
    settings_model = PluginSettings

    def __init__(self):
        self.begun, self.go_on, self.promised = threading.Event(), threading.Event(), []

    @hookimpl
    def routes(self):
        yield post("/ask", self.ask, summary="Ask")

    @hookimpl
    def open_obligations(self, ctx):  # noqa: ARG002 - what the hook is given
        return self.promised

    def ask(self, ctx) -> None:
        self.begun.set()
        assert self.go_on.wait(30)
        self.promised.append(f"something for {ctx.member}")


@pytest.fixture(scope="module")
def registry():
    return Registry.load([("desk", Desk())])


@pytest.fixture
def desk(registry):
    plugin = registry["desk"].plugin
    plugin.__init__()
    return plugin


@pytest.fixture
def store(platform, tenant):
    with platform.database.tenant(tenant.id) as scope:
        switches.enable(scope, tenant, platform.registry, "desk", by="test", act=platform.act)
    return tenant


def switch_off(platform, store, outcome):
    with platform.database.tenant(store.id) as scope:
        off = switches.disable(scope, store, platform.registry, "desk", by="test", act=platform.act)
        outcome.append(off.state)


def race(platform, store, desk, member):
    """A command begins, the tactic is switched off, the command ends; the state that the switch came to."""
    outcome = []
    asking = threading.Thread(target=lambda: member.post("/v1/me/desk/ask", headers={"Idempotency-Key": "1"}))
    switching = threading.Thread(target=switch_off, args=(platform, store, outcome))
    asking.start()
    assert desk.begun.wait(30)
    switching.start()
    switching.join(0.3)
    desk.go_on.set()
    asking.join(30)
    switching.join(30)
    assert len(desk.promised) == 1
    return outcome


def test_what_a_command_promises_while_its_tactic_is_switched_off_is_owed(
    platform, store, desk, signed_in, make_token
):
    assert race(platform, store, desk, signed_in(make_token(store, "ann"))) == [SwitchState.CLOSING]


def test_without_the_lock_it_would_be_off_and_owe(platform, store, desk, signed_in, make_token, monkeypatch):
    monkeypatch.setattr(switches, "CLOSE_OFF", text("SELECT :tenant"))
    assert race(platform, store, desk, signed_in(make_token(store, "ann"))) == [SwitchState.OFF]


def test_a_command_of_another_store_waits_for_nobody(platform, store, other_tenant, desk, signed_in, make_token):
    with platform.database.tenant(other_tenant.id) as scope:
        switches.enable(scope, other_tenant, platform.registry, "desk", by="test", act=platform.act)
    desk.go_on.set()
    with platform.database.tenant(store.id) as scope:
        switches.disable(scope, store, platform.registry, "desk", by="test", act=platform.act)
        answer = signed_in(make_token(other_tenant, "bob")).post(
            "/v1/me/desk/ask", headers={"Idempotency-Key": "1"}
        )
    assert answer.status_code == 200
