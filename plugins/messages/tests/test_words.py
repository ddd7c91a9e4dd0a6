"""What the form says."""

from threepeat_messages.settings import MessagesSettings


def test_the_form_says_what_the_settings_come_to(shop):
    store = shop.tenant.store
    assert list(MessagesSettings().worked(store)) == [
        "Marketing that comes up at 21:00 is read from 09:00 on; a service notice is read at once.",
        "After 1 marketing message on a day the next one is not sent, and you see why.",
    ]
    quiet = MessagesSettings(quiet_from="09:00:30", quiet_until="09:00", per_day=0)
    assert list(quiet.worked(store)) == ["No marketing is sent."]
