"""The operators' commands, run as their user runs them."""

import pytest
from typer.testing import CliRunner

from threepeat.cli.app import app


@pytest.fixture
def threepeat(cluster, tmp_path, monkeypatch):
    with cluster.database() as name:
        for key, value in cluster.environment(name, tmp_path).items():
            monkeypatch.setenv(key, value)
        monkeypatch.setenv("COLUMNS", "200")

        def run(*arguments, code=0):
            done = CliRunner().invoke(app, ["--log-level", "error", *arguments])
            assert done.exit_code == code, done.output
            return done.output

        yield run


def test_an_operator_does_all_of_it_from_a_terminal(threepeat, tmp_path):
    assert "small: 0 stores" in threepeat(
        "plan", "set", "small", "--title", "Small", "--cap", "1", "--events", "9"
    )
    assert "pharmacy" in threepeat("blueprint", "list")
    shown = threepeat("blueprint", "show", "tea-coffee")
    assert "grow with every cup" in shown
    opened = threepeat(
        *("tenant", "onboard", "tea", "--name", "Tea", "--owner", "Ann", "--email", "ann@shop.example"),
        *("--blueprint", "tea-coffee", "--plan", "small", "--url", "https://x.example"),
    )
    assert "tea stands. On: points." in opened
    assert "https://x.example/welcome/" in opened
    assert "curl -sS 'https://x.example/v1/events'" in opened
    listed = threepeat("plan", "list")
    assert "small" in listed
    assert "1 store is on this plan" in threepeat("plan", "delete", "small", code=1)
    assert "points" in threepeat("plugin", "list")
    assert "tea is suspended" in threepeat("tenant", "suspend", "tea", "--reason", "late")
    assert "1 suspended" in threepeat("overview")
    assert "late" in threepeat("overview", "suspended")
    assert "tea goes on" in threepeat("tenant", "reactivate", "tea")
    trail = threepeat("audit", "tea")
    for action in ("store.onboarded", "store.suspended", "store.reactivated"):
        assert action in trail
    assert "plan.set" in threepeat("audit")
    assert "points" in threepeat("tenant", "usage", "tea")
    assert "bytes" in threepeat("tenant", "usage", "--month", "2026-11", "--to", str(tmp_path / "usage.csv"))
    assert "tea" in (tmp_path / "usage.csv").read_text(encoding="utf-8-sig")


def test_what_cannot_be_done_is_said_in_one_line_with_exit_code_1(threepeat):
    for arguments, says in (
        (("tenant", "onboard", "Tea", "--name", "T", "--owner", "A", "--phone", "13800138000"), "slug: "),
        (("tenant", "onboard", "tea", "--name", "T", "--owner", "A", "--email", "nobody"), "owner_email: "),
        (("tenant", "suspend", "nowhere", "--reason", "late"), "there is no tenant 'nowhere'"),
        (("tenant", "usage", "nowhere"), "there is no tenant 'nowhere'"),
        (("tenant", "usage", "--month", "2026-13"), "month: "),
        (("plan", "set", "small", "--title", "S", "--cap", "18"), "cap: choose 0 to 17"),
        (("plan", "set", "small", "--title", "S", "--plugin", "nope"), "plugins: nope is not installed"),
        (("plan", "delete", "gold"), "there is no plan 'gold'"),
        (("blueprint", "show", "nope"), "there is no blueprint 'nope'"),
        (("audit", "nowhere"), "there is no tenant 'nowhere'"),
    ):
        assert says in " ".join(threepeat(*arguments, code=1).split()), arguments
