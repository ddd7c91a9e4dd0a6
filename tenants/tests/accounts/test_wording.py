"""Every text of the accounts is said in Chinese with the same placeholders, and none is left that nobody says."""

import re
from importlib.resources import files
from io import BytesIO

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

PACKAGE = files("threepeat_tenants")


def test_every_text_is_said_in_chinese():
    folder = str(PACKAGE / "accounts")
    said = {found[2] for found in extract_from_dir(folder, keywords={"_": None})}
    catalogue = PACKAGE / "locale" / "zh_CN" / "LC_MESSAGES" / "accounts.po"
    known = {one.id: one.string for one in read_po(BytesIO(catalogue.read_bytes()), abort_invalid=True) if one.id}
    assert len(said) > 20
    assert set(known) == said
    for text, translated in known.items():
        assert re.findall(r"\{\w+\}", translated) == re.findall(r"\{\w+\}", text), text
        assert re.search(r"[\u4e00-\u9fff]", translated), text
