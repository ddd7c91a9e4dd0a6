"""Many at once: nothing is held twice, nothing is paid twice, and nobody waits in a circle."""

import random
import time
from collections import Counter
from threading import Event

import pytest
from sqlalchemy import text

from threepeat.sdk import Refused
from threepeat.testing.together import together
from threepeat.worker.loop import Worker
from threepeat_checkout import keeping
from threepeat_checkout.quotes import Quotes

THREADS = 32
WAITING = text("""
    SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE NOT granted AND datname = current_database()
""")
DEADLOCKS = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


def at_once(*works):
    """Run works in threads of their own, begun at once; raises what one of them raised."""
    together(len(works), lambda number: works[number]())


def deadlocks(shop):
    with shop.platform.database.directory() as connection:
        return connection.execute(DEADLOCKS).scalar_one()


@pytest.fixture
def stormy(shop):
    before = deadlocks(shop)
    yield shop
    shop.worker.drain()
    shop.platform.database.dispose()  # connections that end tell what they have counted
    assert deadlocks(shop) == before


def answers(shop, what, quote, *given):
    """What a command comes to, in a word."""
    try:
        return shop.ask(what, quote, *given).state
    except Refused as error:
        return error.code


def test_thirty_two_members_want_the_last_three_coupons(stormy):
    quotes = [stormy.quote(f"m{number}", coupon="a", campaign=True) for number in range(THREADS)]
    told = Counter()

    def work(quote):
        told[answers(stormy, "reserve", quote)] += 1

    at_once(*(lambda quote=quote: work(quote) for quote in quotes))
    assert told == {"reserved": 3, "gone": THREADS - 3}
    assert (stormy.left("a"), stormy.left("budget")) == (0, 100)


def one_quote(shop):
    """32 threads reserve, pay and release one quote, under orders of their own."""
    quote, told = shop.quote(coupon="a", pay=500), Counter()

    def work(number):
        for what, *given in (["reserve"], ["confirm", f"{quote.id}-{number}"], ["release"]):
            told[what, answers(shop, what, quote, *given)] += 1

    at_once(*(lambda number=number: work(number) for number in range(THREADS)))
    assert told["confirm", "confirmed"] + told["release", "released"] > 0
    assert told["confirm", "confirmed"] <= 1
    paid = shop.state(quote) == "confirmed"
    assert paid == (told["confirm", "confirmed"] == 1)
    assert (shop.left("a"), shop.purse()) == ((2, 4_500) if paid else (3, 5_000))


def often(work, *given):
    for _ in range(5):
        work(*given)


def test_thirty_two_threads_over_one_quote(stormy):
    one_quote(stormy)


def test_the_storm_sees_a_checkout_that_does_not_lock(shop, monkeypatch):
    monkeypatch.setattr(keeping, "lock", lambda ctx, ids, _members: {one: keeping.read(ctx, one) for one in ids})
    monkeypatch.setattr(shop, "call", unheld(shop))
    with pytest.raises((AssertionError, RuntimeError)):
        often(one_quote, shop)
    shop.rows("DELETE FROM checkout.quote RETURNING id")
    shop.rows("DELETE FROM checkout.payment RETURNING order_id")
    shop.rows("DELETE FROM checkout.taken RETURNING quote_id")
    shop.rows("DELETE FROM stall.hold RETURNING item")
    shop.rows("UPDATE stall.stock SET remaining = initial RETURNING item")


def unheld(shop):
    """Ask without locking the member first."""
    real = shop.call
    return lambda work, *, plugin="checkout", member=None: (member, real(work, plugin=plugin))[1]


