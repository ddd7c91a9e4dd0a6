"""The rules, one file each, and what comes of asking them."""

import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pkgutil import iter_modules
from typing import Literal

from threepeat.sdk.storable import UNSTORABLE
from threepeat.testing.conformance import must, should
from threepeat.testing.conformance.bench import Bench, NotApplicable

MOST_FINDINGS = 10
PAGE = "docs/conformance/{}.md of Threepeat"


@dataclass(frozen=True)
class Rule:
    """Something that every plugin has to keep.

    Attributes:
        id: The name of its file, with hyphens; its page in the documentation has the same.
        must: Whether a plugin that breaks it may not be published; of the others one can be exempt, with a reason.
        title: What it asks for, in one sentence.
        fix: What to do about a finding.
        check: Yields a sentence for everything that breaks it. Raises `NotApplicable`.
        begin: Begins what takes a process of its own, so that other rules can be asked meanwhile.
    """

    id: str
    must: bool
    title: str
    fix: str
    check: Callable[[Bench], Iterable[str]]
    begin: Callable[[Bench], None] | None = None

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True)
class Outcome:
    """What came of asking a rule.

    Attributes:
        state: `crashed` says that the rule itself failed, or the plugin in a way that no rule foresaw.
        findings: Sentences that say what breaks it.
        reason: Why it was not asked, or why the plugin is exempt.
    """

    rule: Rule
    state: Literal["kept", "broken", "exempt", "not applicable", "crashed"]
    findings: tuple[str, ...] = ()
    reason: str = ""

    def text(self) -> str:
        """All of it, for a terminal."""
        lines = [f"{self.rule.id}: {self.rule.title}", *(f"  - {found}" for found in self.findings)]
        if self.reason:
            lines.append(f"  {self.reason}")
        if self.state in {"broken", "crashed"}:
            lines += [f"  To fix it: {self.rule.fix}", f"  Read {PAGE.format(self.rule.id)}"]
        return "\n".join(lines)


def begin(rules: Iterable[Rule], bench: Bench) -> None:
    """Begin with rules that will be asked."""
    for rule in rules:
        if rule.begin is not None and rule.id not in bench.project.exempt:
            rule.begin(bench)


def ask(rule: Rule, bench: Bench) -> Outcome:
    """Ask a rule about the plugin on the bench; it has begun."""
    exempt = bench.project.exempt.get(rule.id)
    if exempt is not None:
        return Outcome(rule, "exempt", reason=exempt)
    try:
        findings = tuple(map(_plain, islice(rule.check(bench), MOST_FINDINGS + 1)))
    except NotApplicable as nothing:
        return Outcome(rule, "not applicable", reason=str(nothing))
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
        where = _plain("".join(traceback.format_exception(error)))
        return Outcome(rule, "crashed", (_plain(f"{type(error).__name__}: {error}"),), where)
    if len(findings) > MOST_FINDINGS:
        findings = (*findings[:MOST_FINDINGS], "and more")
    return Outcome(rule, "broken" if findings else "kept", findings)


def _plain(said: str) -> str:
    """What a finding quotes may be what no terminal and no database takes."""
    return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", said)


def _discover() -> Iterator[Rule]:
    for package, binding in ((must, True), (should, False)):
        for found in sorted(iter_modules(package.__path__), key=lambda found: found.name):
            module = import_module(f"{package.__name__}.{found.name}")
            name, begin = found.name.replace("_", "-"), getattr(module, "begin", None)
            yield Rule(name, binding, module.TITLE, module.FIX, module.check, begin)


RULES = tuple(_discover())
