"""What every plugin has to keep, as one line in its tests: `from threepeat.testing.conformance import *`.

The line belongs into a file below the folder of the plugin's `pyproject.toml`, which names the plugin. Each rule
is a file of its own in `must/` or `should/`; `threepeat plugin check` asks the same rules.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from threepeat.testing.cluster import Cluster
from threepeat.testing.conformance.bench import Bench
from threepeat.testing.conformance.project import Project
from threepeat.testing.conformance.rules import RULES, Rule, ask, begin

__all__ = ["conformance_bench", "test_conformance"]


@pytest.fixture(scope="module")
def conformance_bench(
    cluster: Cluster, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """The plugin of the project that the test file belongs to, on a database of its own."""
    project = Project.around(Path(request.path))
    with Bench.open(cluster, project, tmp_path_factory.mktemp("conformance")) as bench:
        begin(RULES, bench)
        yield bench


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_conformance(rule: Rule, conformance_bench: Bench) -> None:
    """A plugin keeps a rule."""
    outcome = ask(rule, conformance_bench)
    if outcome.state in {"broken", "crashed"}:
        pytest.fail(outcome.text(), pytrace=False)
