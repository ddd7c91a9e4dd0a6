"""A plugin's statement that its code does not name would be checked at every start, and run at none."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(folder.parent for folder in ROOT.glob("plugins/*/threepeat_*/sql"))


def unused(package):
    code = "\n".join(file.read_text("utf-8") for file in package.rglob("*.py"))
    return [file.stem for file in sorted(package.glob("sql/*.sql")) if f'"{file.stem}"' not in code]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_every_statement_is_named_in_the_code(package):
    assert unused(package) == []


def test_a_statement_that_nobody_names_is_found(tmp_path):
    (tmp_path / "sql").mkdir()
    for name in ("kept", "left"):
        (tmp_path / f"sql/{name}.sql").write_text("SELECT :tenant", "utf-8")
    (tmp_path / "plugin.py").write_text('ctx.sql("kept")', "utf-8")
    assert unused(tmp_path) == ["left"]
