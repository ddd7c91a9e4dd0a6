"""What is public says what it is, and stays until it was announced to go."""

import inspect
import pkgutil
from importlib import import_module

import pytest

import threepeat
from threepeat import sdk
from threepeat.sdk import deprecation
from threepeat.sdk.deprecation import DEPRECATED, Deprecated, RemovalWarning, deprecated

MODULES = [import_module(f"threepeat.sdk.{found.name}") for found in pkgutil.iter_modules(sdk.__path__)]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_everything_public_says_what_it_is(module):
    assert module.__doc__
    own = [
        one
        for name, one in vars(module).items()
        if not name.startswith("_") and getattr(one, "__module__", "") == module.__name__
    ]
    assert [
        one.__qualname__ for one in own if inspect.isclass(one) or inspect.isfunction(one) if not one.__doc__
    ] == []


def test_nothing_is_kept_longer_than_announced():
    assert [one.name for one in DEPRECATED if one.overdue(threepeat.__version__)] == []


@pytest.mark.parametrize(
    ("version", "overdue"), [("0.1.9", False), ("0.2.0", True), ("0.10.0", True), ("1.0.0", True)]
)
def test_what_was_announced_has_to_go_in_the_version_that_was_named(version, overdue):
    assert Deprecated("x", "0.1", "0.2", "y").overdue(version) is overdue


def test_a_removal_is_announced_at_least_one_minor_version_ahead():
    with pytest.raises(ValueError, match="next minor version"):
        deprecated(since="0.2", remove_in="0.2", instead="y")


def test_whoever_calls_it_is_told_what_to_use(monkeypatch):
    monkeypatch.setattr(deprecation, "DEPRECATED", [])

    @deprecated(since="0.1", remove_in="0.2", instead="ctx.sql")
    def old(number: int) -> int:
        """Give back what it was given."""
        return number

    with pytest.warns(RemovalWarning, match=r"old will be removed in Threepeat 0\.2: use ctx\.sql") as told:
        assert old(3) == 3
    assert told[0].filename == __file__
    assert [one.remove_in for one in deprecation.DEPRECATED] == ["0.2"]
