"""Every promise names proofs that are there, every figure belongs to a promise, and a miss says why."""

import ast
import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
spec = importlib.util.spec_from_file_location("threepeat_docs_promises", DOCS / "promises.py")
promises = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(promises)

TOLD = tomllib.loads((DOCS / "promises.toml").read_text("utf-8"))["promise"]
FIGURE = {
    "value": 1.424,
    "bar": "≤ 1.3",
    "met": False,
    "said": "an order, 1,000 stores against 10: 142 and 100 µs",
    "command": "python tests/bench/growth.py",
    "date": "2026-01-01",
    "cpus": 2,
    "machine": "x86_64",
    "python": "3.11.1",
    "postgresql": "18.0",
    "along": "stores",
    "curve": [[10, 1], [100, 1.1], [1000, 1.424]],
}
PROMISE = {
    "id": "a",
    "title": "It grows, doesn't it",
    "promise": "It does.",
    "proof": ["make bench"],
    "limits": ["Not to the sky."],
    "row": [{"id": "tenants", "what": "an order", "bar": "≤ 1.3", "reason": "It reads them all."}],
}


def proof_faults(told, root):
    """Proofs that are not there."""
    verbs = re.findall(r"^([a-z-]+):", (root / "Makefile").read_text("utf-8"), re.MULTILINE)
    faults = []
    for proof in (proof for one in told for proof in one["proof"]):
        if proof.startswith("make "):
            verb, _, program = proof.removeprefix("make ").partition(" ONLY=")
            there = verb in verbs and (not program or (root / f"tests/bench/{program}.py").is_file())
        else:
            file, _, name = proof.partition("::")
            there = (root / file).is_file() and (not name or name in named_in(root / file))
        faults += [] if there else [proof]
    return faults


def named_in(file):
    tree = ast.parse(file.read_text("utf-8"))
    return {one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}


def figure_faults(told, figures):
    """Figures that are not one promise's, that were held to another bar, or that miss it without a reason."""
    rows = [row for one in told for row in one.get("row", [])]
    faults = []
    for name, figure in figures.items():
        mine = [row for row in rows if row["id"] == name]
        if len(mine) != 1:
            faults.append(f"{name} belongs to {len(mine)} promises")
        elif mine[0]["bar"] != figure["bar"]:
            faults.append(f"{name} was held to {figure['bar']}, promised is {mine[0]['bar']}")
        elif not figure["met"] and not mine[0].get("reason"):
            faults.append(f"{name} misses its bar, and no reason is given")
    return faults


def test_every_proof_is_there():
    assert proof_faults(TOLD, ROOT) == []


def test_a_proof_that_is_not_there_is_found(tmp_path):
    (tmp_path / "Makefile").write_text("bench: x\n", "utf-8")
    (tmp_path / "test_a.py").write_text("def test_b(): ...\n", "utf-8")
    (tmp_path / "tests/bench").mkdir(parents=True)
    (tmp_path / "tests/bench/run.py").touch()
    good = ["make bench", "make bench ONLY=run", "test_a.py", "test_a.py::test_b"]
    bad = ["make storm", "make storm ONLY=run", "make bench ONLY=b", "test_c.py", "test_a.py::test_c"]
    assert proof_faults([{"proof": good}, {"proof": bad}], tmp_path) == bad


def test_every_promise_is_whole():
    for one in TOLD:
        assert one["promise"].strip()
        assert one["proof"]
        assert one["limits"]
    assert len({one["id"] for one in TOLD}) == len(TOLD) >= 15


def test_every_figure_belongs_to_a_promise_and_a_miss_says_why():
    assert figure_faults(TOLD, promises.measured()) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"id": "other"}, "tenants belongs to 0 promises"),
        ({"bar": "≤ 2"}, "tenants was held to ≤ 1.3, promised is ≤ 2"),
        ({"reason": ""}, "tenants misses its bar, and no reason is given"),
    ],
)
def test_a_figure_without_promise_bar_or_reason_is_found(change, fault):
    told = [PROMISE | {"row": [PROMISE["row"][0] | change]}]
    assert figure_faults([PROMISE], {"tenants": FIGURE}) == []
    assert figure_faults(told, {"tenants": FIGURE}) == [fault]


def test_what_is_not_measured_yet_is_said():
    text = promises.page([PROMISE], {})
    assert "| an order | ≤ 1.3 | not measured yet | |" in text
    assert "| [It grows, doesn't it](#it-grows-doesnt-it) | not measured yet |" in text
    assert "Not met" not in text
    assert "It reads them all." not in text


def test_a_miss_is_told_with_its_reason_and_a_curve():
    text = promises.page([PROMISE], {"tenants": FIGURE})
    assert "| an order | ≤ 1.3 | 1.42, **not met** |" in text
    assert "**Not met: an order.** It reads them all." in text
    assert "| 0 of 1 |" in text
    assert "| `tenants` | `python tests/bench/growth.py` | 2026-01-01 | x86_64, 2 cores | 3.11.1 | 18.0 |" in text


def test_a_curve_is_drawn_to_scale():
    picture = ET.fromstring(promises.curve(FIGURE))
    line = next(one for one in picture if one.tag == "polyline")
    places = [tuple(map(float, place.split(","))) for place in line.attrib["points"].split()]
    (x1, y1), (x2, y2), (x3, y3) = places
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y1 > y2 > y3
    assert picture.attrib["aria-label"] == "stores: 10 → 1.00, 100 → 1.10, 1,000 → 1.42"


@pytest.mark.parametrize(
    ("value", "bar", "text"),
    [
        (0.714, "≥ 60%", "71%"),
        (0.99951, "≥ 99.9%", "100.0%"),
        (31.26, "≥ 25 ×", "31.3 ×"),
        (0, "0", "0"),
        (7.31, "≤ 10 s", "7.31 s"),
        (96.2, "≤ 150 ms", "96.2 ms"),
        (1.0449, "≤ 1.05", "1.04"),
    ],
)
def test_a_figure_has_the_form_of_its_bar(value, bar, text):
    assert promises.said(value, bar) == text
