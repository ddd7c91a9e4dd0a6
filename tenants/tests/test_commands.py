"""The commands tenant, key and tactic, run as their user runs them."""

import re
import subprocess
import sys

import pytest


@pytest.fixture
def threepeat(cluster, tmp_path, terminal):
    with cluster.database() as name:
        yield terminal(cluster.environment(name, tmp_path))


@pytest.fixture(scope="module")
def tea(cluster, tmp_path_factory, terminal):
    """A terminal of an installation with a store."""
    with cluster.database() as name:
        run = terminal(cluster.environment(name, tmp_path_factory.mktemp("data")))
        run("tenant", "create", "tea")
        yield run


def test_loading_the_commands_loads_nothing_that_counts():
    """A server or worker first says that its processes count together; the library reads that once."""
    script = "import sys, threepeat.cli.app, threepeat_tenants.commands; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_tenant_is_made_listed_and_its_tactic_switched_and_set(threepeat):
    made = threepeat("tenant", "create", "tea", "--name", "Tea House", "--enable", "points")
    assert re.search(r"^tp_live_1_[0-9a-f]{12}_\S{43}$", made, re.MULTILINE)
    listed = threepeat("tenant", "list")
    assert "Tea House" in listed
    assert "CNY" in listed
    tactics = threepeat("tactic", "list", "tea")
    assert re.search(r"points .*tactic .*enabled .*1 .*10 % .*yes", tactics)
    assert "3 tactics may be on" in tactics
    assert '"points_per_unit": 2' in threepeat("tactic", "set", "tea", "points", "points_per_unit=2")
    shown = threepeat("tactic", "set", "tea", "points", "expires_after_days=null", "--holdout", "5")
    assert '"points_per_unit": 2' in shown
    assert "5 %" in threepeat("tactic", "list", "tea")
    assert "points is off" in threepeat("tactic", "disable", "tea", "points")
    assert "points is on in slot 1" in threepeat("tactic", "enable", "tea", "points")


def test_what_switching_off_would_mean_is_told_first(threepeat):
    threepeat("tenant", "create", "tea", "--enable", "points", "--enable", "welcome", "--enable", "checkin")
    told = threepeat("tactic", "preview", "tea", "points")
    assert "without points\n" in told
    assert "stops answering: order.paid" in told
    assert "goes on answering: order.refunded" in told
    assert "leads nowhere: welcome settings.rewards.0 names points" in told
    swaps = threepeat("tactic", "preview", "tea", "winback")
    assert all(f"without {name}\n" in swaps for name in ("checkin", "points", "welcome"))
    assert "would lack points: winback" in swaps
    threepeat("tactic", "disable", "tea", "checkin")
    assert "1 of 3 slots are free" in threepeat("tactic", "preview", "tea", "winback")
    assert "nobody" in threepeat("tactic", "preview", "tea", "nobody", code=1)


def test_a_tactics_monthly_budget_is_set_shown_and_lifted(threepeat):
    threepeat("tenant", "create", "tea", "--enable", "points")
    threepeat("tactic", "set", "tea", "points", "--budget", "50000")
    assert re.search(r"points .*10 % .* 0 .* 50000 .*yes", threepeat("tactic", "list", "tea"))
    threepeat("tactic", "set", "tea", "points", "points_per_unit=2")
    assert "50000" in threepeat("tactic", "list", "tea")
    threepeat("tactic", "set", "tea", "points", "--no-budget")
    assert "50000" not in threepeat("tactic", "list", "tea")


def test_keys_are_made_listed_and_revoked(threepeat):
    threepeat("tenant", "create", "tea")
    secret = threepeat("key", "create", "tea", "--scope", "manage", "--scope", "read", "--name", "till").strip()
    key_id = secret.split("_")[3]
    listed = threepeat("key", "list", "tea")
    assert re.search(rf"{key_id} .*till .*manage read", listed)
    assert secret.split("_", 4)[4] not in listed
    assert "is revoked" in threepeat("key", "revoke", "tea", key_id)
    assert "no live key" in threepeat("key", "revoke", "tea", key_id, code=1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("tenant", "create", "Tea House"), "slug: use 1 to 63 lower-case letters"),
        (("tenant", "create", "tea"), "slug: 'tea' is taken"),
        (("tenant", "create", "x", "--currency", "XYZW"), "currency: 'XYZW' is not an ISO 4217 code"),
        (("tenant", "create", "x", "--timezone", "Mars/Base"), "timezone: 'Mars/Base' is not a time zone"),
        (("tenant", "create", "x", "--plan", "gold"), "plan: there is no plan 'gold'"),
        (("tenant", "create", "x", "--enable", "nope"), "there is no plugin 'nope'"),
        (("key", "create", "nowhere", "--scope", "read"), "there is no tenant 'nowhere'"),
        (("key", "create", "tea", "--scope", "root"), "scopes: choose from ingest, read, manage"),
        (("tactic", "enable", "tea", "nope"), "there is no plugin 'nope'"),
        (("tactic", "disable", "tea", "points"), "'points' is not on"),
        (("tactic", "allow", "tea", "nope"), "there is no plugin 'nope'"),
        (("tenant", "create", "new"), "slug: this word is not free"),
        (("tactic", "set", "tea", "points", "points_per_unit=0"), "settings.points_per_unit: "),
        (("tactic", "set", "tea", "points", "colour=red"), "settings.colour: "),
        (("tactic", "set", "tea", "points", "nonsense"), "nonsense: write name=value"),
        (("tactic", "set", "tea", "points", "--holdout", "51"), "holdout_percent: choose 0 to 50"),
        (("tactic", "set", "tea", "points", "--budget", "-1"), "monthly_budget: choose 0 to 10"),
        (("tactic", "set", "tea", "points", "--budget", "1", "--no-budget"), "--no-budget: give it or --budget"),
        (("verify", "--tenant", "nowhere"), "there is no tenant 'nowhere'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_with_exit_code_1(tea, arguments, says):
    assert says in " ".join(tea(*arguments, code=1).split())


def test_a_forbidden_tactic_cannot_be_switched_on_until_it_is_allowed(threepeat):
    threepeat("tenant", "create", "tea")
    threepeat("tactic", "forbid", "tea", "points")
    assert "does not allow 'points'" in threepeat("tactic", "enable", "tea", "points", code=1)
    threepeat("tactic", "allow", "tea", "points")
    assert "is on" in threepeat("tactic", "enable", "tea", "points")


def test_a_process_of_its_own_answers_the_same(cluster, tmp_path):
    with cluster.database() as name:
        done = subprocess.run(
            [sys.executable, "-m", "threepeat.cli", "--log-level", "error", "tenant", "create", "Tea House"],
            env=cluster.environment(name, tmp_path),
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr.split()[:2]) == (1, ["error", "slug:"])


def test_doctor_and_db_status_find_a_sound_installation_sound(threepeat):
    assert "safe to serve" in threepeat("doctor")
    assert re.search(r"points .*ok", threepeat("db", "status"))
