"""What people do to a member: once, with a reason, and by name in the trail."""

import json
import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest

from threepeat.events import erasure
from threepeat.tenancy import members

from .conftest import HOSTILE, key_of


def points(shop, name="ann"):
    from threepeat.events import profiles

    with shop.scope() as scope:
        opened = shop.platform.inside(scope, shop.tenant)
        balances = profiles.read(opened, shop.member(name)).balances
        return next(one.amount for one in balances if one.reward.kind == "points")


@pytest.mark.parametrize("role", ["owner", "operator"])
def test_a_reward_is_given_and_taken_by_name(shop, adjust, role):
    browser = shop.browser(role)
    answer = adjust(browser, shop.path(), amount="20")
    assert (answer.status_code, answer.headers["location"]) == (303, shop.path())
    assert "Done. The member has 20 points now." in browser.get(shop.path()).text
    assert adjust(browser, shop.path(), direction="take", amount="5").status_code == 303
    assert points(shop) == 15
    by = f"staff:{browser.session.person.id}"
    subject = f"member:{shop.member()}"
    assert shop.trail(subject) == [(by, "member.adjusted", subject)] * 2
    page = browser.get(shop.path()).text
    assert "late parcel" in page
    assert "+20" in page


def test_a_form_that_is_sent_twice_is_done_once(shop, adjust):
    browser = shop.browser()
    key = key_of(browser.get(shop.path()))
    for direction in ("give", "take"):
        for _ in range(2):
            sent = adjust(browser, shop.path(), key=key + direction, direction=direction, amount="7")
            assert sent.status_code == 303
        assert "was done already" in browser.get(shop.path()).text
    assert points(shop) == 0
    assert len(shop.trail(f"member:{shop.member()}")) == 2
    other = adjust(browser, shop.path(), key=key + "give", amount="8")
    assert other.status_code == 422
    assert "with other values" in other.text


def test_nobody_gets_below_zero(shop, adjust):
    browser = shop.browser()
    answer = adjust(browser, shop.path(), direction="take", amount="1", reason="kept as typed")
    assert answer.status_code == 422
    assert "1 point is missing" in answer.text
    assert "kept as typed" in answer.text
    assert points(shop) == 0
    assert shop.trail(f"member:{shop.member()}") == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((field, value) for field in ("kind", "direction", "amount") for value in ("", *HOSTILE)),
        ("amount", "1" + "0" * 10),
        ("reason", ""),
        ("reason", "x" * 5000),
        ("key", ""),
        ("key", "x" * 5000),
    ],
)
def test_a_bad_value_is_named_and_kept(shop, adjust, field, value):
    answer = adjust(shop.browser(), shop.path(), **{field: value})
    assert answer.status_code == 422
    assert "field-error" in answer.text
    assert "<script>alert" not in answer.text
    assert shop.trail(f"member:{shop.member()}") == []


@pytest.mark.parametrize("broken", [b"a%00", b"%ed%a0%80", b"%ff"])
def test_what_is_no_text_is_refused(shop, broken):
    browser = shop.browser()
    from threepeat_tenants.console import origin

    for action, field in (("adjust", b"reason"), ("suspend", b"why"), ("find", b"q"), ("erase", b"again")):
        path = f"{shop.root}/members/find" if action == "find" else f"{shop.path()}/{action}"
        body = b"csrf=" + origin.mask(browser.session.csrf).encode() + b"&" + field + b"=" + broken
        answer = browser.http.request(
            "POST",
            path,
            content=body,
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Sec-Fetch-Site": "same-origin",
                "Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items()),
            },
        )
        assert answer.status_code == 422
    assert shop.trail(f"member:{shop.member()}") == []


def test_a_member_is_exempted_and_included(shop):
    browser = shop.browser("operator")
    for wanted, action in (("yes", "member.exempted"), ("no", "member.included")):
        for _ in range(2):
            assert browser.post(f"{shop.path()}/exempt", {"exempt": wanted}).status_code == 303
        assert shop.trail()[0][1] == action
    assert len(shop.trail(f"member:{shop.member()}")) == 2


def test_a_member_is_suspended_and_reinstated(shop):
    browser = shop.browser("operator")
    day = f"{datetime.now(UTC) + timedelta(days=10):%Y-%m-%d}"
    answer = browser.post(f"{shop.path()}/suspend", {"until": day, "why": "one <b>phone</b>"})
    assert answer.status_code == 303
    page = browser.get(shop.path()).text
    assert "one &lt;b&gt;phone&lt;/b&gt;" in page
    assert "Lift the suspension" in page
    with shop.scope() as scope:
        until = members.read(scope, shop.member()).suspended_until
    assert f"{until.astimezone(shop.tenant.store.timezone) - timedelta(seconds=1):%Y-%m-%d}" == day
    for _ in range(2):
        assert browser.post(f"{shop.path()}/reinstate").status_code == 303
    assert [one[1] for one in shop.trail(f"member:{shop.member()}")] == ["member.reinstated", "member.suspended"]


