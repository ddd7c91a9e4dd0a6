"""Finds what a plugin would show in English to a reader of another language."""

from collections.abc import Iterable, Iterator
from importlib.resources.abc import Traversable
from io import BytesIO
from string import Formatter
from typing import Any, get_args

from babel.messages.extract import extract
from babel.messages.pofile import read_po
from pydantic import BaseModel

from threepeat.plugins import Installed
from threepeat.plugins.translations import FILE, lookup
from threepeat.sdk.wording import Wording

KEYWORDS: dict[str, tuple[int, ...] | None] = {"_": None, "ngettext": (1, 2)}


def untranslated(plugin: Installed, locale: str) -> list[str]:
    """Every English text of a plugin that has no translation which can be used.

    Looked at are its declarations (manifest, settings and collections with all their fields and states, actions,
    questions of metrics, messages, titles of facts and rewards) and every `_` and `ngettext` in its package.
    An entry of the catalogue whose translation has a placeholder that its text lacks counts as missing.

    Args:
        locale: Such as `zh_CN`.
    """
    missing = {str(text) for text in said(plugin) if lookup(plugin, text, locale) is None}
    misfits = _misfits(plugin.package / "locale" / locale / FILE)
    return sorted(missing.union(misfits, _titles(plugin, locale)))


def said(plugin: Installed) -> list[str]:
    """Every English text of a plugin, declared or marked in its package."""
    return [text for text in (*_declared(plugin), *_written(plugin.package)) if text]


def _declared(plugin: Installed) -> Iterator[str]:
    yield plugin.manifest.title
    yield plugin.manifest.summary
    yield from _fields(plugin.plugin.settings_model)
    for collection in plugin.collections.values():
        yield from (collection.title, collection.singular, collection.summary, *collection.states.values())
        yield from _fields(collection.model)
        for action in collection.actions.values():
            yield from (action.title, action.confirm)
    for metric in plugin.metrics.values():
        yield metric.question
    for kind in plugin.message_kinds.values():
        yield from (kind.title, kind.text, *kind.variables.values())


def _fields(kind: Any, above: frozenset[Any] = frozenset()) -> Iterator[str]:
    """What the form of a model says; the models of the SDK are core's to translate."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind in above or kind.__module__.partition(".")[0] == "threepeat":
            return
        for field in kind.model_fields.values():
            yield from (field.title or "", field.description or "")
            if isinstance(field.json_schema_extra, dict):
                shown: Any = field.json_schema_extra.get("threepeat", {})
                yield from (
                    shown.get("group", ""),
                    shown.get("placeholder", ""),
                    *shown.get("choices", {}).values(),
                )
            yield from _fields(field.annotation, above | {kind})
    else:
        for one in get_args(kind):
            yield from _fields(one, above)


def _titles(plugin: Installed, locale: str) -> Iterator[str]:
    """The English titles of facts and rewards that say nothing in the language."""
    language = locale.partition("_")[0]
    facts, rewards = plugin.facts.values(), plugin.rewards.values()
    for titles in (*(fact.title for fact in facts), *(reward.title for reward in rewards)):
        if not titles.get(locale, titles.get(language)):
            yield titles.get("en", "")


def _written(folder: Traversable) -> Iterator[Wording]:
    """The texts that are marked in the Python files of a package."""
    for file in folder.iterdir():
        if file.is_dir():
            yield from _written(file)
        elif file.name.endswith(".py"):
            found = extract("python", BytesIO(file.read_bytes()), keywords=KEYWORDS)
            for _line, message, _comments, _context in found:
                one, many = message if isinstance(message, tuple) else (message, "")
                yield Wording(one, many)


def _misfits(file: Traversable) -> Iterator[str]:
    """The texts of a catalogue whose translation has a placeholder that they lack."""
    if not file.is_file():
        return
    for message in read_po(BytesIO(file.read_bytes()), ignore_obsolete=True, abort_invalid=True):
        if message.id and _placeholders(_forms(message.string)) - _placeholders(_forms(message.id)):
            yield _forms(message.id)[0]


def _forms(text: Any) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def _placeholders(texts: Iterable[str]) -> set[str]:
    return {name for text in texts for _, name, _, _ in Formatter().parse(text) if name is not None}
