"""The plugins of the documentation are packages of their own, and the tutorial builds one of them step by step."""

import re
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from developers import Environment

DOCS = Path(__file__).resolve().parents[2] / "docs"
TUTORIAL = DOCS / "tutorial" / "birthday.md"
EXAMPLE = DOCS / "examples" / "birthday"
STEP = re.compile(
    r"^```\{literalinclude\} \.\./examples/birthday/(?P<file>\S+)$|^<!-- run -->\n```bash\n(?P<script>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
SHOWN = re.compile(r"^```text\n(.*?)^```$", re.DOTALL | re.MULTILINE)
IGNORED = shutil.ignore_patterns("__pycache__", ".*", "*.egg-info")


@pytest.mark.long
def test_the_tutorial_builds_the_birthday_plugin_step_by_step(tmp_path):
    text, environment = TUTORIAL.read_text("utf-8"), Environment(tmp_path / "env")
    project, printed = tmp_path / "birthday", ""
    for step in STEP.finditer(text):
        if file := step["file"]:
            (project / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(EXAMPLE / file, project / file)
        else:
            printed += environment.run(step["script"], project)
    assert [line for block in SHOWN.findall(text) for line in block.splitlines() if line not in printed] == []
    wanted = {str(file.relative_to(EXAMPLE)) for file in EXAMPLE.rglob("*") if file.is_file() and mine(file)}
    built = {str(file.relative_to(project)) for file in project.rglob("*") if file.is_file() and mine(file)}
    assert built == wanted


def mine(file):
    return not any(part.startswith(".") or part == "__pycache__" for part in file.parts)


@pytest.mark.long
@pytest.mark.parametrize("name", ["birthday", "weatherpack"])
def test_an_example_passes_everything_as_a_package_of_its_own(tmp_path, name):
    environment, project = Environment(tmp_path / "env"), tmp_path / name
    shutil.copytree(DOCS / "examples" / name, project, ignore=IGNORED)
    environment.run('pip install --quiet -e ".[test]"', project)
    environment.run(f"mypy --strict threepeat_{name}", project)
    environment.run("pytest -q", project)
    environment.run("threepeat plugin check --strict", project)