def race(shop, turn):
    first, second = [shop.reserved(coupon="a", pay=10) for _ in range(2)]
    fresh = shop.quote(coupon="a")
    shop.wait(29 + 2 * (turn % 2), drain=False)
    order = f"{turn}"
    events = [
        shop.refunded(first.quote.total, order=f"{order}a"),
        shop.paid(first, f"{order}a"),
        shop.paid(second, f"{order}b"),
        shop.paid(second, f"{order}c"),
    ]
    told = []
    at_once(
        lambda: shop.batch(*events[:2]),
        lambda: shop.batch(*events[2:]),
        lambda: told.append(answers(shop, "confirm", second, f"{order}d")),
        lambda: told.append(answers(shop, "release", second)),
        lambda: told.append(answers(shop, "reserve", fresh)),
        lambda: Worker(shop.platform).drain(),
    )
    shop.worker.drain()
    assert shop.state(first) == "confirmed"
    assert shop.state(second) in {"confirmed", "released"}
    asked = {order for order, *_ in shop.asked_back() if order.startswith(f"{turn}")} - {f"{turn}a"}
    won = shop.read(second).order_id
    assert asked == {f"{turn}b", f"{turn}c"} - {won}
    answers(shop, "release", fresh)
    everything = {"t": 3, "c": 1, "n": 7}
    shop.batch(shop.refunded(second.quote.total, everything, order=won or "none"))
    assert (shop.left("a"), shop.purse()) == (3, 5_000), turn


def test_races_of_two(stormy):
    """Reserve against the timeout, pay against release, pay against pay, refund against pay; ten times each."""
    for turn in range(10):
        race(stormy, turn)


def test_everything_at_once_adds_up(stormy):
    """Members, the shop's server, a worker and the clock, over quotes that share coupons, a budget and purses."""
    shop, seed = stormy, random.randrange(2**32)
    chance = random.Random(seed)
    names = ["ann", "bob", "carl", None]
    for name in names[1:3]:
        shop.fill(name, 5_000)
    quotes = [(name, shop.quote(name, coupon="a", campaign=True)) for name in names for _ in range(3)]
    quotes += [(name, shop.quote(name, campaign=True, pay=300)) for name in names[:3] for _ in range(2)]
    plans = [
        [(chance.choice(["reserve", "reserve", "confirm", "release", "paid", "refund"]), *chance.choice(quotes))
         for _ in range(6)]
        for _ in range(THREADS - 2)
    ]  # fmt: skip

    def work(number):
        for turn, (what, name, quote) in enumerate(plans[number]):
            order = f"{quote.id}-{chance.choice('xy')}"
            if what == "paid":
                shop.batch(shop.paid(quote, order, name or "dora"), drain=False)
            elif what == "refund":
                units = {"t": 1} if turn % 2 else {}
                shop.batch(shop.refunded(500, units, order, name=name or "dora"), drain=False)
            else:
                answers(shop, what, quote, *([order] if what == "confirm" else []))

    def serve():
        for _ in range(12):
            Worker(shop.platform).drain()

    def clock():
        for _ in range(4):
            shop.wait(11, drain=False)

    at_once(*(lambda number=number: work(number) for number in range(THREADS - 2)), serve, clock)
    shop.wait(60)
    shop.worker.drain()
    assert shop.letters() == [], seed
    states = {quote.id: shop.state(quote) for _, quote in quotes}
    assert "reserved" not in states.values(), seed
    confirmed = [quote for _, quote in quotes if states[quote.id] == "confirmed"]
    used = sum(one.rule == "coupon" for quote in confirmed for one in quote.quote.applied)
    whole = shop.rows("SELECT count(*) FROM stall.hold WHERE rule = 'coupon' AND returned = 1")[0][0]
    assert shop.left("a") == 3 - used + whole, seed
    orders = shop.rows("SELECT outcome, count(*) FROM checkout.payment GROUP BY outcome")
    assert dict(orders).get("confirmed", 0) == len(confirmed), seed


def test_a_command_sees_what_a_payment_did_while_it_waited(shop):
    """The row is read under the lock; what was seen before counts for nothing."""
    quote = shop.reserved(coupon="a")
    paying = Event()

    def pay(ctx):
        Quotes(ctx).confirm(quote.id, "o1")
        paying.set()
        until_somebody_waits(shop)

    def release():
        assert paying.wait(30)
        with pytest.raises(Refused, match="is paid"):
            shop.call(lambda ctx: Quotes(ctx).release(quote.id))

    at_once(lambda: shop.call(pay), release)
    assert shop.state(quote) == "confirmed"


def until_somebody_waits(shop):
    end = time.monotonic() + 30
    with shop.platform.database.directory() as connection:
        while not connection.execute(WAITING).scalar_one():
            assert time.monotonic() < end
            time.sleep(0.01)
