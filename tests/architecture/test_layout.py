"""House rules of the repository, executable; beside each one stands a counter-example that it rejects."""

import ast
import importlib
import os
import re
import subprocess
import symtable
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
SDK = ROOT / "core/threepeat/sdk"

# Spelled apart, so that the rules hold for this file too.
HOSTS = [".".join(parts) for parts in (("pypi", "org"), ("files", "python"))] + ["python" + "hosted", "npm" + "js"]
FOLDERS = ["/".join(("", name, "")) for name in ("work", "farm")]

CLOCKS = {
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "sqlalchemy.func.now",
    "time.time",
    "time.time_ns",
}
OUTSIDE = {
    "a registry's host": re.compile("|".join(map(re.escape, HOSTS)), re.IGNORECASE),
    "a path of one machine": re.compile(r"(?<!\w)/(?:work|farm)/"),
}
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def toml(path):
    return tomllib.loads(path.read_text("utf-8"))


def members(root):
    return toml(root / "pyproject.toml")["tool"]["uv"]["workspace"]["members"]


def packages(root, member):
    """Import packages of a distribution."""
    return toml(root / member / "pyproject.toml")["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


# --- Distributions ------------------------------------------------------------------------------------------


def distribution_faults(root):
    """What a distribution lacks, and the lists that forgot it or name one that is gone."""
    named = set(members(root))
    faults = [f"{member} does not exist" for member in named if not (root / member / "pyproject.toml").is_file()]
    for member in sorted(named):
        if (root / member / "pyproject.toml").is_file():
            typed = (root / member / package / "py.typed" for package in packages(root, member))
            faults += [
                f"{marker.relative_to(root).as_posix()} is missing" for marker in typed if not marker.is_file()
            ]
    listed = re.search(r"^PACKAGES := (.*)$", (root / "Makefile").read_text("utf-8"), re.MULTILINE)[1].split()
    tested = toml(root / "pyproject.toml")["tool"]["pytest"]["ini_options"]["testpaths"]
    faults += [f"{member}: PACKAGES and the workspace disagree" for member in sorted(named ^ set(listed))]
    faults += [
        f"{member}/tests is not in testpaths" for member in sorted(named) if f"{member}/tests" not in tested
    ]
    return faults


def untested(root):
    """Distributions whose tests folder holds no test; git would not even keep the folder."""
    return [member for member in members(root) if not any((root / member / "tests").rglob("test_*.py"))]


WORKSPACE = {
    "pyproject.toml": """
        tool.uv.workspace.members = ["core", "plugins/box"]
        tool.pytest.ini_options.testpaths = ["core/tests", "plugins/box/tests"]
        dependency-groups.dev = ["pytest>=9"]
    """,
    "Makefile": "PACKAGES := core plugins/box\n",
    "core/pyproject.toml": """
        project.name = "x-core"
        project.version = "0.1.0"
        project.dependencies = ["Rich>=14"]
        build-system.requires = ["hatchling>=1"]
        tool.hatch.build.targets.wheel.packages = ["x"]
    """,
    "core/x/py.typed": "",
    "core/tests/test_x.py": "",
    "plugins/box/pyproject.toml": """
        project.name = "x-box"
        project.version = "0.1.0"
        project.dependencies = ["x-core>=0.1,<0.2"]
        build-system.requires = ["hatchling>=1"]
        tool.hatch.build.targets.wheel.packages = ["x_box"]
    """,
    "plugins/box/x_box/py.typed": "",
    "plugins/box/tests/deep/test_box.py": "",
    "constraints.txt": "".join(
        f"{pin} \\\n    --hash=sha256:{'0' * 64}\n"
        for pin in ("hatchling==1.27", "pytest==9.0", "rich==15.0 ; python_version>'3'")
    ),
}


@pytest.fixture
def workspace(tmp_path):
    """A small repository that keeps every rule; tests break one of them."""
    for name, content in WORKSPACE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, "utf-8")
    return tmp_path


def edit(root, name, old, new):
    content = (root / name).read_text("utf-8")
    assert old in content
    (root / name).write_text(content.replace(old, new), "utf-8")


def test_every_distribution_is_complete_and_listed():
    assert distribution_faults(ROOT) == []


def test_every_distribution_holds_tests_of_its_own():
    assert untested(ROOT) == []


def test_a_distribution_without_tests_is_rejected(workspace):
    (workspace / "plugins/box/tests/deep/test_box.py").unlink()
    assert untested(workspace) == ["plugins/box"]


