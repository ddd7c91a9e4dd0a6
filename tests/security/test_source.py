"""What no code of ours does, whatever it is for; beside each rule stands code that it rejects."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "core/threepeat",
    "tenants/threepeat_tenants",
    *(f"plugins/{one.name}" for one in (ROOT / "plugins").iterdir()),
)
SCRIPTS = ROOT / "tenants/threepeat_tenants/console/static"

CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "yaml.load",
    "ssl._create_unverified_context",
}
MODULES = {"pickle", "marshal", "shelve", "dill", "xml", "lxml", "pickletools", "telnetlib", "ftplib", "smtplib"}
"""What makes objects or documents of bytes without asking which, or speaks in the clear."""
HASHES = {"md5", "sha1", "new"}
CHANCE = {
    "core/threepeat/cli/simulation.py",
    "core/threepeat/worker/calls.py",
    "plugins/webhooks/threepeat_webhooks/delivering.py",
}
"""Where chance guards nothing: it spreads attempts, and makes up a store to try things in."""
CRYPTOGRAPHY = {
    "cryptography.exceptions",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.hazmat.primitives.hashes",
    "cryptography.hazmat.primitives.kdf.hkdf",
    "cryptography.hazmat.primitives.serialization",
}
DIGESTS = {"sha256", "blake2b"}
SECRET = re.compile(r"digest\(\)$|secret_hash$")
PUBLISHED = "evidence['commitment']"
"""What a digest may be compared with as any text is: everybody knows it."""

MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|(local|session)Storage"
    r"|indexedDB|document\.cookie|postMessage|__proto__|constructor\.prototype|Object\.assign\(|['\"]message['\"]"
)
OWN = {("live.js", "template.innerHTML = html;")}
"""A part of a page that our own server has rendered, and escaped, as it is put into the page that is open."""


def sources() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            name = file.relative_to(ROOT).as_posix()
            if not {"tests", "build"} & set(file.parts):
                yield name, file.read_text("utf-8")


def faults(name: str, text: str) -> list[str]:
    """What a file does that none may."""
    found = []
    tree = ast.parse(text)
    for node in ast.walk(tree):
        modules = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [f"{name}:{node.lineno} imports {one}" for one in modules if one.split(".")[0] in MODULES]
        if name not in CHANCE:
            found += [f"{name}:{node.lineno} imports {one}" for one in modules if one == "random"]
        if isinstance(node, ast.Call):
            found += [f"{name}:{node.lineno} {why}" for why in _call_faults(node)]
    return found


def _call_faults(node: ast.Call) -> Iterator[str]:
    called = ast.unparse(node.func)
    if called in CALLS:
        yield f"calls {called}"
    if called.startswith("hashlib.") and called.partition(".")[2] in HASHES:
        yield f"calls {called}"
    for given in node.keywords:
        value = ast.unparse(given.value)
        if (given.arg, value) in {("shell", "True"), ("verify", "False"), ("verify_mode", "ssl.CERT_NONE")}:
            yield f"says {given.arg}={value}"
    if called.startswith("re.") and node.args and isinstance(node.args[0], ast.JoinedStr):
        holes = (one.value for one in node.args[0].values if isinstance(one, ast.FormattedValue))
        yield from (f"puts {ast.unparse(one)} into a pattern" for one in holes if not _safe(one))


def _safe(hole: ast.expr) -> bool:
    """Whether it is escaped, or a constant of the file."""
    return "re.escape" in ast.unparse(hole) or (isinstance(hole, ast.Name) and hole.id.isupper())


def primitives(name: str, text: str) -> list[str]:
    """What a file takes of cryptography that is not on the list."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cryptography"):
            found += [f"{name} takes {node.module}"] if node.module not in CRYPTOGRAPHY else []
        if isinstance(node, ast.ImportFrom) and node.module == "hashlib":
            found += [f"{name} takes hashlib.{one.name}" for one in node.names if one.name not in DIGESTS]
        if isinstance(node, ast.Import):
            found += [f"{name} takes {one.name}" for one in node.names if one.name.split(".")[0] == "cryptography"]
        if isinstance(node, ast.Compare) and any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops):
            sides = [ast.unparse(one) for one in (node.left, *node.comparators)]
            if PUBLISHED not in sides and any(SECRET.search(side) for side in sides):
                found.append(f"{name}:{node.lineno} compares {' and '.join(sides)}")
    return found


def test_no_code_does_what_lets_strangers_in():
    files = list(sources())
    assert len(files) > 300
    assert [fault for name, text in files for fault in faults(name, text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "eval(given)",
        "exec(given)",
        "import pickle",
        "from xml.etree import ElementTree",
        "import random",
        "os.system(given)",
        "subprocess.run(given, shell=True)",
        "hashlib.md5(given)",
        "httpx2.get(url, verify=False)",
        "re.search(f'^{given}$', text)",
    ],
)
def test_code_that_lets_strangers_in_is_found(text):
    assert len(faults("a.py", text)) == 1


@pytest.mark.parametrize(
    "text", ["re.search(f'^{re.escape(given)}$', text)", "subprocess.run([given])", "import secrets"]
)
def test_ordinary_code_is_not(text):
    assert faults("a.py", text) == []


def test_secrets_are_made_and_compared_by_known_libraries():
    assert [fault for name, text in sources() for fault in primitives(name, text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "from cryptography.hazmat.primitives.ciphers import modes",
        "import cryptography.hazmat.primitives.padding",
        "from hashlib import md5",
        "same = sha256(given).hexdigest() == stored",
        "same = given == row.secret_hash",
    ],
)
def test_cryptography_that_is_not_on_the_list_is_found(text):
    assert len(primitives("a.py", text)) == 1


def script_faults(name: str, text: str) -> list[str]:
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [f"{name}:{number} {line}" for number, line in lines if MARKUP.search(line) and (name, line) not in OWN]


def test_no_script_makes_markup_or_keeps_anything():
    scripts = {file.name: file.read_text("utf-8") for file in SCRIPTS.glob("*.js")}
    assert len(scripts) >= 4
    assert [fault for name, text in scripts.items() for fault in script_faults(name, text)] == []


@pytest.mark.parametrize(
    "text", ["a.innerHTML = given", "localStorage.a = given", "addEventListener('message', f)"]
)
def test_a_script_that_does_is_found(text):
    assert len(script_faults("a.js", text)) == 1
