"""The documentation says what the code says; beside each rule stands something undocumented that it finds."""

import copy
import importlib.util
import inspect
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from threepeat.http import consents, me, members, privacy, tactics
from threepeat.sdk import Plugin
from threepeat.sdk.events import Event
from threepeat.sdk.plugin import hookspec
from threepeat.worker.loop import WorkerConfig

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")


def load(name):
    spec = importlib.util.spec_from_file_location(f"threepeat_docs_{name}", DOCS / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = load("reference")


# --- The reference pages ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed():
    """What the pages describe; whoever changes the app takes one of their own."""
    return reference.Sources.installed()


@pytest.fixture(scope="module")
def written(installed):
    """The pages of the code as it is."""
    return reference.pages(installed)


def test_the_reference_pages_are_what_the_code_says(written):
    assert reference.stale(written) == []


class PlantedPlugin(Plugin):
    """A contract with one hook more."""

    @hookspec
    def on_full_moon(self, ctx):
        """Called when the moon is full."""


class MoonSeen(Event, frozen=True, kw_only=True):
    """A member saw the moon."""

    type: ClassVar[str] = "moon.seen"
    phase: str


class PlantedConfig(WorkerConfig):
    """A configuration with one variable more."""

    full_moon: bool = Field(default=True, description="Whether the moon is full.")


def planted_hook(sources):
    return replace(sources, contract=PlantedPlugin)


def planted_event(sources):
    return replace(sources, events=(*sources.events, MoonSeen))


def planted_event_of_a_plugin(sources):
    first, *others = sources.plugins
    return replace(sources, plugins=[replace(first, events=(*first.events, MoonSeen)), *others])


def planted_setting(sources):
    first, *others = sources.plugins

    class Settings(first.plugin.settings_model):
        full_moon: bool = Field(default=True, description="Whether the moon is full.")

    class Planted(type(first.plugin)):
        settings_model = Settings

    return replace(sources, plugins=[replace(first, plugin=Planted()), *others])


def planted_verb(sources):
    commands = copy.copy(sources.commands)
    commands.registered_commands = [*commands.registered_commands]

    @commands.command()
    def full_moon(phase: int = 4) -> None:
        """Say when the moon is full."""

    return replace(sources, commands=commands)


def planted_variable(sources):
    return replace(sources, configuration=[*sources.configuration, PlantedConfig])


def planted_route(sources):
    @sources.http.get("/v1/tactics/full_moon", summary="Say when the moon is full", tags=["tactics"])
    def full_moon() -> None: ...

    return sources


@pytest.mark.parametrize(
    ("plant", "page", "text"),
    [
        (planted_hook, "reference/hooks.md", "### `on_full_moon`"),
        (planted_event, "reference/events.md", "## `moon.seen`"),
        (planted_event_of_a_plugin, "reference/events.md", "## `moon.seen`"),
        (planted_setting, "reference/settings.md", "`full_moon`"),
        (planted_verb, "reference/cli.md", "## `threepeat full-moon`"),
        (planted_variable, "reference/configuration.md", "`THREEPEAT_WORKER_FULL_MOON`"),
        (planted_route, "reference/http.md", "## `GET /v1/tactics/full_moon`"),
    ],
)
def test_something_new_that_the_pages_do_not_have_is_found(
    installed, written, plant, page, text, monkeypatch, capsys
):
    sources = reference.Sources.installed() if plant is planted_route else installed
    after = reference.pages(plant(sources))
    assert text not in written[page]
    assert text in after[page]
    assert reference.stale(after) == [page]

    monkeypatch.setattr(reference, "pages", lambda: after)
    monkeypatch.setattr(sys, "argv", ["reference.py", "--check"])
    assert reference.main() == 1
    assert f"docs/{page} is not what the code says" in capsys.readouterr().err


def test_a_page_that_is_missing_or_edited_is_found_and_written_again(written, tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "pages", lambda: written)
    monkeypatch.setattr(reference, "FOLDER", tmp_path / "docs")
    monkeypatch.setattr(sys, "argv", ["reference.py"])
    assert sorted(reference.stale(written, reference.FOLDER)) == sorted(written)
    assert reference.main() == 0
    (reference.FOLDER / "reference/cli.md").write_text("edited", "utf-8")
    assert reference.stale(written, reference.FOLDER) == ["reference/cli.md"]
    assert reference.main() == 0
    assert reference.stale(written, reference.FOLDER) == []


def test_a_route_whose_callers_nobody_has_named_is_not_documented_by_guessing():
    sources = reference.Sources.installed()

    @sources.http.get("/v1/moon", summary="Say when the moon is full", tags=["moon"])
    def full_moon() -> None: ...

    with pytest.raises(KeyError, match="moon"):
        reference.pages(sources)


def test_the_pages_depend_on_no_terminal(installed, written, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "dumb")
    assert reference.pages(installed) == written


def test_the_callers_of_each_route_are_those_that_its_code_lets_in(written):
    page = written["reference/http.md"]
    callers = {
        "manage": "For an API key with the scope `manage`.",
        "read": "For an API key with the scope `read` or `manage`.",
        "member": "For a member token.",
        "anyone": "For anyone.",
    }
    checked = 0
    for module in (members, tactics, me, consents, privacy):
        for route in module.router.routes:
            found = re.search(r"door\.(member|manage|read)\b", inspect.getsource(route.endpoint))
            gate = found[1] if found else "anyone"
            (method,) = route.methods
            section = page.partition(f"## `{method} {route.path}`\n")[2].partition("\n## ")[0]
            assert callers[gate] in section, route.path
            checked += 1
    assert checked > 5


# --- Links, decisions, build --------------------------------------------------------------------------------


def documents():
    return [ROOT / "README.md", *(file for file in sorted(DOCS.rglob("*.md")) if "_build" not in file.parts)]


def broken_links(file):
    targets = LINK.findall(FENCE.sub("", file.read_text("utf-8")))
    return [
        target
        for target in targets
        if not re.match(r"[a-z]+:", target) and not (file.parent / target).resolve().is_file()
    ]


@pytest.mark.parametrize("file", documents(), ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_to_a_file(file):
    assert broken_links(file) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    file = tmp_path / "a.md"
    file.write_text(
        "[a](a.md) [b](b.md#part) [c](https://c.example/d) [e](deep/e.md)\n```\n[f](f.md)\n```\n", "utf-8"
    )
    assert broken_links(file) == ["b.md", "deep/e.md"]


def picture_faults(folder, texts):
    shown = {Path(target).name for text in texts for target in LINK.findall(text)}
    pictures = sorted(folder.glob("*.png"))
    faults = [f"{picture.name} is shown nowhere" for picture in pictures if picture.name not in shown]
    return faults + [f"{picture.name} is large" for picture in pictures if picture.stat().st_size > 150_000]


def test_every_picture_is_shown_and_small():
    assert picture_faults(DOCS / "images", [file.read_text("utf-8") for file in documents()]) == []


def test_a_picture_that_is_shown_nowhere_or_large_is_found(tmp_path):
    (tmp_path / "a.png").write_bytes(bytes(150_001))
    (tmp_path / "b.png").write_bytes(b"")
    assert picture_faults(tmp_path, ["![a](../images/a.png)"]) == ["b.png is shown nowhere", "a.png is large"]


def decision_faults(folder):
    listed = re.findall(r"^(\d{4}-\S+)$", (folder / "index.md").read_text("utf-8"), re.MULTILINE)
    there = sorted(file.stem for file in folder.glob("[0-9]*.md"))
    faults = [f"{name} is not in the index, or twice" for name in there if listed.count(name) != 1]
    faults += [f"{name} is not there" for name in listed if name not in there]
    for name in there:
        text = (folder / f"{name}.md").read_text("utf-8")
        faults += [f"{name} lacks {part}" for part in PARTS if part not in text]
    return faults


PARTS = ("\nStatus: ", "\n## Context\n", "\n## Decision\n", "\n## Consequences\n")


def test_every_decision_is_in_the_index_and_has_all_its_parts():
    assert len(list((DOCS / "adr").glob("0*.md"))) >= 10
    assert decision_faults(DOCS / "adr") == []


def test_a_decision_outside_the_index_or_without_a_part_is_found(tmp_path):
    (tmp_path / "index.md").write_text("0001-a\n0003-c\n", "utf-8")
    (tmp_path / "0001-a.md").write_text("".join(PARTS), "utf-8")
    (tmp_path / "0002-b.md").write_text("".join(PARTS[1:]), "utf-8")
    assert decision_faults(tmp_path) == [
        "0002-b is not in the index, or twice",
        "0003-c is not there",
        "0002-b lacks \nStatus: ",
    ]


def test_the_documentation_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", DOCS, tmp_path / "html"]
    done = subprocess.run(
        [*command, "-d", tmp_path / "doctrees"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "html" / "reference" / "hooks.html").is_file()
