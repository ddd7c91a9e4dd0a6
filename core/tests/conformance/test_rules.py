"""Each rule can fail, says why, and has a page; the bad plugins are what a hurried developer writes.

The good ones are built unlike ours.
"""

import re
import sys
import tomllib
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from threepeat.plugins import Registry
from threepeat.plugins.registry import GROUP
from threepeat.testing.conformance.bench import Bench
from threepeat.testing.conformance.must import sdk_only
from threepeat.testing.conformance.project import Project
from threepeat.testing.conformance.rules import RULES, ask, begin

HERE = Path(__file__).parent
BAD = HERE / "bad"
GOOD = HERE / "good"
ROOT = HERE.parents[2]
PAGES = ROOT / "docs" / "conformance"
BY_ID = {rule.id: rule for rule in RULES}


def folders(kind=BAD):
    return {path.parent.name for path in kind.glob("*/__init__.py")}


def load(name, monkeypatch, kind=BAD):
    """A plugin's package, as if it were installed."""
    monkeypatch.setattr(sys, "path", [str(kind), *sys.path])
    return import_module(name)


def beside(plugin):
    """The plugin and the services that a store has."""
    registry = Registry.discover()
    services = {one.id for one in registry if one.manifest.kind == "service"}
    wanted = services.union(*(registry[one].manifest.requires for one in services), plugin.manifest.requires)
    points = sorted((point.name, point) for point in entry_points(group=GROUP) if point.name in wanted)
    return Registry.load([*points, (plugin.manifest.id, plugin)])


def test_there_are_rules():
    assert len(RULES) >= 10
    assert len(BY_ID) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_rule_says_what_it_asks_for_and_what_to_do(rule):
    assert rule.title.endswith(".")
    assert rule.fix.endswith(".")
    assert sys.modules[rule.check.__module__].__doc__


def test_every_rule_has_a_page_and_a_bad_plugin_and_there_are_no_others():
    assert {path.stem for path in PAGES.glob("*.md")} - {"index"} == BY_ID.keys()
    assert folders() == {name.replace("-", "_") for name in BY_ID}


def test_the_index_lists_every_rule_where_it_belongs():
    said = (PAGES / "index.md").read_text("utf-8")
    must, should = said.split("## What it should keep")
    for part, binding in ((must, True), (should, False)):
        listed = re.findall(r"^([a-z][a-z-]+)$", part, re.MULTILINE)
        assert sorted(listed) == sorted(rule.id for rule in RULES if rule.must is binding)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_page_says_what_is_asked_and_shows_it(rule):
    page = (PAGES / f"{rule.id}.md").read_text("utf-8")
    assert page.startswith(f"# {rule.id}\n")
    assert page.count("```") >= 4, "a wrong example and a right one"


@pytest.mark.parametrize("name", sorted(folders()))
def test_a_bad_plugin_is_rejected_by_its_rule(cluster, tmp_path, monkeypatch, name):
    module = load(name, monkeypatch)
    project = Project.at(BAD / name, module.plugin.manifest.id, BAD / name)
    with Bench.open(cluster, project, tmp_path, registry=beside(module.plugin)) as bench:
        rule = BY_ID[name.replace("_", "-")]
        begin([rule], bench)
        outcome = ask(rule, bench)
    assert outcome.state == "broken", outcome.text()
    for said in [module.SAYS] if isinstance(module.SAYS, str) else module.SAYS:
        assert any(said in found for found in outcome.findings), outcome.text()


@pytest.mark.parametrize("name", sorted(folders(GOOD)))
def test_no_rule_rejects_a_good_plugin(cluster, tmp_path, monkeypatch, name):
    module = load(name, monkeypatch, GOOD)
    project = Project.at(GOOD / name, module.plugin.manifest.id)
    with Bench.open(cluster, project, tmp_path, registry=beside(module.plugin)) as bench:
        begin(RULES, bench)
        outcomes = [ask(rule, bench) for rule in RULES]
    assert not [one.text() for one in outcomes if one.state in {"broken", "crashed"}]
    assert [one for one in outcomes if one.state == "kept"]


def contract(name):
    described = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return next(one for one in described["tool"]["importlinter"]["contracts"] if one["id"] == name)


FORBIDDEN = {module for name in ("door", "pluggy") for module in contract(name)["forbidden_modules"]}


@pytest.mark.parametrize("module", sorted(FORBIDDEN))
def test_what_the_workspace_forbids_its_plugins_is_forbidden_by_the_rule(module):
    for line in (f"import {module}.part", f"from {module} import part"):
        assert [*sdk_only.strays(line, "mine", sdk_only.others("mine"))]


def test_what_was_begun_and_never_asked_for_ends_with_the_bench(cluster, tmp_path, monkeypatch):
    module = load("baskets", monkeypatch, GOOD)
    project = Project.at(GOOD / "baskets", "baskets")
    with Bench.open(cluster, project, tmp_path, registry=beside(module.plugin)) as bench:
        bench.begin("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"])
        (process,) = bench._begun.values()
    assert process.returncode is not None
    assert process.stdout.closed
    assert process.stderr.closed
