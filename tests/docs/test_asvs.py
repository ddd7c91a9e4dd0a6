"""Every requirement of the standard is answered once, and what proves it is there."""

import ast
import copy
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
from tests.docs.test_reference import reference

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = {
    file.stem: tomllib.loads(file.read_text("utf-8")) for file in sorted(reference.REQUIREMENTS.glob("v*.toml"))
}
REASONS = tomllib.loads((reference.REQUIREMENTS / "reasons.toml").read_text("utf-8"))
ANSWERS = {"tests", "pages", "reason", "unmet"}
COUNTED = {"1": 70, "2": 183, "3": 92}
"""How many requirements version 5.0.0 has on each level, as its own English edition lists them."""


@cache
def names(path):
    """The tests of a file; None if there is no such file."""
    file = ROOT / path
    if not file.is_file():
        return None
    body = ast.parse(file.read_text("utf-8")).body
    return {one.name for one in body if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")}


def headings(page):
    return set(re.findall(r"^#+ (.+)$", (ROOT / page).read_text("utf-8"), re.MULTILINE))


def faults(chapters, reasons):
    found = []
    for number, chapter in enumerate(chapters.values(), 1):
        wanted = {
            f"{section}.{at}"
            for section, levels in chapter["levels"].items()
            for at, level in enumerate(levels, 1)
            if level in "12"
        }
        given = chapter["requirements"]
        found += [f"{name} is not answered" for name in sorted(wanted - set(given))]
        found += [f"{name} is not asked on level 1 or 2" for name in sorted(set(given) - wanted)]
        found += [
            f"{section} is of another chapter"
            for section in chapter["levels"]
            if not section.startswith(f"{number}.")
        ]
        for name, one in given.items():
            found += [f"{name}: {fault}" for fault in answer_faults(one, reasons)]
    used = {one.get("reason") for chapter in chapters.values() for one in chapter["requirements"].values()}
    return found + [f"the reason {key} is nobody's" for key in reasons if key not in used]


def answer_faults(one, reasons):
    if len(ANSWERS & set(one)) != 1 or set(one) - ANSWERS - {"asks", "note"}:
        yield f"has to have one of {', '.join(sorted(ANSWERS))}"
    if not one.get("asks") or not all(one.values()):
        yield "says nothing"
    for test in one.get("tests", ()):
        path, _, name = test.partition("::")
        if name not in (names(path) or ()):
            yield f"there is no {test}"
    for page in one.get("pages", ()):
        path, _, heading = page.partition("#")
        if not (ROOT / path).is_file() or (heading and heading not in headings(path)):
            yield f"there is no {page}"
    if "reason" in one and one["reason"] not in reasons:
        yield f"nobody says what {one['reason']} is"


def test_every_requirement_is_answered_once_by_what_is_there():
    assert faults(CHAPTERS, REASONS) == []


def test_the_list_has_as_many_requirements_as_the_standard():
    every = "".join(levels for chapter in CHAPTERS.values() for levels in chapter["levels"].values())
    assert {level: every.count(level) for level in "123"} == COUNTED
    assert list(CHAPTERS) == [f"v{number:02}" for number in range(1, 18)]


def planted(**changes):
    chapters = copy.deepcopy(CHAPTERS)
    one = chapters["v01"]["requirements"]["1.2.4"]
    one.clear()
    one |= {"asks": "Something", **changes}
    return chapters


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, "1.2.4: has to have one of pages, reason, tests, unmet"),
        ({"tests": ["tests/docs/test_asvs.py::test_x"], "unmet": "much"}, "1.2.4: has to have one of"),
        ({"unmet": ""}, "1.2.4: says nothing"),
        ({"tests": []}, "1.2.4: says nothing"),
        ({"tests": ["tests/docs/test_asvs.py::test_x"]}, "1.2.4: there is no tests/docs/test_asvs.py::test_x"),
        ({"tests": ["tests/docs/test_x.py::test_x"]}, "1.2.4: there is no tests/docs/test_x.py::test_x"),
        ({"pages": ["docs/index.md#Nothing"]}, "1.2.4: there is no docs/index.md#Nothing"),
        ({"reason": "moon"}, "1.2.4: nobody says what moon is"),
        ({"unmet": "much", "why": "so"}, "1.2.4: has to have one of"),
    ],
)
def test_an_answer_that_is_none_is_found(changes, fault):
    assert faults(planted(**changes), REASONS)[0].startswith(fault)


def test_a_requirement_that_is_left_out_or_made_up_is_found():
    chapters = copy.deepcopy(CHAPTERS)
    del chapters["v17"]["requirements"]["17.1.1"]
    chapters["v17"]["requirements"]["17.1.2"] = {"asks": "Something of level 3", "unmet": "much"}
    assert faults(chapters, REASONS | {"moon": "…"}) == [
        "17.1.1 is not answered",
        "17.1.2 is not asked on level 1 or 2",
        "the reason moon is nobody's",
    ]


def test_the_page_says_what_the_files_say():
    page = (ROOT / "docs/security/asvs.md").read_text("utf-8")
    assert page.partition("\n\n")[2] == reference.requirements(reference.REQUIREMENTS).strip() + "\n"
    every = {name: one for chapter in CHAPTERS.values() for name, one in chapter["requirements"].items()}
    assert [name for name in every if f"| {name} |" not in page] == []
    unmet = {name for name, one in every.items() if "unmet" in one}
    assert set(re.findall(r"^- \*\*([\d.]+)\*\*", page, re.MULTILINE)) == unmet
    assert unmet
