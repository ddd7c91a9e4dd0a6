"""Many at once: nobody falls below zero, the journal is the balance, and nobody waits in a circle."""

import random
import threading
from contextlib import suppress
from dataclasses import replace

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from threepeat.events.budgets import OvertakenError
from threepeat.events.context import Cause
from threepeat.plugins import Registry
from threepeat.sdk import Grant, GrantState, Refused, Revocation, Spend, hookimpl
from threepeat.sdk.rewards import Reward
from threepeat_points import accounts, payments, reactions
from threepeat_points.models import Lot
from threepeat_points.plugin import Points
from threepeat_points.rewards import REWARD


def together(count, work):
    """Run `work(number)` in as many threads, begun at once; raises what one of them raised."""
    start, failed = threading.Barrier(count), []

    def run(number):
        start.wait()
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def storm(shop, platform):
    """A member with 100 points in ten lots, whom 16 threads let pay 12 times each."""
    ann = shop.member()
    lots = [Grant(ann, 10, "gift", f"{number}") for number in range(10)]
    shop.act(shop.tenant, "giver", lambda ctx: ctx.grant("points", lots))
    paid, refused = [], []

    def work(number):
        for turn in range(12):
            amount = 1 + (number + turn) % 5
            try:
                with platform.database.tenant(shop.tenant.id) as scope:
                    opened = platform.inside(scope, shop.tenant)
                    context = opened.context(platform.registry["till"], cause=Cause(f"{number}:{turn}"))
                    context.spend("points", [Spend(ann, amount, f"{number}:{turn}")])
                    context.finish()
                paid.append(amount)
            except Refused as error:
                refused.append(error.code)

    together(16, work)
    left = sum(remaining for _, remaining in shop.lots(ann))
    assert sum(paid) + left == 100
    assert left < 5
    assert set(refused) == {"not-enough"}
    assert len(paid) + len(refused) == 16 * 12
    assert shop.violations() == []


def test_sixteen_threads_let_one_member_pay_what_there_is_and_no_more(open_shop, platform):
    storm(open_shop(), platform)


class Careless(Points):
    """Looks whether there is enough, and only then takes it."""

    @hookimpl
    def rewards(self):
        yield Reward(**{name: getattr(REWARD, name) for name in Reward.__slots__ if name != "spend"}, spend=look)


Careless.__module__ = Points.__module__  # where its sql/ folder is


def look(ctx, spends):
    for one in spends:
        lots = ctx.db.query(Lot).filter(Lot.member_id == one.member, Lot.remaining > 0).order_by(Lot.id).all()
        if sum(lot.remaining for lot in lots) < one.amount:
            raise Refused("too few", code="not-enough")
        wanted = one.amount
        for lot in lots:
            taken = min(lot.remaining, wanted)
            wanted -= taken
            mine = (Lot.tenant_id == ctx.tenant.id, Lot.member_id == one.member, Lot.id == lot.id)
            ctx.db.execute(
                update(Lot).where(*mine).values(remaining=lot.remaining - taken),
                execution_options={"synchronize_session": False},
            )


def test_the_storm_sees_a_keeper_that_looks_first_and_takes_then(open_shop):
    shop = open_shop()
    plugins = [(one.id, Careless() if one.id == "points" else one.plugin) for one in shop.platform.registry]
    careless = replace(shop.platform, registry=Registry.load(plugins))
    assert isinstance(careless.registry["points"].plugin, Careless)
    with pytest.raises(AssertionError, match="100"):
        storm(shop, careless)


@pytest.fixture
def meanwhile(monkeypatch):
    """Lets something commit elsewhere right after `module` has called `step` of accounts for the first time."""

    def arrange(module, step, work):
        real = getattr(accounts, step)

        def interrupted(*given, **more):
            found = real(*given, **more)
            monkeypatch.setattr(module, step, real)
            together(1, lambda _: work())
            return found

        monkeypatch.setattr(module, step, interrupted)

    return arrange


def test_who_gets_their_first_points_after_the_lock_has_none_to_spend_yet(open_shop, meanwhile):
    shop = open_shop()
    ann = shop.member()
    meanwhile(payments, "lock", lambda: shop.grant(ann, 30, "x"))
    with pytest.raises(Refused, match=r"^20 points are missing$"):
        shop.spend(Spend(ann, 12, "a"), Spend(ann, 8, "b"))
    assert shop.held(ann) == {ann: 30}
    shop.spend(Spend(ann, 12, "a"), Spend(ann, 8, "b"))
    assert shop.held(ann) == {ann: 10}
    assert shop.violations() == []


