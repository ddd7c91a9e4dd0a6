"""Everything that people read has its words in Chinese, and nothing else has."""

from importlib.resources import files
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from threepeat.testing.translations import untranslated
from threepeat_messages.settings import MessagesSettings

PACKAGE = Path(str(files("threepeat_messages")))


def test_the_chinese_catalogue_is_complete(registry):
    assert untranslated(registry["messages"], "zh_CN") == []
    found = extract_from_dir(PACKAGE, method_map=[("**.py", "python")], keywords={"_": None, "ngettext": (1, 2)})
    said = {message[0] if isinstance(message, tuple) else message for _, _, message, _, _ in found}
    with (PACKAGE / "locale/zh_CN/LC_MESSAGES/messages.po").open("rb") as file:
        catalogue = read_po(file, locale="zh_CN", abort_invalid=True)
    assert {(one.id[0] if isinstance(one.id, tuple) else one.id) for one in catalogue if one.id} - said == set()


def test_the_form_says_what_the_settings_come_to(shop):
    store = shop.tenant.store
    assert list(MessagesSettings().worked(store)) == [
        "Marketing that comes up at 21:00 is read from 09:00 on; a service notice is read at once.",
        "After 1 marketing message on a day the next one is not sent, and you see why.",
    ]
    quiet = MessagesSettings(quiet_from="09:00:30", quiet_until="09:00", per_day=0)
    assert list(quiet.worked(store)) == ["No marketing is sent."]
