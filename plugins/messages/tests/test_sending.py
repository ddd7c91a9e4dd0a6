"""Marketing goes to whoever agreed, in the day, not too often; everything else is kept with its reason."""

from datetime import UTC, datetime, timedelta

import pytest

from threepeat.tenancy import switches
from threepeat_messages import reactions

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_marketing_needs_consent(shop):
    shop.say("offer")
    assert shop.states() == ["held: no_consent"]
    shop.agree()
    shop.say("offer")
    assert shop.states() == ["held: no_consent", "sent"]
    assert shop.texts() == ["Come for tea!"]


def test_what_was_held_is_not_sent_later(shop):
    shop.say("offer")
    shop.agree()
    shop.wait(2 * DAY)
    assert shop.states() == ["held: no_consent"]


@pytest.mark.parametrize(
    ("statements", "goes"),
    [
        ([("marketing", True)], True),
        ([("marketing.inbox", True)], True),
        ([("marketing.log", True)], False),
        ([("newsletter", True)], False),
        ([("marketing", True), ("marketing.inbox", False)], False),
        ([("marketing.inbox", True), ("marketing", False)], False),
        ([("marketing", False), ("marketing.inbox", True)], True),
        ([("marketing", True), ("newsletter", False)], True),
    ],
)
def test_the_latest_statement_about_marketing_or_the_channel_counts(shop, statements, goes):
    for purpose, yes in statements:
        shop.agree(purpose=purpose, yes=yes)
        shop.wait(HOUR / 60)
    shop.say("offer")
    assert shop.states() == ["sent" if goes else "held: no_consent"]


def test_marketing_waits_for_the_end_of_the_quiet_hours(shop):
    shop.agree()
    shop.wait(10 * HOUR)  # 22:00
    shop.say("offer")
    assert shop.states() == ["queued"]
    shop.wait(10 * HOUR)  # 08:00
    assert shop.states() == ["queued"]
    shop.wait(HOUR)
    assert shop.states() == ["sent"]
    assert shop.rows("SELECT local_day::text, local_minute, quiet_from, quiet_until FROM messages.message") == [
        ("2026-01-15", 540, 1260, 540)
    ]


def test_without_quiet_hours_it_goes_at_night(shop):
    shop.agree()
    shop.save(quiet_from="00:00", quiet_until="00:00")
    shop.wait(14 * HOUR)
    shop.say("offer")
    assert shop.states() == ["sent"]


def test_a_merchant_who_changes_the_quiet_hours_while_it_waits_is_heeded(shop):
    shop.agree()
    shop.wait(10 * HOUR)
    shop.say("offer")
    shop.save(quiet_until="10:00")
    shop.wait(11 * HOUR)
    assert shop.states() == ["queued"]
    shop.wait(HOUR)
    assert shop.states() == ["sent"]


def test_a_withdrawal_stops_what_waits_at_once(shop):
    """Elsewhere consent was read when a campaign began, and members who refused meanwhile were written to."""
    shop.agree("ann", "bob")
    shop.wait(10 * HOUR)
    shop.say("offer", "ann", "bob")
    shop.agree(yes=False)
    assert shop.states() == ["withdrawn: refused"]
    assert shop.states("bob") == ["queued"]
    shop.agree(drain=False)
    shop.wait(12 * HOUR)
    assert shop.states() == ["withdrawn: refused"], "a new consent is for what comes from now on"
    assert shop.states("bob") == ["sent"]


def test_a_withdrawal_holds_before_its_event_was_handled(shop, monkeypatch):
    shop.agree()
    shop.wait(10 * HOUR)
    shop.say("offer")
    monkeypatch.setattr(reactions, "CHANNELS", {})  # as if the reaction had not come to it yet
    answer = shop.client.post(
        "/v1/me/consents",
        json={"purpose": "marketing", "granted": False},
        headers={**shop.token(), "Idempotency-Key": "k-1"},
    )
    assert answer.status_code == 200, answer.text
    shop.wait(12 * HOUR)
    assert shop.states() == ["held: no_consent"]


def test_a_refusal_that_arrives_late_stops_nothing_that_was_agreed_to_since(shop):
    shop.wait(HOUR)
    shop.agree()
    shop.wait(10 * HOUR)
    shop.say("offer")
    shop.agree(yes=False, time=shop.now - 10 * HOUR - HOUR / 2)
    assert shop.states() == ["queued"]
    shop.wait(12 * HOUR)
    assert shop.states() == ["sent"]


