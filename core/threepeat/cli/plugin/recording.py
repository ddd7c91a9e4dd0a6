"""`threepeat plugin check --record`: keeps what came of a check where operators see it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from threepeat.cli.plugin.reaching import reachable
from threepeat.database import migrate
from threepeat.database.engine import Database
from threepeat.database.migrate import State
from threepeat.events import plugin_checks
from threepeat.events.plugin_checks import Asked
from threepeat.plugins import distributions
from threepeat.sdk.errors import PluginError

if TYPE_CHECKING:
    from threepeat.testing.conformance.rules import Outcome

BY = "operator:cli"


def require() -> None:
    """See that an outcome can be kept, before minutes are spent on one.

    Raises:
        PluginError: It cannot; the message says what to do.
    """
    with _place():
        pass


def keep(plugin: str, outcomes: "Sequence[Outcome]") -> str:
    """Keep what came of a whole check.

    Returns:
        The version that was checked.

    Raises:
        PluginError: It cannot be kept; the message says what to do.
    """
    version = distributions.of_plugins()[plugin].version
    rules = [
        Asked(one.rule.id, one.rule.must, one.rule.title, one.state, one.findings, one.reason, one.rule.fix)
        for one in outcomes
    ]
    with _place() as database, database.ops.begin() as ops:
        plugin_checks.record(ops, plugin, version, rules, by=BY)
    return version


@contextmanager
def _place() -> Iterator[Database]:
    with reachable() as database:
        if database is None:
            raise PluginError(
                "no platform's database answers, so nothing can be recorded: start it with `threepeat db start`,"
                " name it by THREEPEAT_DATA or by THREEPEAT_APP_URL, THREEPEAT_OWNER_URL and THREEPEAT_OPS_URL,"
                " or leave out --record"
            )
        with database.ops.connect() as ops:
            core = migrate.status(ops, database.urls.roles, [migrate.CORE])[0]
        if core.state is State.PENDING:
            raise PluginError("core's schema is pending: run `threepeat db upgrade`, then check again")
        yield database
