"""A new plugin is green from its first minute, whatever it is called."""

import ast
import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from threepeat.cli.app import app
from threepeat.cli.plugin import making
from threepeat.plugins import distributions


def new(*arguments):
    return CliRunner().invoke(app, ["plugin", "new", *map(str, arguments)])


@pytest.mark.long
def test_its_tests_are_green_at_once(workshop):
    outcome = workshop.run("pytest", "-q")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert re.search(r"\d+ passed", outcome.stdout)
    assert "failed" not in outcome.stdout


@pytest.mark.long
def test_it_keeps_every_rule(workshop):
    outcome = workshop.run("threepeat.cli", "plugin", "check", "--json", "--strict")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    told = json.loads(outcome.stdout)
    assert told["plugin"] == "thanks"
    assert {one["state"] for one in told["rules"]} <= {"kept", "not applicable"}


@pytest.mark.long
@pytest.mark.parametrize("name", ["ty", "bring-a-friend", "a_name_of_thirty_one_characters"])
def test_types_and_style_hold_under_any_name(make_workshop, name):
    made = make_workshop(name)
    for command in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        outcome = made.run(*command)
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_what_it_installs_is_its_own_package_only(workshop):
    outcome = workshop.run("threepeat.cli", "plugin", "audit", "--json")
    assert outcome.returncode == 0, outcome.stdout
    (told,) = json.loads(outcome.stdout)
    assert (told["clean"], told["scripts"], told["entry_points"], told["native"]) == (True, [], [], [])


def test_installed_from_a_wheel_it_can_be_checked_as_its_author_does(make_workshop, tmp_path):
    made = make_workshop("thanks", editable=False)
    shutil.rmtree(made.project)
    asked = ("threepeat.cli", "plugin", "check", "thanks", "--json", "--only")
    outcome = made.run(*asked, "exactly-once", "--only", "lowest-dependencies", folder=tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert {one["state"] for one in json.loads(outcome.stdout)["rules"]} == {"kept"}
    (samples,) = made.environment.glob("lib/python*/site-packages/threepeat_thanks/conformance.toml")
    samples.write_text("[settings]\nno_such = 1\n")
    outcome = made.run(*asked, "exactly-once", folder=tmp_path)
    assert "settings of conformance.toml" in outcome.stdout + outcome.stderr


def test_answers_stand_where_they_belong(tmp_path):
    made = tmp_path / "made"
    given = ("--title", "Tea & Thanks", "--title-zh", "茶与谢", "--author", "Ann Ö", "--license", "Apache-2.0")
    outcome = new("Tea-Time", "--output", made, *given, "--defaults")
    assert outcome.exit_code == 0, outcome.output
    project = tomllib.loads((made / "pyproject.toml").read_text())["project"]
    assert (project["name"], project["license"], project["authors"]) == (
        "threepeat-tea-time", "Apache-2.0", [{"name": "Ann Ö"}],
    )  # fmt: skip
    assert project["entry-points"]["threepeat.plugins"] == {"tea_time": "threepeat_tea_time.plugin:plugin"}
    assert project["dependencies"] == ["threepeat-core>=0.1,<0.2"]
    assert "Apache License" in (made / "LICENSE").read_text()
    source = (made / "threepeat_tea_time/plugin.py").read_text()
    assert '_("Tea & Thanks")' in source
    ast.parse(source)
    words = made / "threepeat_tea_time/locale/zh_CN/LC_MESSAGES/messages.po"
    assert 'msgid "Tea & Thanks"\nmsgstr "茶与谢"' in words.read_text()


@pytest.mark.parametrize("licence", making.LICENSES)
def test_every_licence_has_its_text(tmp_path, licence):
    assert new("tea", "--output", tmp_path / "made", "--license", licence, "--defaults").exit_code == 0
    text = (tmp_path / "made/LICENSE").read_text()
    assert len(text) > 100
    assert "{" not in text.replace("{yyyy}", "").replace("{name of copyright owner}", "")


def test_no_file_of_the_template_is_left_as_a_template(workshop):
    files = [file for file in workshop.project.rglob("*") if file.is_file() and ".egg" not in str(file)]
    assert [file.name for file in files if file.suffix == ".jinja"] == []
    for file in files:
        if file.suffix in {".py", ".sql", ".toml", ".md", ".po"}:
            assert "{%" not in file.read_text(), file
    assert "${{ matrix.python }}" in (workshop.project / ".github/workflows/ci.yml").read_text()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["1st"], "cannot be an id"),
        (["x"], "cannot be an id"),
        (["core"], "reserved"),
        (["pg_stat"], "cannot be an id"),
        (["tea", "--license", "GPL"], "there is no licence 'GPL'"),
        (["tea", "--title", 'So "quoted"'], "quotation marks"),
        (["tea", "--author", "{{ plugin }}"], "braces"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    outcome = new(*arguments, "--defaults")
    assert outcome.exit_code == 1, outcome.output
    assert reason in outcome.stderr.replace("\n", " ")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken_is_refused(monkeypatch):
    monkeypatch.setattr(distributions, "of_plugins", lambda: {"points": None})
    assert "installed here already" in new("points", "--defaults").stderr.replace("\n", " ")


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    outcome = new("tea", "--output", tmp_path, "--defaults")
    assert (outcome.exit_code, "is there already" in outcome.stderr.replace("\n", " ")) == (1, True)
    assert [file.name for file in tmp_path.iterdir()] == ["kept.txt"]


def test_without_copier_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "copier", None)
    outcome = new("tea", "--output", tmp_path / "made", "--defaults")
    assert outcome.exit_code == 1
    assert "threepeat-core[developer]" in outcome.stderr.replace("\n", "")
    assert Path(tmp_path / "made").exists() is False
