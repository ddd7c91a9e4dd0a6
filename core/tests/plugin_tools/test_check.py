"""`threepeat plugin check` tells what came of each rule, and ends as its outcome says."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from threepeat.cli.app import app
from threepeat.testing.conformance.bench import NotApplicable
from threepeat.testing.conformance.rules import Rule


def keeps(_bench):
    yield from ()


def breaks(_bench):
    yield "the table toy.box has no key"


def has_nothing(_bench):
    raise NotApplicable("it has no routes")


def crashes(_bench):
    raise ValueError("what is this [red]?")


def rule(name, check, *, must=True):
    return Rule(name, must, f"About {name}.", "Mend it.", check)


def test_a_plugin_that_keeps_every_rule_passes(asked):
    outcome = asked(rule("a", keeps), rule("b", has_nothing))
    assert outcome.exit_code == 0, outcome.output
    assert "it has no routes" in outcome.stdout
    assert "toy: 1 kept, 0 broken, 0 exempt, 1 with nothing to check" in outcome.stdout


@pytest.mark.parametrize("check", [breaks, crashes])
def test_a_broken_must_ends_with_1_and_says_what_to_do(asked, check):
    outcome = asked(rule("a", keeps), rule("b", check))
    assert outcome.exit_code == 1
    for said in ("To fix it: Mend it.", "docs/conformance/b.md", "1 broken"):
        assert said in outcome.stdout
    assert ("the table toy.box has no key" if check is breaks else "what is this [red]?") in outcome.stdout


def test_a_broken_should_counts_only_if_asked(asked):
    advised = rule("a", breaks, must=False)
    assert asked(advised).exit_code == 0
    assert asked(advised, arguments=["--strict"]).exit_code == 1


def test_an_exemption_shows_its_reason(asked):
    outcome = asked(rule("a", breaks, must=False), exempt=[("a", "read by programs only")], arguments=["--strict"])
    assert outcome.exit_code == 0
    assert "read by programs only" in outcome.stdout


def test_programs_get_json_and_only_that(asked):
    outcome = asked(rule("a", breaks), rule("b", keeps), arguments=["--json", "--only", "a"])
    told = json.loads(outcome.stdout)
    assert (told["plugin"], told["passed"]) == ("toy", False)
    (one,) = told["rules"]
    assert (one["rule"], one["state"], one["findings"]) == ("a", "broken", ["the table toy.box has no key"])
    assert one["fix"] == "Mend it."


def test_an_unknown_rule_is_refused(asked):
    outcome = asked(rule("a", keeps), arguments=["--only", "z"])
    assert (outcome.exit_code, "there is no rule z; there are a" in outcome.stderr) == (1, True)


def test_what_is_neither_a_folder_nor_a_plugin_is_refused(tmp_path):
    unknown = CliRunner().invoke(app, ["plugin", "check", "nothing-like-it"])
    assert (unknown.exit_code, "neither a folder nor the id" in unknown.stderr) == (1, True)
    empty = CliRunner().invoke(app, ["plugin", "check", str(tmp_path)])
    assert (empty.exit_code, "no pyproject.toml" in empty.stderr) == (1, True)


def test_without_the_suite_it_says_what_to_install():
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "from threepeat.cli.app import app\n"
        "app(['plugin', 'check', '.'])\n"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert outcome.returncode == 1
    assert 'pip install "threepeat-core[testing]"' in outcome.stderr.replace("\n", " ")


def test_the_help_of_threepeat_loads_no_suite():
    code = "import sys; import threepeat.cli.app; sys.exit('pytest' in sys.modules or 'copier' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
