"""The consoles' words in the reader's language.

Each part of this distribution has a catalogue of its own, `locale/zh_CN/LC_MESSAGES/{part}.po`; they are read as
one when somebody first asks for the language. English is the source and needs none.
"""

from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from fastapi import Request

from threepeat.plugins import Registry
from threepeat.plugins.translations import translate
from threepeat.sdk.wording import Value, Wording, said

LOCALES = {"zh-CN": "简体中文", "en": "English"}
"""The languages, each with its own name for itself."""

DEFAULT = "en"
ROOT = files("threepeat_tenants") / "locale"


def choose(request: Request, *wanted: str | None) -> str:
    """The language to speak: the first of `wanted` that there is, else what the browser asks for."""
    for name in wanted:
        if name in LOCALES:
            return name
    return _accepted(request.headers.get("accept-language", "")[:500])


@lru_cache(maxsize=256)
def _accepted(header: str) -> str:
    """The best of our languages for an `Accept-Language` header."""
    best, best_weight = DEFAULT, 0.0
    for part in header.split(","):
        name, _, weight = part.partition(";q=")
        language = name.strip().lower().partition("-")[0]
        found = next((locale for locale in LOCALES if locale.partition("-")[0].lower() == language), None)
        try:
            value = float(weight) if weight else 1.0
        except ValueError:
            continue
        if found and value > best_weight:
            best, best_weight = found, value
    return best


def babel_locale(locale: str) -> Locale:
    """Babel's object for one of our languages."""
    return Locale.parse(locale, sep="-")


@lru_cache(maxsize=8)
def catalogue(locale: str) -> NullTranslations:
    """Everything the consoles say in a language, merged over all parts."""
    folder = ROOT / locale.replace("-", "_") / "LC_MESSAGES"
    parts = [_read(part, locale) for part in sorted(_parts(folder), key=lambda file: file.name)]
    if not parts:
        return NullTranslations()
    merged, *others = parts
    for part in others:
        merged.merge(part)
    return merged


def _parts(folder: Traversable) -> list[Traversable]:
    return [file for file in folder.iterdir() if file.name.endswith(".po")] if folder.is_dir() else []


def _read(file: Traversable, locale: str) -> Translations:
    compiled, source = BytesIO(), BytesIO(file.read_bytes())
    # Without the language Babel leaves out the rule of its plurals, whatever the file says.
    write_mo(compiled, read_po(source, babel_locale(locale), ignore_obsolete=True, abort_invalid=True))
    compiled.seek(0)
    return Translations(compiled)


def wording(text: str, locale: str) -> str:
    """What one of our own texts reads in a language: a `Wording`, or a plain English text."""
    known = catalogue(locale)
    if not isinstance(text, Wording):
        return known.gettext(text) if text else text
    template = (
        known.ngettext(text.template, text.plural, text.number) if text.plural else known.gettext(text.template)
    )
    return template.format_map({name: _said(value, locale) for name, value in text.values.items()})


def _said(value: Value, locale: str) -> str:
    return wording(value, locale) if isinstance(value, Wording) else said(value, locale.replace("-", "_"))


def say(registry: Registry, plugin_id: str, text: str, locale: str) -> str:
    """What a plugin says, in a language; English if the plugin is not installed any more."""
    return translate(registry[plugin_id], text, locale) if plugin_id in registry else str(text)
