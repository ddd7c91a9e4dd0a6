"""The guides for plugin developers: what they show is typed, loads, keeps a database and handles what happens.

A block below `<!-- check -->` is checked. One whose first line names a file of a package becomes that file; what a
guide leaves out of a package stands in `guides/`.
"""

import importlib
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from threepeat.plugins import Registry
from threepeat.plugins.registry import GROUP
from threepeat.testing.conformance import phone
from threepeat.testing.conformance.bench import Bench
from threepeat.testing.conformance.project import Project
from threepeat.testing.translations import untranslated

ROOT = Path(__file__).resolve().parents[2]
GUIDES = sorted((ROOT / "docs" / "plugins").glob("*.md"))
LEFT_OUT = Path(__file__).with_name("guides")

BLOCK = re.compile(r"^(?P<check><!-- check -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"(?:#|--) (?P<file>threepeat_\w+/\S+)\n")
WRONG = """
from threepeat.sdk import Context, PluginSettings, when
from threepeat.sdk.events import OrderPaid, OrderRefunded


def take_back(ctx: Context[PluginSettings], events: list[OrderRefunded]) -> None:
    ctx.sql("take_back", orders=[one.order for one in events])


REACTION = when(OrderPaid, take_back)
"""
"""What a guide must not say: a field that there is not, and a handler for another event."""

PLUGINS = (
    "stamps",
    "tenth",
    "tally",
    "thanks",
    "stars",
    "happyhour",
    "polls",
    "club",
    "carts",
    "footfall",
    "greeting",
    "onitsway",
)
BESIDE = {"orders", "points", "checkout", "messages"}
WITH = {
    "thanks": Project("thanks", settings={"least": 1}, beside=("points",)),
    "club": Project("club", settings={"total": 1}),
    "happyhour": Project("happyhour", settings={"begins": 0, "ends": 24}),
    "polls": Project("polls", collections=({"name": "polls", "values": {"question": "Tea?"}, "steps": ["open"]},)),
}
"""What a plugin needs so that something happens."""


def blocks(page, *kinds):
    return [one for one in BLOCK.finditer(page.read_text("utf-8")) if one["kind"] in kinds]


def checked(page):
    return [one for one in BLOCK.finditer(page.read_text("utf-8")) if one["check"]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The packages of all guides."""
    made = tmp_path_factory.mktemp("guides")
    for page in GUIDES:
        for block in checked(page):
            if named := NAMED.match(block["text"]):
                file = made / named["file"]
                assert not file.exists(), f"two blocks are {named['file']}"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block["text"], "utf-8")
    for file in LEFT_OUT.rglob("*.*"):
        place = made / file.relative_to(LEFT_OUT)
        if file.suffix in {".py", ".sql"}:
            assert not place.exists(), f"the guide has {file.name} itself"
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)
    for package in made.iterdir():
        (package / "__init__.py").touch()
    return made


@pytest.fixture(scope="module")
def complaints(folder):
    """What mypy says of all of it and of something wrong, by file."""
    wrong = folder / "wrong.py"
    wrong.write_text(WRONG, "utf-8")
    files = [str(file.relative_to(folder)) for file in sorted(folder.rglob("*.py"))]
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml")]
    cache = ["--cache-dir", str(ROOT / ".mypy_cache")]
    done = subprocess.run([*command, *cache, *files], cwd=folder, capture_output=True, text=True, check=False)
    wrong.unlink()
    assert done.returncode == 1, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if ": error: " in line]
    return {file: [line for line in lines if line.startswith(f"{file}:")] for file in files}


@pytest.fixture(scope="module")
def registry(folder) -> Iterator[Registry]:
    """The plugins of the guides, beside those that they stand on."""
    sys.path.insert(0, str(folder))
    try:
        made = [(name, importlib.import_module(f"threepeat_{name}.plugin").plugin) for name in PLUGINS]
        installed = [(point.name, point) for point in entry_points(group=GROUP) if point.name in BESIDE]
        yield Registry.load([*sorted(installed), *made])
    finally:
        sys.path.remove(str(folder))
        names = {f"threepeat_{name}" for name in PLUGINS}
        for module in [one for one in sys.modules if one.partition(".")[0] in names]:
            del sys.modules[module]


@pytest.fixture(scope="module")
def bench(cluster, registry, tmp_path_factory):
    with Bench.open(cluster, Project(PLUGINS[0]), tmp_path_factory.mktemp("bench"), registry=registry) as made:
        yield made


def test_every_guide_has_something_that_is_checked_and_no_python_that_is_not():
    assert len(GUIDES) >= 12
    for page in GUIDES:
        assert checked(page), page.name
        assert [one["text"] for one in blocks(page, "python", "sql") if not one["check"]] == [], page.name


def test_the_code_of_the_guides_is_typed(complaints):
    assert [line for file, lines in complaints.items() if file != "wrong.py" for line in lines] == []
    assert len(complaints) > len(PLUGINS)


def test_code_that_is_wrong_would_be_found(complaints):
    said = "\n".join(complaints["wrong.py"])
    assert '"OrderRefunded" has no attribute "order"' in said
    assert "[arg-type]" in said or "[misc]" in said


def test_toml_and_yaml_can_be_read():
    found = 0
    for page in GUIDES:
        for one in blocks(page, "toml", "yaml"):
            found += 1
            assert (tomllib.loads if one["kind"] == "toml" else yaml.safe_load)(one["text"])
    assert found >= 3


def test_the_published_package_is_described_as_the_example_is():
    page = next(page for page in GUIDES if page.stem == "publishing")
    said = tomllib.loads(blocks(page, "toml")[-1]["text"])["project"]
    example = (ROOT / "docs" / "examples" / "birthday" / "pyproject.toml").read_text("utf-8")
    meant = tomllib.loads(example)["project"]
    same = ("name", "description", "requires-python", "license", "dependencies", "entry-points")
    assert {name: said[name] for name in same} == {name: meant[name] for name in same}
    assert [Requirement(one).name for one in said["optional-dependencies"]["test"]]


def test_the_workflow_is_the_one_that_new_plugins_get():
    page = next(page for page in GUIDES if page.stem == "publishing")
    template = ROOT / "core" / "threepeat" / "cli" / "plugin" / "template" / "project"
    given = (template / ".github" / "workflows" / "ci.yml.jinja").read_text("utf-8")
    given = re.sub(r"\{% (end)?raw -%\}\n", "", given)
    assert yaml.safe_load(blocks(page, "yaml")[0]["text"]) == yaml.safe_load(given)


def test_what_a_project_says_of_itself_is_understood(tmp_path):
    page = next(page for page in GUIDES if page.stem == "testing")
    (tmp_path / "conformance.toml").write_text(blocks(page, "toml")[-1]["text"], "utf-8")
    project = Project.at(tmp_path, "polls")
    assert project.settings
    assert project.collections[0].keys() == {"name", "values", "steps"}
    assert project.events[0]["type"] == "order.paid"
    assert project.exempt.keys() == {"translated"}
    assert project.beside == ("points",)
    assert project.old_settings[0]["version"] == 1


def test_everything_loads(registry, folder):
    assert {name: registry.quarantined[name].reason for name in PLUGINS if name in registry.quarantined} == {}
    packages = {package.name.removeprefix("threepeat_") for package in folder.glob("threepeat_*")}
    assert packages == set(PLUGINS)
    for file in sorted(folder.glob("threepeat_*/*.py")):
        importlib.import_module(f"{file.parent.name}.{file.stem}".removesuffix(".__init__"))


def test_the_guide_to_translations_translates_everything(registry):
    assert untranslated(registry["onitsway"], "zh_CN") == []


@pytest.mark.parametrize("name", PLUGINS)
def test_what_a_guide_builds_handles_what_happens(bench, name):
    assert name not in bench.platform.registry.quarantined
    plugin = bench.platform.registry[name]
    mine = replace(bench, project=WITH.get(name, Project(name)))
    mine.__dict__["http"] = bench.http  # one server for all of them
    stand = mine.store()
    for declared in plugin.collections.values():
        listed = stand.call("GET", f"/v1/plugins/{name}/{declared.name}").json()
        assert [one["state"] for one in listed["items"]] == ["open"]
    for member in ("ann", "bob"):
        stand.live(member)
    for route in plugin.routes:
        assert phone.ask(stand, route).status_code in {200, 409}
    if plugin.metrics:
        assert stand.call("GET", f"/v1/metrics/{name}").status_code == 200
    if plugin.price_rules:
        line = {"id": "1", "sku": "tea", "quantity": 2, "unit_price": 500}
        quote = stand.call("POST", "/v1/quotes", {"lines": [line]}, token=stand.token()).json()
        assert (quote["total"], quote["left_out"]) == (900, [])
        held = stand.call("POST", f"/v1/quotes/{quote['id']}/reserve", token=stand.token()).json()
        assert held["state"] == "reserved"
    assert stand.letters() == []
