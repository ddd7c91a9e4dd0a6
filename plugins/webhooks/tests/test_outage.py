"""A receiver that was down for days gets everything once, and verifies all of it while secrets change."""

import functools
import random
import threading
from datetime import timedelta

from hooks_kit import DAY, HOUR, Receiver

from threepeat_webhooks import delivering


def test_down_for_days_each_arrives_once_and_in_both_signatures_during_a_rotation(shop, receiver):
    endpoint, old = shop.endpoint(receiver.url, "visit.made")
    receiver.secrets = (old,)
    shop.send("visit.made", place="before")
    receiver.close()
    sent = ["before"]
    for hour in range(0, 48, 6):
        place = f"hour {hour}"
        shop.send("visit.made", f"m{hour}", place=place)
        sent.append(place)
        shop.wait(hours=6)
    rotated = shop.step(endpoint, "rotate")
    (new,) = rotated.once.values()
    assert new != old
    receiver.secrets = (new, old)
    receiver.open()
    # The schedule's longest pause is a day: after it everything has been tried again, signed with both secrets.
    for _ in range(12):
        shop.wait(hours=1, minutes=55)
    assert sorted(body["data"]["place"] for _, body, _ in receiver.got) == sorted(sent)
    assert len(set(receiver.ids)) == len(receiver.ids) == len(sent)
    signed = {len(headers["webhook-signature"].split(" ")) for _, _, headers in receiver.got[1:]}
    assert signed == {2}
    # The day is over: the old one signs nothing any more, and is forgotten.
    shop.wait(hours=2)
    receiver.secrets = (new,)
    shop.send("visit.made", place="after")
    assert len(receiver.got[-1][2]["webhook-signature"].split(" ")) == 1
    assert shop.rows("SELECT 1 FROM webhooks.endpoint WHERE old_secret IS NOT NULL") == []


def test_down_until_it_is_disabled_all_of_it_arrives_once_after_it_is_sent_again(shop, receiver):
    """Elsewhere what happened while an endpoint was disabled was lost: only what had failed came again."""
    endpoint, secret = shop.endpoint(receiver.url, "visit.made")
    receiver.secrets = (secret,)
    begun = shop.now
    receiver.close()
    sent = []
    for day in range(7):
        for number in range(3):
            sent.append(f"{day}.{number}")
            shop.send("visit.made", f"m{number}", place=sent[-1], work=number == 2)
        shop.wait(days=1)
    assert shop.item(endpoint).state == "disabled"
    receiver.open()
    shop.step(endpoint, "on")
    shop.wait(days=4)
    assert receiver.got == []
    shop.make("resends", endpoint=endpoint, since=(begun - HOUR).isoformat())
    shop.work()
    assert sorted(body["data"]["place"] for _, body, _ in receiver.got) == sorted(sent)
    assert len(set(receiver.ids)) == len(sent)


def test_one_endpoint_that_is_down_keeps_nothing_from_another(shop, receiver):
    down = Receiver()
    down.close()
    shop.endpoint(down.url, "visit.made")
    shop.endpoint(receiver.url, "visit.made")
    for number in range(12):
        shop.send("visit.made", f"m{number}", work=False)
    shop.work()
    assert len(receiver.got) == 12
    assert sorted(shop.states()) == ["delivered"] * 12 + ["queued"] * 12


def test_an_endpoint_that_keeps_us_waiting_rests_and_keeps_nothing_from_another(shop, receiver, monkeypatch):
    """Elsewhere one endpoint that swallowed connections took all places; the others' events came hours late."""
    monkeypatch.setattr(delivering, "post", functools.partial(delivering.post, seconds=0.2))
    monkeypatch.setattr(delivering, "SLOW", 200)
    # Five seconds may pass while a test runs.
    monkeypatch.setattr(delivering, "PAUSES", (timedelta(minutes=1), *delivering.PAUSES[1:]))
    hole, tried, over = Receiver(), [], threading.Event()

    def swallow(webhook_id):
        tried.append(webhook_id)
        over.wait(5)
        return 500

    def came():
        query = "SELECT failure, attempts FROM webhooks.delivery WHERE endpoint_id = :id ORDER BY id"
        return shop.rows(query, id=int(endpoint))

    hole.answer = swallow
    endpoint, _ = shop.endpoint(hole.url, "visit.made", "webhooks.tested")
    shop.send("visit.made")
    shop.wait(minutes=4)
    assert came() == [("timeout", 2)], "at the first failure it does not rest yet"
    assert "Nothing is tried until" in shop.item(endpoint).figures
    shop.endpoint(receiver.url, "visit.made")
    for number in range(12):
        shop.send("visit.made", f"m{number}", work=False)
    shop.work()
    assert len(receiver.got) == 12
    assert came() == [("timeout", 2)] + [("resting", 1)] * 12
    (told,) = {one.figures["Last answer"] for one in shop.items(state="queued", limit=12)}
    assert told == "Not tried: its endpoint keeps us waiting"
    shop.step(endpoint, "test")
    shop.work()
    assert came()[-1] == ("timeout", 1), "whoever asks for an attempt gets one"
    assert "Nothing is tried until" in shop.item(endpoint).figures
    over.set()
    hole.answer = 204
    shop.wait(minutes=20)
    assert len(set(tried)) <= 2, "nothing of what was not tried came there"
    assert set(shop.states()) == {"delivered"}
    assert len(set(hole.ids)) == len(hole.ids) == 14
    assert not {"Nothing is tried until", "Failing since"} & set(shop.item(endpoint).figures)
    hole.close()


def test_an_endpoint_that_fails_at_random_gets_each_once_in_the_end(shop, receiver):
    """At least once: what was taken and not answered for comes again under the same id, which tells it apart."""
    chance = random.Random(7)
    _, secret = shop.endpoint(receiver.url, "visit.made")
    receiver.secrets = (secret,)
    receiver.answer = lambda _: chance.choice((204, 500, 503, 404))
    for number in range(12):
        shop.send("visit.made", f"m{number}", work=False, place=str(number))
    shop.work()
    moments = 0
    while "queued" in shop.states() and moments < 40:
        shop.wait(hours=6)
        moments += 1
    states = shop.states()
    assert len(set(receiver.ids)) == states.count("delivered") == len(receiver.ids)
    assert states.count("delivered") + states.count("failed") == 12
    receiver.answer = 204
    (endpoint,) = [one.id for one in shop.items("endpoints")]
    shop.make("resends", endpoint=endpoint, since=(shop.now - 29 * DAY).isoformat())
    shop.work()
    assert len(set(receiver.ids)) == len(receiver.ids) == 12
