"""Everything that people read is there in Chinese, and says the same things."""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import threepeat_tenants
from threepeat.sdk.wording import _, ngettext
from threepeat.testing.conformance.rules import RULES
from threepeat_tenants.console import translations
from threepeat_tenants.console.translations import LOCALES, wording

PACKAGE = Path(threepeat_tenants.__file__).parent
METHODS = [("**.py", "python"), ("**.html", "jinja2")]
OPTIONS = {"**.html": {"silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}}
PLACEHOLDER = re.compile(r"%\(\w+\)s|(?<!{){\w+}")


def used(folder: Path) -> dict[str, str]:
    """Where each text of a folder stands, by its singular."""
    found = {}
    for file, line, message, _comments, _context in extract_from_dir(folder, METHODS, OPTIONS):
        for text in (message,) if isinstance(message, str) else message:
            found.setdefault(text, f"{file}:{line}")
    return found


def catalogues(folder: Path) -> Iterator[tuple[Path, Catalog]]:
    for file in sorted(folder.glob("*.po")):
        yield file, read_po(BytesIO(file.read_bytes()), abort_invalid=True)


def said(folder: Path) -> dict[str, tuple[str, ...]]:
    """The translations of each text, singular and plural."""
    found = {}
    for _file, catalogue in catalogues(folder):
        for message in catalogue:
            texts = message.id if isinstance(message.id, tuple) else (message.id,)
            strings = message.string if isinstance(message.string, tuple) else (message.string,)
            if message.id and all(strings) and not message.fuzzy:
                found.update(dict.fromkeys(texts, strings))
    return found


def untranslated(package: Path) -> list[str]:
    known = said(package / "locale" / "zh_CN" / "LC_MESSAGES")
    return [f"{where}: {text}" for text, where in used(package).items() if text not in known]


def test_every_text_is_there_in_chinese():
    assert untranslated(PACKAGE) == []


def test_what_the_rules_of_the_suite_ask_for_is_there_in_chinese():
    known = said(PACKAGE / "locale" / "zh_CN" / "LC_MESSAGES")
    assert [rule.id for rule in RULES if not {rule.title, rule.fix} <= known.keys()] == []


def test_a_text_without_a_translation_is_found(tmp_path):
    locale = tmp_path / "locale" / "zh_CN" / "LC_MESSAGES"
    locale.mkdir(parents=True)
    (tmp_path / "a.py").write_text('_("One"), _("Two"), ngettext("{n} day", "{n} days", 2, n=2), _("Four")')
    (tmp_path / "b.html").write_text('{{ _("Five", a=1) }}{% trans %}Six{% endtrans %}')
    (locale / "x.po").write_text(
        'msgid "One"\nmsgstr "一"\n\n#, fuzzy\nmsgid "Two"\nmsgstr "二"\n\nmsgid "Four"\nmsgstr ""\n'
    )
    assert sorted(line.partition(": ")[2] for line in untranslated(tmp_path)) == [
        "Five", "Four", "Six", "Two", "{n} day", "{n} days",
    ]  # fmt: skip


def test_a_translation_has_the_placeholders_of_its_text():
    for text, strings in said(PACKAGE / "locale" / "zh_CN" / "LC_MESSAGES").items():
        for string in strings:
            # A singular may spell its number out.
            assert set(PLACEHOLDER.findall(string)) >= set(PLACEHOLDER.findall(text)), (text, string)


def test_no_text_is_translated_twice_in_two_ways():
    found: dict[object, tuple[object, Path]] = {}
    for file, catalogue in catalogues(PACKAGE / "locale" / "zh_CN" / "LC_MESSAGES"):
        for message in catalogue:
            if message.id:
                string, first = found.setdefault(message.id, (message.string, file))
                assert string == message.string, f"{message.id!r} in {first.name} and {file.name}"


@pytest.mark.parametrize("locale", LOCALES)
def test_a_wording_keeps_its_values(locale):
    assert wording("", locale) == ""
    assert wording("no such text {n}", locale) == "no such text {n}"
    assert wording(_("{n} {name}", n=1, name="{x}"), locale) == "1 {x}"
    assert wording(ngettext("{shown} day", "{shown} days", 5, shown="5"), locale) in {"5 days", "5 天"}
    assert wording(ngettext("{shown} day", "{shown} days", 1, shown="1"), locale) in {"1 day", "1 天"}


def test_catalogues_are_merged_whatever_their_number(tmp_path, monkeypatch):
    folder = tmp_path / "zh_CN" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    monkeypatch.setattr(translations, "ROOT", tmp_path)
    fresh = translations.catalogue.__wrapped__
    assert fresh("zh-CN").gettext("One") == "One"
    head = (
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\nPlural-Forms: nplurals=1; plural=0;\\n"\n\n'
    )
    (folder / "a.po").write_text(head + 'msgid "One"\nmsgstr "一"\n')
    (folder / "b.po").write_text(head + 'msgid "Two"\nmsgid_plural "Twos"\nmsgstr[0] "二"\n')
    assert fresh("zh-CN").gettext("One") == "一"
    assert {fresh("zh-CN").ngettext("Two", "Twos", number) for number in (0, 1, 2, 5)} == {"二"}
    assert fresh("en").gettext("One") == "One"
