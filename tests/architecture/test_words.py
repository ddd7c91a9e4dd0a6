"""What our plugins say has its words in Chinese, with the same placeholders, and nothing else has."""

from io import BytesIO
from string import Formatter

import pytest
from babel.messages.pofile import read_po

from threepeat.plugins import Registry
from threepeat.plugins.translations import FILE
from threepeat.testing.translations import said, untranslated

PLUGINS = [plugin for plugin in Registry.discover() if plugin.distribution.startswith("threepeat-")]


def forms(text):
    return text if isinstance(text, tuple) else (text,)


def fields(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def faults(texts, catalogue):
    """What is wrong with a catalogue: entries that nobody says, and translations that do not fit."""
    for entry in read_po(BytesIO(catalogue), locale="zh_CN", abort_invalid=True):
        if entry.id:
            text = forms(entry.id)[0]
            if text not in texts:
                yield f"nobody says {text!r}"
            if entry.fuzzy:
                yield f"{text!r} is fuzzy"
            wanted = [fields(form) for form in forms(entry.id)]
            if any(fields(form) not in wanted for form in forms(entry.string)):
                yield f"{text!r} has other placeholders"


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.id)
def test_a_plugin_says_everything_in_chinese_and_nothing_else(plugin):
    assert untranslated(plugin, "zh_CN") == []
    assert list(faults(set(map(str, said(plugin))), (plugin.package / "locale/zh_CN" / FILE).read_bytes())) == []


def test_a_catalogue_that_does_not_fit_is_seen():
    catalogue = (
        'msgid "{n} points"\nmsgstr "积分"\n\n#, fuzzy\nmsgid "Kept"\nmsgstr "留"\n\nmsgid "Gone"\nmsgstr "没"\n'
    )
    assert list(faults({"{n} points", "Kept"}, catalogue.encode())) == [
        "'{n} points' has other placeholders",
        "'Kept' is fuzzy",
        "nobody says 'Gone'",
    ]
