"""Many at once on a real server: nobody sits where no seat is, no group is stuck, nobody waits in a circle."""

import random
import threading
from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from threepeat.sdk import Refused
from threepeat.testing.together import together
from threepeat.worker.loop import Worker

THREADS = 32


def tried(work):
    """Whether something was done, or refused."""
    try:
        work()
    except Refused:
        return False
    return True


def last_seats(shop):
    """32 members who want the three seats that are left."""
    campaign = shop.campaign(size=4)
    group = shop.open("ann", campaign)
    names = [f"m{number}" for number in range(THREADS)]
    quotes = [shop.quote(name, campaign, group) for name in names]
    done = together(THREADS, lambda n: tried(lambda: shop.ask("reserve", names[n], quotes[n].id)))
    return group, names, quotes, done


def test_of_many_who_want_the_last_seats_as_many_have_one_as_there_are(shop):
    group, names, quotes, done = last_seats(shop)
    assert done.count(True) == 3
    assert shop.team(group) == ("open", 4, 1)
    held = [number for number, had in enumerate(done) if had]

    def confirm(number):
        name, quote = names[held[number]], quotes[held[number]]
        shop.ask("confirm", name, quote.id, f"o-{quote.id}")

    together(3, confirm)
    assert shop.team(group) == ("succeeded", 4, 4)
    assert len(shop.sent("group.succeeded")) == 4, "each member is told once"


def test_the_storm_sees_a_group_that_does_not_count(open_shop, platform, monkeypatch):
    found = platform.statements["groupbuy"]
    careless = str(found["take"]).replace("AND t.taken < t.size", "")
    assert careless != str(found["take"])
    monkeypatch.setitem(found, "take", text(careless.replace("::", "\\:\\:")))
    with pytest.raises(IntegrityError, match="team_seats_check"):
        last_seats(open_shop())


def test_whoever_taps_on_many_phones_has_one_seat(shop):
    campaign, other = shop.campaign(size=3), shop.campaign(size=3, per_member=2)
    groups = [shop.open(f"head{number}", campaign) for number in range(4)]
    quotes = [shop.quote("ann", campaign, group) for group in groups * 4]
    done = together(16, lambda n: tried(lambda: shop.ask("reserve", "ann", quotes[n].id)))
    assert done.count(True) == 1
    assert sum(shop.team(group)[1] for group in groups) == 5
    quotes = [shop.quote("bob", other) for _ in range(8)]
    done = together(8, lambda n: tried(lambda: shop.ask("reserve", "bob", quotes[n].id)))
    assert done.count(True) == 1


def deadlocks(shop):
    with shop.platform.database.ops.begin() as ops:
        found = ops.execute(text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
        return found.scalar_one()


def test_payments_at_the_moment_of_the_end_are_in_time_or_go_elsewhere(shop):
    """While a worker ends sixteen groups, their last seats are paid, and others leave them."""
    campaign = shop.campaign(hours=1)
    heads = [f"h{number}" for number in range(16)]
    groups = [shop.open(name, campaign) for name in heads]
    shop.wait(minutes=45)
    names = [f"m{number}" for number in range(16)]
    held = [shop.reserve(name, campaign, group) for name, group in zip(names, groups, strict=True)]
    before = deadlocks(shop)
    shop.wait(minutes=31, drain=False)

    def work(number):
        if number == 16:
            Worker(shop.platform).drain()
        else:
            shop.ask("confirm", names[number], held[number].id, f"o-{held[number].id}")

    together(17, work)
    shop.wait(hours=2)
    ends = {shop.team(group)[0] for group in groups}
    assert ends <= {"succeeded", "failed"}
    assert shop.rows("SELECT count(*) FROM groupbuy.team WHERE state = 'open'") == [(0,)]
    assert shop.rows("SELECT count(*) FROM groupbuy.seat WHERE state IN ('held', 'joined')") == [(0,)]
    assert deadlocks(shop) == before


class Bustle:
    """What one of many does at random: seats held, paid, let go, left and returned."""

    def __init__(self, shop, campaign, names, seed):
        self.shop, self.campaign, self.names = shop, campaign, names
        self.chance, self.held, self.paid = random.Random(seed), [], []

    def reserve(self):
        name = self.chance.choice(self.names)
        groups = [row[0] for row in self.shop.rows("SELECT id FROM groupbuy.team WHERE state = 'open'")]
        group = self.chance.choice([None, *groups])
        quote = self.shop.quote(name, self.campaign, group)
        if quote.quote.applied:
            self.shop.ask("reserve", name, quote.id)
            self.held.append((name, quote))

    def finish(self):
        if self.held:
            name, quote = self.held.pop()
            if self.chance.random() < 0.2:
                self.shop.ask("release", name, quote.id)
            else:
                self.shop.ask("confirm", name, quote.id, f"o-{quote.id}")
                self.paid.append((name, quote))

    def back(self):
        if self.paid:
            name, quote = self.paid.pop()
            self.shop.batch(self.shop.refunded(quote, name), drain=False)

    def step(self):
        with suppress(Refused):
            self.chance.choice([self.reserve, self.reserve, self.finish, self.finish, self.back])()


def test_whatever_happens_at_once_adds_up_and_nobody_waits_in_a_circle(shop):
    """Any fault of the database ends the test."""
    seed = random.randrange(2**32)
    campaign = shop.campaign(size=3, hours=1)
    names = [f"m{number}" for number in range(12)]
    for name in names:
        shop.member(name)
    before, over = deadlocks(shop), threading.Event()

    def work(number):
        if number == 8:
            while not over.wait(0.05):
                Worker(shop.platform).drain()
            return
        bustle = Bustle(shop, campaign, names, f"{seed}:{number}")
        try:
            for _ in range(14):
                bustle.step()
        finally:
            ended.release()
            if number == 0:
                for _ in range(8):
                    ended.acquire()
                over.set()

    ended = threading.Semaphore(0)
    try:
        together(9, work)
    except DBAPIError as error:
        raise AssertionError(f"seed {seed}: {error.orig}") from error
    assert shop.violations() == [], f"seed {seed}"
    shop.wait(hours=1)
    shop.wait(hours=3)
    assert shop.rows("SELECT count(*) FROM groupbuy.team WHERE state = 'open'") == [(0,)], f"seed {seed}"
    assert deadlocks(shop) == before, f"seed {seed}"
