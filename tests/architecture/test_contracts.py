"""The import contracts hold, and each one bites: a violation planted in a copy of the tree is rejected."""

import os
import re
import shutil
import subprocess
import sysconfig
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
CONTRACTS = {contract["id"]: contract for contract in SETTINGS["importlinter"]["contracts"]}
MEMBERS = SETTINGS["uv"]["workspace"]["members"]
ROOMS = {entry.name for entry in (ROOT / "core/threepeat").iterdir() if any(entry.glob("*.py"))}


def packages_of(member):
    settings = tomllib.loads((ROOT / member / "pyproject.toml").read_text("utf-8"))["tool"]
    return settings["hatch"]["build"]["targets"]["wheel"]["packages"]


PACKAGES = [(member, package) for member in MEMBERS for package in packages_of(member)]
PLUGINS = {package for member, package in PACKAGES if member.startswith("plugins/")}


@dataclass(frozen=True)
class Plant:
    """A file that breaks a contract, and the sentences with which import-linter must say so."""

    contract: str
    says: str
    file: str
    source: str
    reports: tuple[str, ...]

    def __str__(self):
        return f"{self.contract}: {self.says}"


def imports(contract, says, file, *targets):
    """A plant that imports `targets`; import-linter must report each of them, from the planted module."""
    parts = Path(file).with_suffix("").parts
    first = next(index for index, part in enumerate(parts) if part.startswith("threepeat"))
    module = ".".join(parts[first:])
    source = "".join(f"import {target}\n" for target in targets)
    lines = (f"{module} -> {target} (l.{number})" for number, target in enumerate(targets, 1))
    return Plant(contract, says, file, source, tuple(lines))


POINTS = "plugins/points/threepeat_points/planted.py"
ORDERS = "plugins/orders/threepeat_orders/planted.py"
TENANTS = "tenants/threepeat_tenants/planted.py"
WORKER = "core/threepeat/worker/planted.py"
LAZY = "def late() -> object:\n    from threepeat.database import engine\n    return engine\n"
GUARDED = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from threepeat.tenancy import tenants\n"

PLANTS = [
    imports("layers", "the SDK imports a room", "core/threepeat/sdk/planted.py", "threepeat.database"),
    imports("layers", "a room imports upwards", "core/threepeat/tenancy/planted.py", "threepeat.events"),
    imports("layers", "the worker imports HTTP", WORKER, "threepeat.http.app"),
    imports("layers", "a room imports testing", "core/threepeat/http/planted.py", "threepeat.testing"),
    imports("layers", "testing imports the commands", "core/threepeat/testing/planted.py", "threepeat.cli"),
    imports("layers", "plugins import the database", "core/threepeat/plugins/planted.py", "threepeat.database"),
    imports("layers", "the database imports plugins", "core/threepeat/database/planted.py", "threepeat.plugins"),
    Plant("layers", "a new room has no layer", "core/threepeat/attic/__init__.py", "", ("- threepeat.attic",)),
    imports("door", "a plugin imports the engine", POINTS, "threepeat.database.engine"),
    imports(
        "door", "a service imports any room", ORDERS, *sorted(f"threepeat.{room}" for room in ROOMS - {"sdk"})
    ),
    imports("door", "a plugin imports the tenants", POINTS, "threepeat_tenants"),
    Plant("door", "a function imports late", POINTS, LAZY, ("planted -> threepeat.database.engine (l.2)",)),
    Plant("door", "types count as imports", POINTS, GUARDED, ("planted -> threepeat.tenancy.tenants (l.3)",)),
    imports("strangers", "points imports orders", POINTS, "threepeat_orders"),
    imports("strangers", "orders imports points", ORDERS, "threepeat_points.ledger"),
    imports("guests", "core imports a tactic", WORKER, "threepeat_points"),
    imports("guests", "core imports a service", "core/threepeat/cli/planted.py", "threepeat_orders"),
    imports("guests", "core imports the tenants", "core/threepeat/http/planted.py", "threepeat_tenants"),
    imports("pluggy", "HTTP imports it", "core/threepeat/http/planted.py", "pluggy"),
    imports("pluggy", "a plugin imports it", POINTS, "pluggy"),
    imports("fastapi", "the worker imports it", WORKER, "fastapi"),
    imports("fastapi", "the SDK imports it", "core/threepeat/sdk/planted.py", "fastapi"),
    imports("fastapi", "tenancy imports Starlette", "core/threepeat/tenancy/planted.py", "starlette"),
    imports("alembic", "HTTP imports it", "core/threepeat/http/planted.py", "alembic"),
    imports("alembic", "the tenants import it", TENANTS, "alembic"),
]


