"""What is recorded, and what is not."""

import argparse
import getpass
import json
import platform
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import figures
from figures import Figures

from threepeat.database.embedded import _MAJOR

RATIO = {"bar": "≤ 1.3", "met": True, "said": "one beside the other"}


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "FILE", tmp_path / "figures.json")
    monkeypatch.setattr(figures, "PAGE", tmp_path / "promises.md")
    monkeypatch.setattr(sys, "argv", [str(figures.ROOT / "tests/bench/road.py"), "--rounds", "9"])
    return tmp_path / "figures.json"


def begin(*words):
    parser = argparse.ArgumentParser()
    parser.add_argument("--few", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--part", default="")
    parser.add_argument("--no-places", action="store_true")
    Figures.add_option(parser)
    return Figures.open(parser, parser.parse_args(words), exact=("few",))


def test_rows_are_merged_by_name_and_sorted(file):
    begin().record("b", 1.23456, **RATIO)
    begin().record("a", 2, **RATIO, along="stores", curve=[(10, 1.0), (10_000, 1.23456)])
    begin().record("b", 0, **RATIO)
    found = json.loads(file.read_text())
    assert list(found) == ["a", "b"]
    assert (found["a"]["value"], found["b"]["value"]) == (2, 0)
    assert found["a"]["curve"] == [[10, 1], [10_000, 1.235]]
    assert list(found["b"]) == sorted(found["b"])
    assert list(file.parent.iterdir()) == [file]


def test_a_row_says_how_it_was_made_and_names_no_machine_and_nobody(file):
    begin().record("a", 1, **RATIO)
    text = file.read_text()
    row = json.loads(text)["a"]
    assert row["command"] == "python tests/bench/road.py --rounds 9"
    assert row["machine"] == platform.machine()
    assert row["postgresql"].partition(".")[0] == str(_MAJOR)
    assert set(row) == {
        *("bar", "command", "cpus", "date", "machine", "met", "postgresql", "python", "said", "value"),
    }
    assert platform.node() not in text
    assert str(figures.ROOT) not in text
    assert f"/{getpass.getuser()}" not in text


@pytest.mark.parametrize("words", [[], ["--rounds", "6"], ["--seconds", "2.5"], ["--seed", "7"]])
def test_a_usual_or_larger_run_is_recorded(file, words):
    run = begin(*words)
    run.record("a", 1, **RATIO)
    assert run.close() == 0
    assert "a" in json.loads(file.read_text())
    assert file.with_name("promises.md").is_file()


@pytest.mark.parametrize(
    "words",
    [
        ["--rounds", "4"],
        ["--seconds", "1.5"],
        ["--few", "11"],
        ["--part", "x"],
        ["--no-places"],
        ["--no-record"],
    ],
)
def test_a_smaller_run_or_one_that_leaves_something_out_is_not(file, words, capsys):
    run = begin(*words)
    run.record("a", 9, bar="≤ 1.3", met=False, said="")
    assert run.close() == 0
    assert not list(file.parent.iterdir())
    assert "nothing is recorded" in capsys.readouterr().out


def test_what_a_run_left_stands_on_the_page_as_it_ends(file):
    run = begin()
    run.record("storm-lost", 3, bar="0", met=False, said="three that were never handled")
    run.close()
    assert "| three that were never handled |" in file.with_name("promises.md").read_text("utf-8")


def test_a_recorded_miss_ends_with_1_and_is_kept(file, capsys):
    run = begin()
    run.record("a", 1, **RATIO)
    run.record("b", 1.5, bar="≤ 1.3", met=False, said="")
    assert run.close() == 1
    assert capsys.readouterr().err == "not met: b is 1.5, the bar is ≤ 1.3\n"
    assert json.loads(file.read_text())["b"]["met"] is False


@pytest.mark.parametrize(("row", "value"), [("A b", 1), ("", 1), ("a", float("nan")), ("a", float("inf"))])
def test_what_is_no_row_is_refused(file, row, value):
    with pytest.raises(ValueError, match=r"no name|came to"):
        begin("--no-record").record(row, value, **RATIO)
    assert not file.exists()
