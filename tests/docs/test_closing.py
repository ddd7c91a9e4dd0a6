"""The table of what still runs while a tactic closes, and the test of its cells, name the same cells."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load(name):
    place = ROOT / "tests" / "closing" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"threepeat_closing_{name}", place)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


stores = load("conftest")  # it comes first: the tests stand on what it finds
tests = load("test_closing")
PAGE = tests.PAGE.read_text("utf-8")


def faults(page):
    """Where a page's table and the cells that are tested for the toy, which has all of them, differ."""
    said = {(row, state) for row, words in tests.table(page).items() for state in words}
    tested = {(row, state) for row in tests.ROWS for state in stores.STATES}
    empty = [
        f"{row}, {state}: empty" for row, words in tests.table(page).items() for state in words if not words[state]
    ]
    return empty + [
        f"{row}, {state}: {side}" for side, pairs in sides(said, tested) for row, state in sorted(pairs)
    ]


def sides(said, tested):
    return (("not tested", said - tested), ("not on the page", tested - said))


def unexplained(page):
    """Words of the table that the page does not explain."""
    words = {word for row in tests.table(page).values() for word in row.values()}
    explained = set(re.findall(r"^- `([^`]+)`", page, re.MULTILINE))
    hooks = set(tests.HOOKS)
    return sorted(word for word in words if not set(word.split(", ")) <= hooks and word not in explained)


def test_the_table_and_the_tests_name_the_same_cells():
    assert faults(PAGE) == []
    assert len(tests.ROWS) > 30


def test_every_word_of_the_table_is_explained():
    assert unexplained(PAGE) == []


def test_the_toy_has_something_of_every_row():
    toy = stores.REGISTRY[tests.TOY]
    assert [row for row, (_, applies) in tests.ROWS.items() if not applies(toy)] == []


def test_every_plugin_has_cells():
    assert {"orders", "points", tests.TOY} <= {plugin.id for plugin in stores.SUBJECTS}
    for plugin in stores.SUBJECTS:
        assert sum(applies(plugin) for _, applies in tests.ROWS.values()) > 3


LINE = next(line for line in PAGE.splitlines() if line.startswith("| `deadline`"))


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (LINE + "\n", "", "not on the page"),
        ("| `deadline`", "| `moonrise`", "not tested"),
        ("| runs | runs | waits | waits |\n| `schedule` ", "| runs | | waits | waits |\n| `schedule` ", "empty"),
    ],
)
def test_a_row_that_is_missing_new_or_empty_is_found(before, after, found):
    assert before in PAGE
    planted = PAGE.replace(before, after, 1)
    assert any(found in fault for fault in faults(planted))


def test_a_cell_too_many_or_a_row_twice_is_refused():
    with pytest.raises(ValueError, match="argument"):
        tests.table(PAGE.replace(LINE, LINE + " runs |"))
    with pytest.raises(AssertionError, match="twice"):
        tests.table(PAGE.replace(LINE, f"{LINE}\n{LINE}"))


def test_a_word_that_nobody_explains_is_found():
    assert unexplained(PAGE.replace("| passed over |", "| perhaps |", 1)) == ["perhaps"]
