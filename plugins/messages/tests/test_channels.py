"""Channels: the inbox, the development log, and one that needs a permission for each message."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from threepeat_messages.channels import CHANNELS

HOUR = timedelta(hours=1)


def test_one_permission_sends_one_message(shop, by_courier):
    """Elsewhere one accept was taken for a standing one, and the platform refused the second message."""
    shop.say("told")
    assert shop.states() == ["held: no_permission"]
    shop.allow(count=2)
    for _ in range(3):
        shop.say("told")
    assert shop.states() == ["held: no_permission", "sent", "sent", "held: no_permission"]
    assert shop.rows("SELECT granted, used FROM messages.permission") == [(2, 2)]
    shop.allow("ann", template="t-2", count=9)
    shop.allow("bob")
    shop.say("told")
    assert shop.states()[-1] == "held: no_permission"
    assert len(by_courier.brought) == 2
    assert shop.inbox()["messages"] == [], "what went by courier is not in the inbox"


@pytest.mark.usefixtures("by_courier")
def test_permissions_add_up_and_count_once(shop):
    event = shop.event("permission.granted", "ann", template="t-1", count=2, id="tap")
    shop.batch(event, event)
    shop.batch(event)
    shop.allow()
    for _ in range(4):
        shop.say("told")
    assert shop.states() == ["sent"] * 3 + ["held: no_permission"]


@pytest.mark.usefixtures("by_courier")
def test_service_notices_come_before_marketing(shop):
    shop.agree(purpose="marketing.courier")
    shop.allow()
    shop.say("offer", drain=False)
    shop.say("told")
    assert shop.states() == ["held: no_permission", "sent"]


def test_a_notice_in_the_night_leaves_marketing_alone_until_the_morning(shop, by_courier, monkeypatch):
    """However much of it there is: what waits for the morning is not looked at over and over again."""
    monkeypatch.setattr("threepeat_messages.sending.MOST", 2)
    shop.allow(count=9)
    shop.wait(10 * HOUR)
    for _ in range(3):
        shop.say("offer")
    shop.say("told", "ann", "bob")
    assert shop.states() == ["queued"] * 3 + ["sent"]
    assert shop.states("bob") == ["held: no_permission"]
    shop.agree()
    shop.wait(12 * HOUR)
    assert shop.states() == ["sent", "held: cap", "held: cap", "sent"]
    assert len(by_courier.brought) == 2


@pytest.mark.usefixtures("by_courier")
def test_a_cap_uses_up_no_permission_and_a_missing_permission_no_cap(shop):
    shop.agree()
    shop.say("offer", "ann")
    assert shop.states() == ["held: no_permission"]
    shop.allow(count=5)
    shop.say("offer")
    shop.say("offer")
    assert shop.states() == ["held: no_permission", "sent", "held: cap"]
    assert shop.rows("SELECT granted, used FROM messages.permission") == [(5, 1)]


def test_a_plugin_that_came_to_need_other_variables_while_something_waited(shop, by_courier):
    """Its members are told nothing of that, and whatever comes later as ever."""
    shop.agree("ann", "bob")
    shop.allow()
    shop.allow("bob")
    shop.wait(10 * HOUR)
    shop.say("offer", "ann", "bob")
    shop.rows(
        "UPDATE messages.message SET written = '{}' WHERE tenant_id = :tenant AND member_id = :member RETURNING 1",
        member=shop.member(),
    )
    shop.wait(12 * HOUR)
    assert shop.states() == ["held: outdated"]
    assert shop.states("bob") == ["sent"]
    shop.say("offer")
    assert shop.states() == ["held: outdated", "sent"]
    assert len(by_courier.brought) == 2


@pytest.mark.usefixtures("by_courier")
def test_a_channel_that_is_not_there(shop, monkeypatch):
    shop.allow()
    shop.say("told", drain=False)
    monkeypatch.delitem(CHANNELS, "courier")
    shop.worker.drain()
    shop.say("told")
    assert shop.states() == ["held: no_channel", "held: no_channel"]


def test_the_development_log_holds_no_values(shop):
    shop.save(development=True)
    shop.template("herald-told", channel="log")
    with capture_logs() as logs:
        shop.say("told", title="secret-canary")
    assert shop.states() == ["sent"]
    said = str(logs)
    assert "{title} costs {price}." in said
    assert str(shop.member()) in said
    assert "canary" not in said
    assert shop.inbox()["messages"] == []
    shop.save(development=False)
    shop.say("told")
    assert shop.states() == ["sent", "held: no_channel"]