@pytest.mark.parametrize("until", ["", "2020-01-01", "9999-12-31", "tomorrow", "0000-00-00", *HOSTILE])
def test_a_bad_day_is_named(shop, until):
    answer = shop.browser().post(f"{shop.path()}/suspend", {"until": until})
    assert answer.status_code == 422
    assert "field-error" in answer.text
    assert shop.trail(f"member:{shop.member()}") == []


def test_two_members_become_one(shop, adjust):
    browser = shop.browser("operator")
    adjust(browser, shop.path("ann"), amount="3")
    adjust(browser, shop.path("bob"), amount="4")
    stays, goes = shop.member("ann"), shop.member("bob")
    found = browser.post(f"{shop.path('ann')}/merge", {"q": "bob"})
    preview = found.headers["location"]
    assert preview == f"{shop.path('ann')}/merge/{goes}"
    assert "Merge for good" in browser.get(preview).text
    for _ in range(2):
        answer = browser.post(preview)
        assert (answer.status_code, answer.headers["location"]) == (303, shop.path("ann"))
    assert points(shop) == 7
    assert [one for one in shop.trail(f"member:{stays}") if one[1] == "member.merged"] == [
        (f"staff:{browser.session.person.id}", "member.merged", f"member:{stays}")
    ]
    # The old address leads on, and both stories are told.
    assert browser.get(f"{shop.root}/members/{goes}").headers["location"] == shop.path("ann")
    page = browser.get(shop.path("ann")).text
    assert "took over what belonged to" in page
    assert "+4" in page


def test_a_member_is_not_merged_with_nobody_or_themselves(shop):
    browser = shop.browser()
    shop.member("ann")
    for wanted in ("ann", "nobody", ""):
        assert browser.post(f"{shop.path()}/merge", {"q": wanted}).status_code == 422
    assert browser.get(f"{shop.path()}/merge/{shop.member()}").status_code == 303
    assert browser.post(f"{shop.path()}/merge/{2**62}").status_code == 404
    assert shop.trail(f"member:{shop.member()}") == []


def test_an_owner_takes_a_copy(shop):
    formula = "=cmd|' /C calc'!A0"
    shop.pay(formula)
    shop.drain()
    browser, path = shop.browser(), shop.path(formula)
    answer = browser.post(f"{path}/export", {"format": "json"})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="member-export.json"'
    assert "core.event" in json.loads(answer.content)["tables"]
    answer = browser.post(f"{path}/export", {"format": "csv"})
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        assert b"'=cmd" in archive.read("core.identity.csv")
    assert browser.post(f"{path}/export", {"format": "exe"}).status_code == 422
    subject = f"member:{shop.member(formula)}"
    assert shop.trail(subject) == [(f"staff:{browser.session.person.id}", "member.exported", subject)] * 2


def test_an_owner_erases_a_member_after_typing_the_id(shop):
    shop.pay()
    shop.drain()
    browser, path, subject = shop.browser(), shop.path(), f"member:{shop.member()}"
    assert "Type the shop id ann" in browser.get(f"{path}/erase").text
    for again in ("", "Ann", "bob", *HOSTILE):
        answer = browser.post(f"{path}/erase", {"again": again})
        assert answer.status_code == 422
    assert shop.trail(subject) == []
    answer = browser.post(f"{path}/erase", {"again": " ann "})
    where = answer.headers["location"]
    assert "Under way" in browser.get(where).text
    assert browser.get(path).status_code == 404
    assert browser.post(f"{path}/erase", {"again": "ann"}).status_code == 404
    erasure.complete(shop.platform, shop.tenant, where.rpartition("/")[2])
    done = browser.get(where).text
    assert "Complete" in done
    assert "Receipt" in done
    assert shop.trail(subject) == [(f"staff:{browser.session.person.id}", "member.erased", subject)]
    assert shop.browser("operator").get(where).status_code == 403
    assert browser.get(f"{shop.root}/members/erasures/{'0' * 32}").status_code == 404
    # It is in the list beside the database, for a restore.
    assert where.rpartition("/")[2] in shop.platform.erasures.read_text()


def test_another_stores_erasure_is_not_there(shop, other):
    browser = other.browser()
    answer = browser.post(f"{other.path()}/erase", {"again": "ann"})
    number = answer.headers["location"].rpartition("/")[2]
    assert shop.browser().get(f"{shop.root}/members/erasures/{number}").status_code == 404
