"""What events are called."""

import pytest

from threepeat.sdk.events import CATALOGUE
from threepeat_tenants.console import translations, vocabulary
from threepeat_tenants.console.page import Page


@pytest.mark.parametrize("locale", translations.LOCALES)
def test_every_type_of_the_catalogue_has_a_name_of_its_own(crowded, locale):
    page = Page(console=crowded, request=None, locale=locale)
    names = [vocabulary.event(page, one.type) for one in CATALOGUE]
    assert len(set(names)) == len(CATALOGUE) == len(vocabulary.EVENTS)
    assert not any("." in name for name in names)


def test_a_plugins_own_event_is_named_after_it_and_a_strange_one_by_itself(crowded):
    page = Page(console=crowded, request=None, locale="zh-CN")
    assert vocabulary.event(page, "points.earned") == "积分：已获得"
    assert vocabulary.event(page, "nobody.did_it") == "nobody.did_it"
    assert vocabulary.event(page, "") == ""