def test_a_refusal_from_a_clock_that_is_ahead_holds_until_the_next_statement(shop):
    shop.at(datetime.now(UTC))
    shop.save(quiet_from="00:00", quiet_until="00:00")
    shop.agree(yes=False, time=datetime.now(UTC) + HOUR / 10)
    shop.say("offer")
    shop.agree(time=datetime.now(UTC))
    shop.say("offer")
    assert shop.states() == ["held: no_consent", "sent"]


def test_one_cap_for_all_tactics_by_day(shop):
    """Caps elsewhere counted each campaign for itself, or counted first and sent later."""
    shop.agree("ann", "bob")
    shop.save(per_day=2, per_week=7)
    shop.say("offer", title="one")
    shop.say("offer", "ann", "bob", title="two")
    shop.say("offer", "ann", "bob", title="three")
    assert shop.states() == ["sent", "sent", "held: cap"]
    assert shop.states("bob") == ["sent", "sent"]
    shop.say("told")
    assert shop.states()[-1] == "sent", "a service notice counts for nothing"
    shop.wait(DAY)
    shop.say("offer", title="four")
    assert shop.states()[-1] == "sent"


def test_the_day_is_the_stores(shop):
    shop.agree()
    shop.save(quiet_from="00:00", quiet_until="00:00")
    shop.wait(11 * HOUR + HOUR / 2)  # 23:30
    shop.say("offer")
    shop.say("offer")
    shop.wait(HOUR)  # 00:30, the same day in UTC
    shop.say("offer")
    assert shop.states() == ["sent", "held: cap", "sent"]


def test_a_cap_for_the_week_that_begins_on_monday(shop):
    shop.agree()
    shop.save(per_day=5, per_week=3)
    for _ in range(3):  # Wednesday, Thursday, Friday
        shop.say("offer")
        shop.wait(DAY)
    shop.say("offer")
    shop.wait(DAY)
    shop.say("offer")  # Sunday
    shop.wait(DAY)
    shop.say("offer")
    assert shop.states() == ["sent"] * 3 + ["held: cap"] * 2 + ["sent"]


def test_several_at_once_do_not_pass_the_cap(shop):
    shop.agree()
    shop.save(per_day=3, per_week=10)
    shop.wait(10 * HOUR)
    for number in range(5):
        shop.say("offer", title=str(number), drain=False)
    shop.wait(12 * HOUR)
    assert shop.states() == ["sent"] * 3 + ["held: cap"] * 2
    assert shop.texts() == [f"Come for {number}!" for number in range(3)]


def test_a_merchant_who_sends_no_marketing(shop):
    shop.agree()
    shop.save(per_day=0)
    shop.say("offer")
    assert shop.states() == ["held: cap"]


def test_too_old_to_tell(shop):
    shop.agree()
    money = {"total": 100, "currency": "CNY"}
    for hours, order in ((71, "young"), (73, "old")):
        shop.batch(shop.event("order.paid", "ann", order_id=order, time=shop.now - hours * HOUR, **money))
    assert shop.states() == ["sent", "held: too_old"]
    shop.say("offer", until=shop.now)
    shop.say("offer", until=shop.now + HOUR)
    assert shop.states()[2:] == ["held: too_old", "sent"]


def test_an_offer_that_is_over_by_morning_is_not_made(shop):
    shop.agree()
    shop.wait(10 * HOUR)
    shop.say("offer", until=shop.now + 8 * HOUR)
    assert shop.states() == ["queued"]
    shop.wait(11 * HOUR)
    assert shop.states() == ["held: too_old"]


def test_suspended_members_get_notices_and_no_marketing(shop):
    shop.agree("ann", "bob")
    shop.wait(10 * HOUR)
    shop.say("offer", "ann", "bob")
    shop.suspend("ann", until=shop.now + 2 * DAY)
    shop.say("told")
    shop.wait(12 * HOUR)
    assert shop.states() == ["held: suspended", "sent"]
    assert shop.states("bob") == ["sent"]
    shop.say("offer", title="again")
    assert shop.states()[-1] == "held: not_taking_part"