def test_a_complete_workspace_has_no_faults(workspace):
    assert distribution_faults(workspace) == []
    assert untested(workspace) == []
    assert dependency_faults(workspace) == []


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        ("plugins/box/pyproject.toml", "plugins/box does not exist"),
        ("plugins/box/x_box/py.typed", "plugins/box/x_box/py.typed is missing"),
    ],
)
def test_a_distribution_that_lacks_something_is_rejected(workspace, file, fault):
    (workspace / file).unlink()
    assert fault in distribution_faults(workspace)


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("Makefile", " plugins/box", "", "plugins/box: PACKAGES and the workspace disagree"),
        ("Makefile", "plugins/box", "plugins/box gone", "gone: PACKAGES and the workspace disagree"),
        ("pyproject.toml", ', "plugins/box/tests"', "", "plugins/box/tests is not in testpaths"),
    ],
)
def test_a_list_that_disagrees_with_the_workspace_is_rejected(workspace, file, old, new, fault):
    edit(workspace, file, old, new)
    assert distribution_faults(workspace) == [fault]


# --- Plugin code --------------------------------------------------------------------------------------------


def imported_names(tree):
    """Names that imports bind, each with the dotted name that it stands for."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {
                a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for a in node.names
            }
        elif isinstance(node, ast.ImportFrom):
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return names


def dotted(node, names):
    """The dotted name of an expression, with its imports resolved; empty if it is not a name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute) and (base := dotted(node.value, names)):
        return f"{base}.{node.attr}"
    return ""


def plugin_faults(source):
    """Clocks, transactions and floating point in the source of a plugin."""
    tree = ast.parse(source)
    names = imported_names(tree)
    faults = []
    for node in ast.walk(tree):
        name = dotted(node, names)
        if name in CLOCKS:
            faults.append(f"{node.lineno}: {name} is a clock; a plugin takes ctx.now")
        if name.rpartition(".")[2].lower() == "float":
            faults.append(f"{node.lineno}: {name} is no type for money; take integers")
        if isinstance(node, ast.Attribute) and node.attr in {"commit", "rollback"}:
            faults.append(f"{node.lineno}: .{node.attr} is not a plugin's to call")
    return faults


def plugin_files():
    for member in members(ROOT):
        if member.startswith("plugins/"):
            for package in packages(ROOT, member):
                yield from sorted((ROOT / member / package).rglob("*.py"))


ATTEMPTS = {"plugins/webhooks/threepeat_webhooks/sending.py"}
"""What runs with no transaction open, against other machines, by the wall clock and fractions of seconds."""


def test_plugins_read_no_clock_end_no_transaction_and_use_no_float():
    files = list(plugin_files())
    assert len(files) > len(members(ROOT))
    found = {file.relative_to(ROOT).as_posix(): plugin_faults(file.read_text("utf-8")) for file in files}
    assert {file: faults for file, faults in found.items() if faults and file not in ATTEMPTS} == {}


@pytest.mark.parametrize("name", ATTEMPTS)
def test_what_lives_by_the_wall_clock_has_nothing_of_a_store(name):
    source = (ROOT / name).read_text("utf-8")
    assert not any(module.startswith("threepeat.") for module in imported_names(ast.parse(source)).values())
    assert "ctx" not in source


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("from datetime import datetime\ndatetime.now()", "2: datetime.datetime.now"),
        ("from datetime import datetime as dt, UTC\nx = dt.now(UTC)", "2: datetime.datetime.now"),
        ("import datetime\ndatetime.datetime.now(tz=None)", "2: datetime.datetime.now"),
        ("import datetime as d\nField(default_factory=d.datetime.utcnow)", "2: datetime.datetime.utcnow"),
        ("from datetime import date\ndate.today()", "2: datetime.date.today"),
        ("def f():\n    import time\n    return time.time()", "3: time.time"),
        ("from time import time as t\nt()", "2: time.time"),
        ("import sqlalchemy as sa\nsa.func.now()", "2: sqlalchemy.func.now"),
        ("session.commit()", "1: .commit"),
        ("def f(ctx):\n    ctx.db.session().rollback()", "2: .rollback"),
        ("end = session.commit", "1: .commit"),
        ("float(fen) / 100", "1: float"),
        ("def price(fen: int | float): ...", "1: float"),
        ("import builtins as b\nb.float('1')", "2: builtins.float"),
        ("from sqlalchemy import Float\ncolumn = Column(Float)", "2: sqlalchemy.Float"),
    ],
)
def test_a_clock_a_transaction_or_a_float_in_a_plugin_is_rejected(source, fault):
    (found,) = plugin_faults(source)
    assert found.startswith(f"{fault} ")


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\nat: datetime = ctx.now",
        "import time\ntime.monotonic()",
        "now = ctx.now\nrow.now()",
        "'session.commit() and float(x) and datetime.now()'",
        "floating = 1",
    ],
)
def test_ordinary_plugin_code_is_accepted(source):
    assert plugin_faults(source) == []


# --- Tracked files ------------------------------------------------------------------------------------------