def lint(tree, *contracts):
    """Runs import-linter on the packages in `tree`, which come before the installed ones."""
    chosen = [word for contract in contracts for word in ("--contract", contract)]
    environment = {key: value for key, value in os.environ.items() if key != "FORCE_COLOR"}
    environment |= {"NO_COLOR": "1", "COLUMNS": "1000"}
    environment["PYTHONPATH"] = os.pathsep.join(str(tree / member) for member in MEMBERS)
    return subprocess.run(
        [Path(sysconfig.get_path("scripts"), "lint-imports"), "--no-logo", "--no-cache", *chosen],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def analysed(outcome):
    """How many files the run looked at."""
    return int(re.search(r"Analyzed (\d+) files", outcome.stdout)[1])


@pytest.fixture
def copy(tmp_path):
    """A tree with the modules of every distribution and the repository's own contracts."""
    for member, package in PACKAGES:
        source, target = ROOT / member / package, tmp_path / member / package
        for file in source.rglob("*.py"):
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    return tmp_path


def test_the_tree_keeps_every_contract():
    outcome = lint(ROOT)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert [name for name in CONTRACTS.values() if f"{name['name']} KEPT" not in outcome.stdout] == []
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in outcome.stdout


def test_an_unplanted_copy_keeps_every_contract_and_it_is_the_copy_that_is_analysed(copy):
    before = lint(copy)
    assert before.returncode == 0, before.stdout + before.stderr
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in before.stdout
    for member, package in PACKAGES:
        (copy / member / package / "harmless").mkdir()
        (copy / member / package / "harmless" / "__init__.py").touch()
    assert analysed(lint(copy, "strangers")) == analysed(before) + len(PACKAGES)


def test_every_contract_has_a_planted_violation():
    assert len(CONTRACTS) == len(SETTINGS["importlinter"]["contracts"])
    assert {plant.contract for plant in PLANTS} == set(CONTRACTS)


@pytest.mark.parametrize("plant", PLANTS, ids=str)
def test_a_planted_violation_is_rejected(copy, plant):
    file = copy / plant.file
    assert not file.exists()
    file.parent.mkdir(exist_ok=True)
    file.write_text(plant.source, "utf-8")
    outcome = lint(copy, plant.contract)
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    assert f"{CONTRACTS[plant.contract]['name']} BROKEN" in outcome.stdout
    assert "Contracts: 0 kept, 1 broken." in outcome.stdout
    assert [line for line in plant.reports if line not in outcome.stdout] == []


def test_every_distribution_is_under_the_contracts():
    assert set(SETTINGS["importlinter"]["root_packages"]) == {package for _, package in PACKAGES}
    assert SETTINGS["importlinter"]["include_external_packages"]


def test_every_plugin_is_under_the_contracts_about_plugins():
    assert set(CONTRACTS["door"]["source_modules"]) == PLUGINS
    assert set(CONTRACTS["strangers"]["modules"]) == PLUGINS
    assert set(CONTRACTS["guests"]["forbidden_modules"]) == PLUGINS | {"threepeat_tenants"}
    assert set(CONTRACTS["pluggy"]["source_modules"]) >= PLUGINS


def test_the_door_shuts_every_room_but_the_sdk():
    shut = {f"threepeat.{room}" for room in ROOMS - {"sdk"}} | {"threepeat_tenants"}
    assert set(CONTRACTS["door"]["forbidden_modules"]) == shut


@pytest.mark.parametrize(
    ("contract", "open_rooms"),
    [
        ("pluggy", {"sdk", "plugins"}),
        ("fastapi", {"cli", "testing", "http"}),
        ("alembic", {"sdk", "database", "testing"}),
    ],
)
def test_a_library_is_shut_out_of_every_room_but_its_own(contract, open_rooms):
    shut = {module for module in CONTRACTS[contract]["source_modules"] if module.startswith("threepeat.")}
    assert shut == {f"threepeat.{room}" for room in ROOMS - open_rooms}


def test_the_sdk_is_the_lowest_layer():
    assert CONTRACTS["layers"]["layers"][-1] == "sdk"
    assert CONTRACTS["layers"]["exhaustive"]


def test_no_contract_makes_an_exception():
    assert [key for key, contract in CONTRACTS.items() if contract.get("ignore_imports")] == []
