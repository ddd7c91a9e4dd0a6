"""Everything that people read has its words in Chinese, and nothing else has."""

from importlib.resources import files
from pathlib import Path
from string import Formatter

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

PACKAGE = Path(str(files("threepeat_groupbuy")))
KEYWORDS = {"_": None, "ngettext": (1, 2)}


def fields(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_the_chinese_catalogue_is_complete_and_has_the_same_placeholders():
    found = extract_from_dir(PACKAGE, method_map=[("**.py", "python")], keywords=KEYWORDS)
    said = {message[0] if isinstance(message, tuple) else message: message for _, _, message, _, _ in found}
    with (PACKAGE / "locale/zh_CN/LC_MESSAGES/messages.po").open("rb") as file:
        catalogue = read_po(file, locale="zh_CN", abort_invalid=True)
    words = {(one.id[0] if isinstance(one.id, tuple) else one.id): one for one in catalogue if one.id}
    assert said.keys() - words.keys() == set()
    assert words.keys() - said.keys() == set()
    for key, one in words.items():
        assert not one.fuzzy
        for text in one.string if isinstance(one.string, tuple) else (one.string,):
            assert text.strip(), key
            assert fields(text) == fields(key), key
