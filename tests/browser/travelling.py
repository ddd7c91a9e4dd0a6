"""Somebody who walks through the consoles in one language and looks at every page on the way."""

import re
from importlib.resources import files
from io import BytesIO

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from watching import layout, picture, untranslated

from threepeat_tenants.console import translations


class Traveller:
    """Walks in one language and looks at every page on the way.

    Attributes:
        wrong: What was wrong with the pages so far.
    """

    def __init__(self, visitor, locale, folder, prefix) -> None:
        self.visitor, self.page = visitor, visitor.page
        self.locale, self.folder, self.prefix = locale, folder, prefix
        self.wrong: list[str] = []
        self._steps = 0

    def say(self, source, plugin=None, **values):
        """One of our texts in the language of the walk."""
        said = _plugin(plugin).gettext(source) if plugin and self.locale != "en" else source
        if not plugin:
            said = translations.catalogue(self.locale).gettext(source)
        for name, value in values.items():
            said = said.replace(f"%({name})s", value).replace(f"{{{name}}}", value)
        return said

    def look(self, name):
        """Take a picture of the page and note what is wrong with it."""
        self._steps += 1
        found = layout(self.page)
        if self.locale != "en":
            found += [f"not translated: {text}" for text in untranslated(self.page)]
        self.wrong += [f"{name}: {one}" for one in found]
        picture(self.page, self.folder / f"{self.prefix}-{self._steps:02d}-{name}.png")

    def button(self, source, plugin=None, **values):
        return self.page.locator("main").get_by_role("button", name=self.say(source, plugin, **values), exact=True)

    def link(self, source, plugin=None, **values):
        return self.page.get_by_role("link", name=self.say(source, plugin, **values), exact=True)

    def field(self, source, plugin=None):
        # A label may go on with a word such as "optional".
        return self.page.get_by_label(re.compile(rf"^\s*{re.escape(self.say(source, plugin))}"))

    def press(self, source, plugin=None, **values):
        with self.page.expect_navigation(wait_until="load"):
            self.button(source, plugin, **values).first.click()

    def follow(self, source, plugin=None, **values):
        with self.page.expect_navigation(wait_until="load"):
            self.link(source, plugin, **values).first.click()

    def go(self, source):
        """Go to a place of the navigation; on a phone it may stand behind one more."""
        found = self.page.get_by_role("navigation").get_by_role("link", name=self.say(source), exact=True)
        if found.count() == 0:
            self.page.locator(".dock summary").click()
        with self.page.expect_navigation(wait_until="load"):
            found.first.click()

    def unfold(self, source, plugin=None):
        self.page.locator("main summary").filter(has_text=re.compile(self.say(source, plugin))).first.click()


def _plugin(name):
    with (files(f"threepeat_{name}") / "locale/zh_CN/LC_MESSAGES/messages.po").open("rb") as source:
        catalogue = read_po(source, "zh_CN")
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)