def test_a_comparison_group_gets_no_marketing_of_its_tactic(shop):
    names = [f"m{number}" for number in range(30)]
    shop.agree(*names)
    shop.save("herald", holdout=50)
    shop.say("offer", *names)
    found = [shop.states(name) for name in names]
    assert {one for states in found for one in states} == {"sent", "held: not_taking_part"}
    shop.say("told", *names)
    assert all(shop.states(name)[1] == "sent" for name in names)


def test_a_kind_that_is_switched_off(shop):
    shop.agree()
    shop.template(action="switch_off")
    shop.say("offer")
    shop.template(action="switch_on")
    shop.say("offer")
    assert shop.states() == ["held: off", "sent"]


def test_a_kind_that_is_switched_off_while_it_waits(shop):
    shop.agree()
    shop.wait(10 * HOUR)
    shop.say("offer")
    shop.template(action="switch_off")
    shop.wait(12 * HOUR)
    assert shop.states() == ["held: off"]


def test_what_a_tactic_had_to_say_that_is_off_by_now(shop):
    shop.agree()
    shop.wait(10 * HOUR)
    shop.say("offer")
    shop.collection(
        lambda opened: switches.disable(
            opened.scope, opened.tenant, opened.platform.registry, "herald", by="test", act=opened.platform.act
        )
    )
    shop.wait(12 * HOUR)
    assert shop.states() == ["held: off"]


def test_a_tactic_that_is_closing_offers_nothing_and_still_tells_what_it_owes(shop):
    shop.agree()
    shop.save("herald", owes=True)
    shop.wait(10 * HOUR)
    shop.say("offer")
    shop.collection(
        lambda opened: switches.disable(
            opened.scope, opened.tenant, opened.platform.registry, "herald", by="test", act=opened.platform.act
        )
    )
    shop.say("told")
    shop.wait(12 * HOUR)
    shop.say("offer")
    assert shop.states() == ["held: off", "sent", "held: off"]


def test_values_are_kept_while_a_message_waits_and_no_longer(shop):
    shop.agree("ann", "bob")
    shop.say("told")
    shop.say("offer", "ann", "carl")
    shop.wait(10 * HOUR)
    shop.say("offer", "ann", "bob")
    kept = "SELECT state, count(written) FROM messages.message WHERE tenant_id = :tenant GROUP BY 1 ORDER BY 1"
    assert shop.rows(kept) == [("held", 0), ("queued", 2), ("sent", 0)]
    shop.agree("bob", yes=False)
    shop.wait(12 * HOUR)
    assert shop.rows(kept) == [("held", 0), ("sent", 0), ("withdrawn", 0)]


def test_old_texts_are_deleted_and_the_message_is_not_sent_again(shop):
    shop.say("told", cause="once")
    shop.say("offer", cause="never")
    shop.wait(179 * DAY)
    assert len(shop.inbox()["messages"]) == 1
    shop.wait(2 * DAY)
    assert shop.inbox() == {"unread": 0, "messages": [], "next": None}
    assert shop.rows("SELECT count(*), count(text), count(title), count(written) FROM messages.message") == [
        (2, 0, 0, 0)
    ]
    shop.say("told", cause="once")
    assert shop.states() == ["sent", "held: no_consent"]


def test_texts_are_deleted_a_stretch_at_a_time(shop, monkeypatch):
    monkeypatch.setattr("threepeat_messages.keeping.STRETCH", 2)
    for _ in range(5):
        shop.say("told", drain=False)
    shop.wait(181 * DAY)
    assert shop.rows("SELECT count(cleared_at) FROM messages.message") == [(5,)]


def test_what_waits_is_owed_until_it_is_settled(shop):
    shop.agree()
    shop.wait(10 * HOUR)
    shop.say("offer")
    owed = shop.inside(
        lambda ctx: list(shop.platform.registry["messages"].plugin.open_obligations(ctx)), plugin="messages"
    )
    assert owed == ["1 message waits to be sent"]


def test_many_messages_for_one_member_go_a_stretch_at_a_time(shop, monkeypatch):
    monkeypatch.setattr("threepeat_messages.sending.MOST", 4)
    shop.agree("ann", "bob", "carl")
    shop.save(per_day=20, per_week=100)
    shop.wait(10 * HOUR)
    for number in range(6):
        shop.say("offer", "ann", "bob", "carl", title=str(number), drain=False)
    shop.wait(12 * HOUR)
    assert [shop.states(name) for name in ("ann", "bob", "carl")] == [["sent"] * 6] * 3
