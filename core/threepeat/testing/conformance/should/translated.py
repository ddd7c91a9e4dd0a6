"""A merchant and a member read a plugin in Chinese."""

from collections.abc import Iterator

from threepeat.testing.conformance.bench import Bench
from threepeat.testing.translations import untranslated

LOCALE = "zh_CN"
TITLE = "Everything that a plugin says to people can be read in Chinese."
FIX = (
    "Translate the texts in locale/zh_CN/LC_MESSAGES/messages.po of the package, with the placeholders of the"
    ' English text; titles of facts and rewards get a "zh" beside their "en".'
)


def check(bench: Bench) -> Iterator[str]:
    """Look every text up that the plugin declares or marks."""
    for said in untranslated(bench.installed, LOCALE):
        yield f"not in Chinese: {said!r}"
