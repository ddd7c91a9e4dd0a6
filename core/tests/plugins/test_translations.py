"""A plugin's words in the reader's language, whatever its catalogue holds."""

import itertools
from dataclasses import replace
from datetime import date

import pytest
from structlog.testing import capture_logs

from threepeat.plugins import Registry
from threepeat.plugins.translations import titled, translate
from threepeat.sdk import Amount, _, ngettext
from threepeat.testing.translations import untranslated

NUMBERS = itertools.count()

HEADER = r"""
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=1; plural=0;\n"
"""
CATALOGUE = (
    HEADER
    + """
msgid "Stamps"
msgstr "印章"

msgid "{name} costs {price}"
msgstr "{name}的价格是{price}"

msgid "{n} stamp of {who}"
msgid_plural "{n} stamps of {who}"
msgstr[0] "{who}的 {n} 枚印章"

msgid "{n} are left"
msgstr "还剩 {count} 枚"

msgid "broken {n}"
msgstr "坏 {n"

#, fuzzy
msgid "A guess"
msgstr "猜的"

msgid "OK"
msgstr "OK"
"""
)
PLUGIN = """
from pydantic import BaseModel, Field

from threepeat.sdk import (
    Manifest, Plugin, PluginSettings, RewardChoice, _, hookimpl, message_kind, metric, ngettext, shown,
)


class Gift(BaseModel):
    reward: RewardChoice | None = None
    note: str = Field(default="", title=_("Note"), json_schema_extra=shown(group=_("Words")))


class Settings(PluginSettings):
    gifts: list[Gift] = Field(default=[], title="Gifts", description=_("What is given."))


class Wordy(Plugin[Settings]):
    manifest = Manifest(id="wordy", kind="service", title=_("Stamps"), summary=_("Says much."))
    settings_model = Settings

    @hookimpl
    def metrics(self):
        yield metric("some", print, question=_("How many?"))

    @hookimpl
    def message_kinds(self):
        yield message_kind("full", title="Card full", text="Your card of {n} is full.", variables={"n": "Size"})

    @hookimpl
    def open_obligations(self, ctx):
        yield ngettext("{n} stamp", "{n} stamps", 2, n=2)


plugin = Wordy()
"""
SAID = [
    *("Card full", "Gifts", "How many?", "Note", "Says much.", "Size", "Stamps", "What is given.", "Words"),
    *("Your card of {n} is full.", "{n} stamp"),
]


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Makes an installed plugin in a package of its own, with a catalogue: `make("msgid …")`."""
    monkeypatch.syspath_prepend(tmp_path)

    def build(catalogue=None, *, locale="zh_CN"):
        package = tmp_path / f"wordy_toy_{next(NUMBERS)}"
        package.mkdir()
        (package / "__init__.py").write_text(PLUGIN, "utf-8")
        if catalogue is not None:
            folder = package / "locale" / locale / "LC_MESSAGES"
            folder.mkdir(parents=True)
            raw = catalogue if isinstance(catalogue, bytes) else catalogue.encode()
            (folder / "messages.po").write_bytes(raw)
        module = __import__(package.name)
        registry = Registry.load([("wordy", module.plugin)])
        assert not registry.quarantined
        return registry["wordy"]

    return build


def test_numbers_are_written_as_each_language_writes_them(make):
    plugin = make(CATALOGUE)
    many = ngettext("{n} stamp of {who}", "{n} stamps of {who}", 139_556, n=139_556, who="2026")
    assert str(many) == "139,556 stamps of 2026"
    assert translate(plugin, many, "zh-CN") == "2026的 139,556 枚印章"


def test_days_are_written_as_each_language_writes_them(make):
    dated = _("{name} costs {price}", name=date(2026, 3, 1), price="1")
    assert str(dated) == "Mar 1, 2026 costs 1"
    assert translate(make(CATALOGUE), dated, "zh-CN") == "2026年3月1日的价格是1"


def test_texts_and_wordings_are_said_in_the_readers_language(make):
    wordy = make(CATALOGUE)
    for locale in ("zh_CN", "zh-CN"):
        assert translate(wordy, "Stamps", locale) == "印章"
        assert translate(wordy, _("Stamps"), locale) == "印章"
        for number in (0, 1, 2, 2**70):
            wording = ngettext("{n} stamp of {who}", "{n} stamps of {who}", number, n=number, who="{n} ann")
            assert translate(wordy, wording, locale) == f"{{n}} ann的 {number:,} 枚印章"
        priced = _("{name} costs {price}", name=_("Stamps"), price=Amount(12_850, "CNY", 100))
        assert translate(wordy, priced, locale) == "印章的价格是¥128.50"
        assert priced == "Stamps costs CN¥128.50"
        assert translate(wordy, Amount(5, "JPY", 1).said("zh_CN"), locale) == "JP¥5"


@pytest.mark.parametrize("text", ["Nowhere", _("Nowhere"), ngettext("a", "bs", 2), "A guess", ""])
def test_what_has_no_translation_stays_english(make, text):
    assert translate(make(CATALOGUE), text, "zh_CN") == str(text)
    assert type(translate(make(), text, "zh_CN")) is str


@pytest.mark.parametrize(
    "locale", ["en", "xx", "", "../zh_CN", "zh_CN/..", "\0", "\ud800", "z" * 10_000, "zh_CN\n"]
)
def test_a_locale_without_a_catalogue_is_english_and_opens_no_other_file(make, locale):
    assert translate(make(CATALOGUE), "Stamps", locale) == "Stamps"


def test_a_language_is_found_without_its_country(make):
    wordy = make(CATALOGUE, locale="zh")
    assert translate(wordy, "Stamps", "zh_CN") == translate(wordy, "Stamps", "zh") == "印章"


@pytest.mark.parametrize(
    "catalogue",
    [
        b"",
        b"\xff\xfe\0\0",
        "msgid 'no'\nmsgstr",
        'msgstr "first"',
        "nonsense",
        HEADER.replace("nplurals=1; plural=0;", "nplurals=x; plural=__import__;") + 'msgid "A"\nmsgstr "B"\n',
        HEADER.replace("UTF-8", "no-such-charset") + 'msgid "A"\nmsgstr "B"\n',
        '\nmsgid "Stamps"\nmsgstr "unterminated\n',
    ],
)
def test_a_broken_catalogue_never_stops_a_page(make, catalogue, capsys):
    assert translate(make(catalogue), "Gifts", "zh_CN") == "Gifts"
    assert "WARNING" not in capsys.readouterr().out


def test_a_translation_that_does_not_fit_is_left_and_told_once(make):
    wordy = make(CATALOGUE)
    with capture_logs() as logs:
        for _again in range(3):
            assert translate(wordy, _("{n} are left", n=3), "zh_CN") == "3 are left"
            assert translate(wordy, _("broken {n}", n=3), "zh_CN") == "broken 3"
    assert [one["event"] for one in logs] == ["translation not used"] * 2


def test_titles_by_language_fall_back_to_english_and_then_to_any():
    titles = {"en": "points", "zh": "积分"}
    assert [titled(titles, locale) for locale in ("zh_CN", "zh-CN", "zh", "en", "de")] == [
        *("积分",) * 3,
        *("points",) * 2,
    ]
    assert titled({"zh": "积分"}, "de") == "积分"
    assert titled({}, "en") == ""


def test_every_english_text_that_nobody_has_translated_is_found(make):
    assert untranslated(make(), "zh_CN") == SAID
    entries = [f'msgid "{said}"\nmsgstr "译"\n' for said in SAID[:-1]]
    plural = 'msgid "{n} stamp"\nmsgid_plural "{n} stamps"\nmsgstr[0] "{n} 枚"\n'
    complete = "\n".join((HEADER, *entries, plural))
    assert untranslated(make(complete), "zh_CN") == []
    for number, said in enumerate(SAID[:-1]):
        rest = "\n".join((HEADER, *entries[:number], *entries[number + 1 :], plural))
        assert untranslated(make(rest), "zh_CN") == [said]
    assert untranslated(make("\n".join((HEADER, *entries))), "zh_CN") == ["{n} stamp"]


def test_a_placeholder_that_its_text_lacks_is_found(make):
    misfit = CATALOGUE.replace('msgid "broken {n}"\nmsgstr "坏 {n"\n', "")
    assert "{n} are left" in untranslated(make(misfit), "zh_CN")


def test_a_fact_without_a_title_in_the_language_is_found(make):
    wordy = make()

    class Knows:
        title = {"en": "number of stamps"}  # noqa: RUF012 - a stand-in for a record

    assert untranslated(replace(wordy, facts={"wordy.stamps": Knows()}), "zh_CN") == sorted(
        [*SAID, "number of stamps"]
    )
