"""What a browser sent: texts by input name, with an eye on what nobody reads."""

from collections.abc import Iterable

from threepeat.sdk.storable import UNSTORABLE

Raw = dict[str, list[str]]
"""Texts by the name of the input, as a browser sends them."""

MAX_NAME = 300
"""Longest name of an input that is looked at, in characters; no form of ours has a longer one."""


class Inputs:
    """The inputs of one form.

    An input's name is the field's path (`settings.prizes.0.name`), with a mark after `~` for what goes with the
    field, such as `settings.prizes~row`.

    Attributes:
        raw: The texts by name; what cannot be stored in them is replaced.
        spoiled: Names of inputs in which something was replaced.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]], prefix: str) -> None:
        self.raw: Raw = {}
        self.spoiled: set[str] = set()
        self._above: dict[str, frozenset[str]] = {}
        self._there: set[str] = set()
        self._read: set[str] = set()
        self._passed: set[str] = set()
        for name, text in pairs:
            if name.partition("~")[0].partition(".")[0] != prefix:
                continue
            kept, replaced = UNSTORABLE.subn("\ufffd", text)
            known = UNSTORABLE.sub("\ufffd", name)
            if replaced:
                self.spoiled.add(known)
            self.raw.setdefault(known, []).append(kept)
        self._notice(self.raw)

    def add(self, more: Raw) -> None:
        """Take inputs as if they had been sent, too."""
        self.raw.update(more)
        self._notice(more)

    def all(self, name: str) -> list[str]:
        """Every text under a name."""
        self._read.add(name)
        return self.raw.get(name, [])

    def first(self, name: str) -> str | None:
        """The first text under a name."""
        return next(iter(self.all(name)), None)

    def present(self, path: str) -> bool:
        """Whether anything was sent for a field or for what stands in it."""
        return path in self._there

    def pass_over(self, path: str) -> None:
        """Leave unread what was sent for a field, on purpose."""
        self._passed.add(path)

    def unread(self) -> list[str]:
        """Names that nobody asked for, in the order of the form."""
        return [name for name in self.raw if name not in self._read and not self._above[name] & self._passed]

    def _notice(self, names: Iterable[str]) -> None:
        for name in names:
            self._above[name] = frozenset(_above(name)) if len(name) <= MAX_NAME else frozenset()
            self._there |= self._above[name]


def _above(name: str) -> Iterable[str]:
    """The path of an input and every path that it stands in."""
    path = name.partition("~")[0]
    while path:
        yield path
        path = path.rpartition(".")[0]