def git(root, *words):
    """Runs git in `root`, whoever owns it and whichever hook runs this."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-c", "safe.directory=*", "-C", root, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def tracked(root):
    return [name for name in git(root, "ls-files", "-z").split("\0") if name and (root / name).is_file()]


def tracking_faults(root):
    """Tracked files that only work in one place: registries' hosts, paths of one machine, a lock beside ours."""
    faults = [f"{name} is tracked" for name in tracked(root) if Path(name).name == "uv.lock"]
    for name in tracked(root):
        lines = (root / name).read_bytes().decode("utf-8", "replace").splitlines()
        for number, line in enumerate(lines, 1):
            faults += [
                f"{name}:{number} names {what}" for what, pattern in OUTSIDE.items() if pattern.search(line)
            ]
    return faults


def test_no_tracked_file_names_a_registry_or_a_machine():
    assert "pyproject.toml" in tracked(ROOT)
    assert tracking_faults(ROOT) == []


@pytest.mark.parametrize(
    ("name", "content", "faults"),
    [
        ("a.toml", f"\nurl = 'https://{HOSTS[0]}/simple'", ["a.toml:2 names a registry's host"]),
        ("a.toml", f"https://files.{HOSTS[2]}.org/packages", ["a.toml:1 names a registry's host"]),
        ("a.json", f'"resolved": "https://registry.{HOSTS[3]}.org/x"', ["a.json:1 names a registry's host"]),
        ("a.txt", f"{HOSTS[1]}.example", ["a.txt:1 names a registry's host"]),
        ("deep/a.py", f"open('{FOLDERS[0]}main')", ["deep/a.py:1 names a path of one machine"]),
        ("a.md", f"{FOLDERS[1]}in", ["a.md:1 names a path of one machine"]),
        ("é.md", f"see {FOLDERS[0]}x", ["é.md:1 names a path of one machine"]),
        ("deep/uv.lock", "", ["deep/uv.lock is tracked"]),
        ("a.md", "published on PyPI, homework/x, /v1/framework/x, /workspace", []),
    ],
)
def test_a_tracked_file_that_names_a_registry_or_a_machine_is_rejected(tmp_path, name, content, faults):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content, "utf-8")
    git(tmp_path, "init", "--quiet")
    assert tracking_faults(tmp_path) == []
    git(tmp_path, "add", "--force", ".")
    assert tracking_faults(tmp_path) == faults


# --- Constraints --------------------------------------------------------------------------------------------


def constraint_lines(text):
    """Lines of a requirements file, continued lines joined and comments left out."""
    lines = (line.strip() for line in text.replace("\\\n", " ").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def constraint_faults(text):
    """Lines of a constraints file that are options, or not pinned and hashed."""
    faults = []
    for line in constraint_lines(text):
        head, *options = re.split(r"\s+(?=--)", line)
        if head.startswith("-"):
            faults.append(f"{head.split()[0]} is an option")
        elif not re.fullmatch(r"==[^*,]+", str(Requirement(head).specifier)):
            faults.append(f"{head} is not pinned")
        elif not options:
            faults.append(f"{head} has no hash")
        faults += [f"{head} has {option}" for option in options if not HASH.fullmatch(option)]
    return faults


def dependency_faults(root):
    """Requirements of the distributions, their builds and their development that no constraint covers."""
    pins = {}
    for line in constraint_lines((root / "constraints.txt").read_text("utf-8")):
        pin = Requirement(re.split(r"\s+--", line)[0])
        pins.setdefault(canonicalize_name(pin.name), []).append(str(pin.specifier).removeprefix("=="))
    projects = {member: toml(root / member / "pyproject.toml") for member in members(root)}
    for project in projects.values():
        pins[canonicalize_name(project["project"]["name"])] = [project["project"]["version"]]
    asked = {"pyproject.toml": [*toml(root / "pyproject.toml")["dependency-groups"].values()]}
    for member, project in projects.items():
        extras = project["project"].get("optional-dependencies", {}).values()
        asked[member] = [project["project"].get("dependencies", []), *extras, project["build-system"]["requires"]]
    faults = []
    for place, groups in asked.items():
        for wanted in (Requirement(text) for group in groups for text in group):
            versions = pins.get(canonicalize_name(wanted.name), [])
            if not versions or not all(
                wanted.specifier.contains(version, prereleases=True) for version in versions
            ):
                faults.append(f"{place} asks for {wanted}, constraints.txt has {', '.join(versions) or 'none'}")
    return faults


def test_every_constraint_is_pinned_and_hashed_and_names_no_index():
    text = (ROOT / "constraints.txt").read_text("utf-8")
    assert len(constraint_lines(text)) > 50
    assert constraint_faults(text) == []


GOOD_HASH = f"--hash=sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("rich==15", ["rich==15 has no hash"]),
        (
            f"rich==15 ; python_version > '3' \\\n  {GOOD_HASH}\nmako==1 ; os_name == 'x'",
            ["mako==1 ; os_name == 'x' has no hash"],
        ),
        (f"rich>=15 {GOOD_HASH}", ["rich>=15 is not pinned"]),
        (f"rich==15.* {GOOD_HASH}", ["rich==15.* is not pinned"]),
        (f"rich @ https://example.com/r.whl {GOOD_HASH}", ["rich @ https://example.com/r.whl is not pinned"]),
        ("rich==15 --hash=md5:00", ["rich==15 has --hash=md5:00"]),
        ("--index-url https://example.com", ["--index-url is an option"]),
        ("-i https://example.com", ["-i is an option"]),
        ("--find-links=wheels", ["--find-links=wheels is an option"]),
        (f"# said by hand\n\nrich==15 \\\n    {GOOD_HASH} \\\n    {GOOD_HASH}\n", []),
    ],
)
def test_a_constraint_without_pin_or_hash_and_an_option_are_rejected(text, faults):
    assert constraint_faults(text) == faults


