"""What came of a check is kept for the operator, for the versions that were checked."""

import json
from importlib.metadata import PathDistribution

import pytest
from sqlalchemy import create_engine, make_url, text
from typer.testing import CliRunner

from threepeat import __version__
from threepeat.cli.app import app
from threepeat.events import plugin_checks, purging
from threepeat.plugins import Registry, distributions
from threepeat.testing.conformance.rules import Rule

HOSTILE = "<script>alert(1)</script> \0 \ud800"


def keeps(_bench):
    yield from ()


def breaks(_bench):
    yield f"{HOSTILE}\nand a second line"
    yield "x" * 10_000


def crashes(_bench):
    raise ValueError("it broke")


def rule(name, check=keeps, *, must=True):
    return Rule(name, must, f"About {name}.", "Mend it.", check)


@pytest.fixture
def version(monkeypatch, tmp_path):
    """Installs the toy in a version: `version("1.0")`."""

    def install(number):
        info = tmp_path / f"toy-{number}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: toy\nVersion: {number}\n")
        monkeypatch.setattr(distributions, "of_plugins", lambda: {"toy": PathDistribution(info)})

    install("1.0")
    return install


@pytest.fixture
def recorded(asked, place, version):
    """Checks the toy by rules and records it in a platform that is up to date."""
    del version
    with place.opened(Registry([])):
        pass
    return lambda *rules, **given: asked(*rules, arguments=["--record"], **given)


def listed():
    found = json.loads(CliRunner().invoke(app, ["plugin", "list", "--json"]).stdout)
    return next(one["check"] for one in found if one["id"] == "toy")


def test_the_list_tells_what_came_of_it(recorded, place):
    assert recorded(rule("a")).exit_code == 0
    assert listed() == "passed"
    assert recorded(rule("a"), rule("c", breaks, must=False)).exit_code == 0
    assert listed() == "passed: c (advised)"
    outcome = recorded(rule("c", breaks, must=False), rule("a", crashes), rule("b", breaks))
    assert outcome.exit_code == 1
    assert "Recorded for toy 1.0." in outcome.stderr
    assert listed() == "broken: a, b, c (advised)"
    table = CliRunner().invoke(app, ["plugin", "list"], env={"COLUMNS": "300"}).stdout
    assert "broken: a, b, c (advised)" in " ".join(table.split())
    assert place.ask("SELECT plugin, version, core, checked_by FROM core.plugin_check") == [
        ("toy", "1.0", __version__, "operator:cli")
    ]
    trail = "SELECT actor, subject, details FROM core.operator_audit WHERE action = 'plugin.checked' ORDER BY id"
    assert place.ask(trail) == [
        ("operator:cli", "toy", {"version": "1.0"}),
        ("operator:cli", "toy", {"version": "1.0", "broken": ["c"]}),
        ("operator:cli", "toy", {"version": "1.0", "broken": ["c", "a", "b"]}),
    ]


def test_the_first_lines_are_kept_without_what_cannot_be_stored(recorded, place):
    recorded(rule("a", breaks), rule("b", crashes), rule("c", must=False), exempt=[("c", "one language\nonly")])
    ((rules,),) = place.ask("SELECT rules FROM core.plugin_check")
    found = {one["rule"]: one for one in rules}
    assert found["a"]["findings"] == ["<script>alert(1)</script> \ufffd \ufffd", "x" * plugin_checks.LONGEST]
    assert (found["b"]["findings"], found["b"]["reason"]) == (["ValueError: it broke"], "")
    assert (found["c"]["state"], found["c"]["reason"]) == ("exempt", "one language")


def test_another_version_counts_as_not_checked(recorded, version):
    assert recorded(rule("a")).exit_code == 0
    version("1.1")
    assert listed() == "checked in version 1.0"
    assert recorded(rule("a")).exit_code == 0
    assert listed() == "passed"


def test_another_threepeat_counts_as_not_checked(recorded, monkeypatch):
    with monkeypatch.context() as then:
        then.setattr(plugin_checks, "__version__", "0.0.1")
        assert recorded(rule("a")).exit_code == 0
        assert listed() == "passed"
    assert listed() == "checked with Threepeat 0.0.1"


def test_what_was_never_checked_is_said_to_be(recorded):
    del recorded
    assert listed() == "not checked"


def test_a_part_is_not_recorded(asked):
    outcome = asked(rule("a"), arguments=["--record", "--only", "a"])
    assert (outcome.exit_code, "only a whole check can be recorded" in outcome.stderr) == (1, True)


@pytest.mark.usefixtures("version")
def test_without_a_platform_it_says_what_to_do_before_it_checks(asked, monkeypatch, tmp_path):
    for name in ("APP", "OWNER", "OPS"):
        monkeypatch.delenv(f"THREEPEAT_{name}_URL", raising=False)
    monkeypatch.setenv("THREEPEAT_DATA", str(tmp_path / "data"))
    ran = []
    outcome = asked(rule("a", lambda _bench: ran or ran.append(1) or ()), arguments=["--record"])
    assert outcome.exit_code == 1
    assert "threepeat db start" in outcome.stderr.replace("\n", " ")
    assert not ran
    assert not (tmp_path / "data").exists()


def test_a_platform_that_is_behind_is_told(recorded, place):
    engine = create_engine(make_url(place.config.owner_url).set(drivername="postgresql+psycopg"))
    with engine.begin() as owner:
        owner.execute(text("DROP TABLE core.plugin_check"))
        owner.execute(text("UPDATE core.alembic_version SET version_num = '0003'"))
    engine.dispose()
    outcome = recorded(rule("a"))
    assert (outcome.exit_code, "threepeat db upgrade" in outcome.stderr) == (1, True)
    assert listed() == "not checked"


def test_a_purge_takes_it_along(recorded, place):
    recorded(rule("a"))
    with place.opened(Registry([])) as platform:
        found = purging.purge(platform.database.owner, "toy", installed=False, export=None, by="operator:test")
    assert found.tables == {"core.plugin_check": 1}
    assert place.ask("SELECT count(*) FROM core.plugin_check") == [(0,)]
