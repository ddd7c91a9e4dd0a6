"""Message templates in the console: every kind is there, and a text that does not fit is told at its field."""

from datetime import date

from threepeat.events.context import Cause
from threepeat.sdk import Notice
from threepeat.tenancy import members

TEMPLATES = "/tactics/messages/collections/templates"
EXPIRING = f"{TEMPLATES}/items/points-expiring"


def test_a_merchant_says_it_in_words_of_the_stores_own(make_shop):
    shop = make_shop("points")
    assert "Points · Points expire soon" in shop.get(TEMPLATES)
    page = shop.get(EXPIRING)
    assert "{points} of your points expire at the end of {day}." in page
    assert "{day} The last day on which they can be spent" in page
    sent = shop.fields(EXPIRING, "values", "revision")
    assert "{day} is missing." in shop.post(EXPIRING, sent | {"values.text_en": "{points} go"}, 422)
    assert "There is no variable {name}." in shop.post(
        EXPIRING, sent | {"values.text_en": "{points} {day} {name}"}, 422
    )
    assert "Only names of variables may stand in braces." in shop.post(
        EXPIRING, sent | {"values.text_zh": "{points.__class__} {day}"}, 422
    )
    shop.follow(EXPIRING, sent | {"values.text_en": "Use {points} by {day}!"})
    assert "Use {points} by {day}!" in shop.get(EXPIRING)
    assert shop.trail()[0][1] == "collection.updated"
    assert "Off" in shop.follow(f"{EXPIRING}/switch_off", {"revision": "2"})


def test_it_is_all_there_in_chinese(make_shop):
    shop = make_shop("points")
    shop.owner.cookies["__Host-threepeat-locale"] = "zh-CN"
    page = shop.get(TEMPLATES)
    assert "消息模板" in page
    assert "积分 · 积分即将到期" in page


def test_the_preview_shows_the_inbox(make_shop):
    shop = make_shop("points")
    shop.post("/preview/member")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        member = members.find(scope, f"preview:{shop.owner.session.person.id}")
        opened = shop.platform.inside(scope, shop.tenant)
        context = opened.context(shop.platform.registry["points"], cause=Cause("test"))
        context.message("expiring", [Notice(member, "soon", {"points": 1280, "day": date(2026, 3, 1)})])
        context.finish()
    page = shop.get("/preview")
    assert "1,280 of your points expire at the end of Mar 1, 2026." in page
    assert "Mark messages as read" in page
    shop.owner.cookies["__Host-threepeat-locale"] = "zh-CN"
    assert "您有 1,280 积分将于 2026年3月1日 到期，请及时使用。" in shop.get("/preview")
