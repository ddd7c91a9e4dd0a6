"""Each promise of the table is broken on purpose once, and its probe says so."""

import importlib.util
from pathlib import Path

import pytest
from sqlalchemy import text

from threepeat.events.opened import OpenTenant
from threepeat.tenancy import switches
from threepeat.tenancy.switches import SwitchState
from threepeat.worker.letters import Events

SPEC = importlib.util.spec_from_file_location("threepeat_closing_cells", Path(__file__).parent / "test_closing.py")
CELLS = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(CELLS)


def offers_to_all(patch):
    patch.setattr(Events, "_open", lambda _self, _event: True)


def always_on(patch):
    patch.setattr(OpenTenant, "state", lambda _self, _plugin: SwitchState.ENABLED)


def goes_on_from_off(patch):
    head, _, _ = switches.START_AT_HEAD.text.partition("DO UPDATE")
    patch.setattr(switches, "START_AT_HEAD", text(f"{head} DO NOTHING"))


def never_ends(patch):
    patch.setattr(switches, "_end", lambda *_given, **_named: False)


@pytest.mark.parametrize(
    ("broken", "row", "state", "found"),
    [
        (offers_to_all, "reaction", "closing", "runs"),
        (offers_to_all, "letter", "closing", "runs"),
        (always_on, "command", "closing", "runs"),
        (always_on, "question", "off", "runs"),
        (always_on, "schedule", "closing", "runs"),
        (always_on, "grant", "off", "granted"),
        (always_on, "spend", "off", "runs"),
        (always_on, "multiplier", "closing", "runs"),
        (goes_on_from_off, "reaction always", "off", "waits"),
        (never_ends, "off owing nothing", "enabled", "closing"),
    ],
)
def test_a_promise_that_is_broken_is_seen(stand, monkeypatch, broken, row, state, found):
    promised = CELLS.table(CELLS.PAGE.read_text("utf-8"))[row][state]
    broken(monkeypatch)
    assert CELLS.ROWS[row][0](stand("sampler", state)) == found != promised
