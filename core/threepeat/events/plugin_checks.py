"""What came of checking plugins by the conformance suite: of each the newest whole check, for the operator."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

import orjson
from sqlalchemy import Connection, text

from threepeat import __version__
from threepeat.tenancy import audit

LONGEST = 500
"""Characters that are kept of a text."""

State = Literal["kept", "broken", "exempt", "not applicable", "crashed"]
Standing = Literal["passed", "broken", "outdated", "unchecked"]
"""How a plugin stands to its check; `outdated` is one of another version of the plugin or of Threepeat."""

READ = text("SELECT plugin, version, core, checked_at, checked_by, rules FROM core.plugin_check")
WRITE = text("""
    INSERT INTO core.plugin_check (plugin, version, core, checked_by, rules)
    VALUES (:plugin, :version, :core, :by, CAST(:rules AS jsonb))
    ON CONFLICT (plugin) DO UPDATE
    SET version = excluded.version, core = excluded.core, checked_at = excluded.checked_at,
        checked_by = excluded.checked_by, rules = excluded.rules
""")


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking a rule.

    Attributes:
        must: Whether the plugin has to keep it.
        title: What it asks for.
        findings: The first line of each thing that breaks it.
        reason: Why it was not asked, or why the plugin is exempt.
        fix: What to do about a finding.
    """

    rule: str
    must: bool
    title: str
    state: State
    findings: tuple[str, ...]
    reason: str
    fix: str

    @property
    def broken(self) -> bool:
        """Whether the plugin does not keep it."""
        return self.state in {"broken", "crashed"}


@dataclass(frozen=True, slots=True)
class PluginCheck:
    """The outcome of a whole check.

    Attributes:
        version: Of the plugin that was checked.
        core: Version of Threepeat that checked it.
        checked_by: Who had it recorded.
        rules: In the order of asking.
    """

    plugin: str
    version: str
    core: str
    checked_at: datetime
    checked_by: str
    rules: tuple[Asked, ...]

    @property
    def broken(self) -> tuple[Asked, ...]:
        """The rules that it does not keep, those that bind first."""
        return tuple(sorted((one for one in self.rules if one.broken), key=lambda one: not one.must))

    @property
    def passed(self) -> bool:
        """Whether it keeps every rule that binds."""
        return not any(one.must for one in self.broken)


def standing(check: PluginCheck | None, version: str) -> Standing:
    """How the installed version of a plugin stands to the check that is kept of it."""
    if check is None:
        return "unchecked"
    if (check.version, check.core) != (version, __version__):
        return "outdated"
    return "passed" if check.passed else "broken"


def read(ops: Connection) -> Mapping[str, PluginCheck]:
    """Every check that is kept, by plugin."""
    return {
        row.plugin: PluginCheck(
            row.plugin,
            row.version,
            row.core,
            row.checked_at,
            row.checked_by,
            tuple(Asked(**{**one, "findings": tuple(one["findings"])}) for one in row.rules),
        )
        for row in ops.execute(READ)
    }


def record(ops: Connection, plugin: str, version: str, rules: Sequence[Asked], *, by: str) -> None:
    """Keep the outcome of a whole check in place of the one before, with an entry in the operators' trail.

    Args:
        ops: A connection of the ops role.
        plugin: The plugin's id.
        version: Its version.
        rules: What came of each rule; of texts that a plugin wrote the first line is kept.
        by: Who has it recorded.
    """
    kept = orjson.dumps([asdict(_brief(one)) for one in rules]).decode()
    ops.execute(WRITE, {"plugin": plugin, "version": version, "core": __version__, "by": by, "rules": kept})
    broken = [one.rule for one in rules if one.broken]
    details = {"version": version, **({"broken": broken} if broken else {})}
    audit.record_for_operators(ops, by, "plugin.checked", plugin, **details)


def _brief(one: Asked) -> Asked:
    findings = tuple(map(_line, one.findings))
    # What crashed has a traceback for a reason, which is for its author.
    reason = "" if one.state == "crashed" else _line(one.reason)
    return Asked(one.rule, one.must, one.title, one.state, findings, reason, one.fix)


def _line(said: str) -> str:
    """The first line of a text."""
    return next(iter(said.strip().splitlines()), "")[:LONGEST]
