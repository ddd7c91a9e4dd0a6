"""A plugin's words in the reader's language, from the catalogue in the plugin's own package.

Nothing is read before somebody asks for a language. A catalogue that is broken and a translation that does not
fit its text leave the English there: words never stop a page.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources.abc import Traversable
from io import BytesIO

import structlog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from threepeat.plugins.registry import Installed
from threepeat.sdk.wording import Spoken, Value, Wording, said

FILE = "LC_MESSAGES/messages.po"
LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")

logger = structlog.get_logger(__name__)


class _MissingError(LookupError):
    """The catalogue has no such entry."""


class _Nothing(NullTranslations):
    """Stands behind a catalogue, so that a missing entry is told from one that repeats the English."""

    def gettext(self, message: str) -> str:
        raise _MissingError(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        del msgid2, n
        raise _MissingError(msgid1)


def translate(plugin: Installed, text: str, locale: str) -> str:
    """What a plugin says, in a language.

    Args:
        plugin: Who says it.
        text: A `Wording`, or a plain text that is looked up as it stands.
        locale: Such as `zh_CN` or `zh-CN`.

    Returns:
        The translation, or the English text where there is none or it cannot be used.
    """
    found = lookup(plugin, text, locale)
    return str(text) if found is None else found


def by_language(plugin: Installed, text: str) -> dict[str, str]:
    """What a plugin says, in every language in which members read."""
    return {"en": str(text), "zh": translate(plugin, text, "zh_CN")}


def lookup(plugin: Installed, text: str, locale: str) -> str | None:
    """What a plugin says, in a language; None where the catalogue has nothing that can be used."""
    if isinstance(text, Spoken):
        return titled(text.titles, locale)
    fits = text and LOCALE.fullmatch(locale)
    catalogue = _catalogue(plugin.package, locale) if fits else None  # type: ignore[arg-type] # every folder can be hashed
    if catalogue is None:
        return None
    try:
        if not isinstance(text, Wording):
            return catalogue.gettext(text)
        template = (
            catalogue.ngettext(text.template, text.plural, text.number)
            if text.plural
            else catalogue.gettext(text.template)
        )
        values = {name: _said(plugin, value, locale) for name, value in text.values.items()}
        return template.format_map(values) if values else template
    except _MissingError:
        return None
    except Exception as error:  # noqa: BLE001 - whatever a catalogue holds, the English can be shown
        _complain(plugin.id, locale, str(text), f"{type(error).__name__}: {error}")
        return None


def titled(titles: Mapping[str, str], locale: str) -> str:
    """The title for a language, from titles by language such as a fact's; else the English one, else any."""
    language = re.split(r"[-_]", locale, maxsplit=1)[0].lower()
    for name in (locale, language, "en"):
        if name in titles:
            return titles[name]
    return next(iter(titles.values()), "")


def _said(plugin: Installed, value: Value, locale: str) -> str:
    return (
        translate(plugin, value, locale) if isinstance(value, Wording) else said(value, locale.replace("-", "_"))
    )


@lru_cache(maxsize=512)
def _catalogue(package: Traversable, locale: str) -> NullTranslations | None:
    """The catalogue of a package for a language or, failing that, for the language without its country."""
    wanted = locale.replace("-", "_")
    for name in dict.fromkeys((wanted, wanted.partition("_")[0])):
        file = package / "locale" / name / FILE
        try:
            if file.is_file():
                return _read(file.read_bytes(), name)
        except Exception as error:  # noqa: BLE001 - a stranger's file may be broken in any way
            logger.error("catalogue not read", file=str(file), reason=f"{type(error).__name__}: {error}")
            return None
    return None


def _read(raw: bytes, locale: str) -> NullTranslations:
    compiled = BytesIO()
    # Without a locale the plural forms would not be carried over.
    write_mo(compiled, read_po(BytesIO(raw), locale, ignore_obsolete=True, abort_invalid=True))
    compiled.seek(0)
    catalogue = GNUTranslations(compiled)
    catalogue.add_fallback(_Nothing())
    return catalogue


@lru_cache(maxsize=1024)
def _complain(plugin: str, locale: str, text: str, reason: str) -> None:
    """Log a translation that does not fit, once."""
    logger.error("translation not used", plugin=plugin, locale=locale, text=text, reason=reason)