def test_a_refund_leaves_alone_who_gets_their_first_points_after_its_lock(open_shop, meanwhile):
    """The refund of somebody in the comparison group opens no account."""
    shop = open_shop()
    shop.save(holdout_percent=50)
    name = next(name for name in map(str, range(100)) if not shop.takes_part(shop.member(name)))
    ann, bob = shop.member(name), shop.member("bob")
    shop.grant(bob, 30, "for bob")  # whoever has an account lets the batch look at lots
    meanwhile(reactions, "lock", lambda: shop.grant(ann, 30, "x"))
    meanwhile(reactions, "touchable", lambda: shop.spend(Spend(ann, 30, "a")))
    money = {"amount": 500, "currency": shop.tenant.store.currency}
    both = [shop.send.event("order.refunded", who, refund_id=f"r of {who}", **money) for who in (name, "bob")]
    shop.send.batch(shop.tenant, both)
    shop.worker.drain()
    assert (shop.lots(ann), shop.lots(bob)) == ([(30, 0)], [(30, 25)])
    assert shop.violations() == []


def test_random_batches_over_many_members_never_wait_in_a_circle_and_add_up(open_shop):
    """Any fault of the database ends the test; only being overtaken by others is repeated."""
    shop, seed = open_shop(), random.randrange(2**32)
    who = [shop.member(f"m{number}") for number in range(12)]
    shop.save("giver", monthly_budget=1_500)
    done = {"grant": 0, "spend": 0, "revoke": 0}
    over = []

    def act(plugin, work):
        for _ in range(100):
            try:
                return shop.act(shop.tenant, plugin, work)
            except OvertakenError:
                continue
        raise AssertionError("overtaken a hundred times in a row")

    def work(number):
        chance = random.Random(f"{seed}:{number}")
        plugin, keys = ("giver", "rival")[number % 2], []
        for turn in range(30):
            some = chance.choices(who, k=chance.randint(2, 8))
            what = chance.choice(["grant", "grant", "spend", "revoke"])
            if what == "grant":
                batch = [Grant(m, chance.randint(1, 90), f"r{n}", f"{number}:{turn}") for n, m in enumerate(some)]
                given = act(plugin, lambda ctx, batch=batch: ctx.grant("points", batch))
                keys += [one.key for one in given if one.state is GrantState.GRANTED]
                over.extend(one for one in given if one.state is GrantState.OVER_BUDGET)
            elif what == "revoke":
                back = [Revocation(key, chance.randint(1, 50)) for key in chance.sample(keys, min(len(keys), 5))]
                act(plugin, lambda ctx, back=back: ctx.revoke("points", back))
            else:
                batch = [Spend(m, chance.randint(1, 40), f"{number}:{turn}:{n}") for n, m in enumerate(some)]
                with suppress(Refused):
                    shop.spend(*batch)
            done[what] += 1

    try:
        together(8, work)
    except DBAPIError as error:
        raise AssertionError(f"seed {seed}: {error.orig}") from error
    assert all(done.values()), f"seed {seed}: {done}"
    assert over, f"seed {seed}"
    assert shop.violations() == [], f"seed {seed}"
    spent = shop.rows("SELECT sum(spent) FROM core.budget WHERE tenant_id = :tenant AND plugin = 'giver'")
    assert spent[0][0] <= 1_500


@pytest.mark.parametrize(
    ("limits", "had", "code"),
    [
        ({"stock": 5}, 5, "sold-out"),
        ({"per_day": 5}, 5, "sold-out-today"),
        ({"per_member": 1}, 8, "member-limit"),
        ({}, 24, "not-enough"),
    ],
)
def test_32_threads_redeem_what_there_is_and_no_more(open_shop, counter, limits, had, code):
    shop = open_shop()
    till = counter(shop)
    names = [f"m{number}" for number in range(8)]
    for name in names:
        shop.grant(shop.member(name), 100, f"gift for {name}")
    mug = till.make(**limits)
    made, codes = [], set()

    def work(number):
        try:
            made.append(till.redeem(mug, names[number % 8], drain=False))
        except Refused as error:
            codes.add(error.code)

    together(32, work)
    assert (len(made), code in codes) == (had, True)
    assert shop.accounts()[3] == 30 * had
    assert shop.violations() == []
    for redemption in made:
        till.act("redemptions", redemption, "cancel")
    assert shop.accounts() == (800, 0, 0, 0, -800, 0)
    assert shop.violations() == []