def test_the_constraints_cover_what_the_distributions_ask_for():
    assert dependency_faults(ROOT) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("core/pyproject.toml", "Rich>=14", "mako>=1", "core asks for mako>=1, constraints.txt has none"),
        ("core/pyproject.toml", "Rich>=14", "Rich>=16", "core asks for Rich>=16, constraints.txt has 15.0"),
        ("pyproject.toml", "pytest>=9", "ruff", "pyproject.toml asks for ruff, constraints.txt has none"),
        (
            "plugins/box/pyproject.toml",
            "hatchling>=1",
            "flit",
            "plugins/box asks for flit, constraints.txt has none",
        ),
        (
            "core/pyproject.toml",
            "0.1.0",
            "0.2.0",
            "plugins/box asks for x-core<0.2,>=0.1, constraints.txt has 0.2.0",
        ),
    ],
)
def test_a_requirement_that_no_constraint_covers_is_rejected(workspace, file, old, new, fault):
    edit(workspace, file, old, new)
    assert dependency_faults(workspace) == [fault]


def test_an_extra_that_no_constraint_covers_is_rejected(workspace):
    edit(
        workspace,
        "core/pyproject.toml",
        "build-system",
        "project.optional-dependencies.y = ['mako']\nbuild-system",
    )
    assert dependency_faults(workspace) == ["core asks for mako, constraints.txt has none"]


# --- The SDK's exports --------------------------------------------------------------------------------------


def export_order(name):
    """Constants, then classes, then the rest: the order that ruff keeps."""
    return (0 if len(name) > 1 and name.isupper() else 1 if name[0].isupper() else 2, name)


def export_faults(source):
    """Differences between `__all__` and the public names that a module binds."""
    assigned = {
        target.id: node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if "__all__" not in assigned:
        return ["there is no __all__"]
    exported = ast.literal_eval(assigned["__all__"])
    symbols = symtable.symtable(source, "module", "exec").get_symbols()
    bound = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
    faults = [f"{name} is not in __all__" for name in sorted(bound) if name[0] != "_" and name not in exported]
    faults += [f"{name} is not bound" for name in exported if name not in bound]
    if exported != sorted(set(exported), key=export_order):
        faults.append("__all__ is not sorted")
    return faults


def unimportable(module):
    return [name for name in module.__all__ if not hasattr(module, name)]


@pytest.mark.parametrize("file", sorted(SDK.rglob("__init__.py")), ids=lambda file: file.parent.name)
def test_the_sdk_exports_exactly_its_public_names(file):
    assert export_faults(file.read_text("utf-8")) == []
    module = importlib.import_module(".".join(file.parent.relative_to(ROOT / "core").parts))
    assert Path(module.__file__) == file
    assert unimportable(module) == []


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ("from a import B", ["there is no __all__"]),
        ("from a import B, c\n__all__ = ['B']", ["c is not in __all__"]),
        ("import a\nif a:\n    def b(): ...\n__all__ = ['a']", ["b is not in __all__"]),
        ("from a import B\n__all__ = ['B', 'C']", ["C is not bound"]),
        ("from a import B, c\n__all__ = ['c', 'B']", ["__all__ is not sorted"]),
        ("from a import B\n__all__ = ['B', 'B']", ["__all__ is not sorted"]),
        ("from a import _b, B, C_D, e\n__all__ = ['C_D', 'B', 'e']", []),
    ],
)
def test_an_export_list_that_differs_from_the_public_names_is_rejected(source, faults):
    assert export_faults(source) == faults


def test_an_export_that_cannot_be_imported_is_rejected():
    module = ModuleType("planted")
    module.__all__ = ["ghost"]
    assert unimportable(module) == ["ghost"]
