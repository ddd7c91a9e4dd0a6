"""Many taps at once, on both sides of midnight: a row a day, a reward a row."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import pytest

from threepeat.events.context import Cause
from threepeat.plugins import Registry
from threepeat.sdk import Grant, hookimpl, post
from threepeat.tenancy import tenants
from threepeat.testing.together import together
from threepeat_checkin.days import today
from threepeat_checkin.models import CheckIn
from threepeat_checkin.plugin import Checkin
from threepeat_checkin.routes import check_in

SECOND = timedelta(seconds=1)


def at_midnight(shop, together, platform, handler):
    """Sixteen taps of one member at once, every other one by a clock that is past midnight.

    Core holds none of them up: there is nothing but the plugin's own keys between them.
    """
    midnight = shop.local(date(2026, 3, 3), 0)
    shop.at(midnight - SECOND)
    with platform.database.directory() as connection:
        tenant = tenants.by_id(connection, shop.tenant.id)
    ann = shop.member()

    def tap(number):
        offset = tenant.clock_offset + number % 2 * 3600 * SECOND
        with platform.database.tenant(tenant.id, clock_offset=offset) as scope:
            opened = platform.inside(scope, tenant)
            context = opened.context(platform.registry["checkin"], cause=Cause(f"tap-{number}"), member=ann)
            answer = handler(context)
            context.finish()
        return answer

    answers = together(16, tap)
    rows = shop.rows("SELECT day FROM checkin.check_in WHERE tenant_id = :tenant ORDER BY day")
    assert rows == [(date(2026, 3, 2),), (date(2026, 3, 3),)]
    assert shop.points() == 10
    return answers


def test_sixteen_taps_around_midnight_are_two_days(open_shop, platform):
    shop = open_shop()
    answers = at_midnight(shop, together, platform, check_in)
    assert Counter(answer.day.day for answer in answers) == {2: 8, 3: 8}
    shop.worker.drain()
    assert shop.rows("SELECT count(*) FROM core.event WHERE tenant_id = :tenant AND type = 'checkin.done'") == [
        (2,)
    ]
    assert shop.violations() == []


class Careless(Checkin):
    """Looks whether the member has checked in, and only then checks it in."""

    @hookimpl
    def routes(self):
        yield post("/check-in", self.look, summary="Check in")

    def look(self, ctx):
        day = today(ctx)
        if not ctx.db.query(CheckIn).filter(CheckIn.day == day, CheckIn.member_id == ctx.member).count():
            ctx.sql("check_in", member=ctx.member, day=day)
            ctx.grant("points", [Grant(ctx.member, 5, "daily", f"{day}:{ctx.now.isoformat()}")])


Careless.__module__ = Checkin.__module__  # where its sql/ folder is


def test_the_storm_sees_a_check_in_that_looks_first_and_writes_then(open_shop, platform):
    careless = Careless()
    plugins = [(one.id, careless if one.id == "checkin" else one.plugin) for one in platform.registry]
    rival = replace(platform, registry=Registry.load(plugins))
    with pytest.raises(AssertionError, match="== 10"):
        at_midnight(open_shop(), together, rival, careless.look)


def test_sixteen_phones_at_midnight_over_http(open_shop):
    shop = open_shop()
    shop.at(shop.local(date(2026, 3, 3), 0) - SECOND / 50)
    days = Counter(answer["day"] for answer in together(16, lambda _: shop.tap()))
    assert set(days) <= {"2026-03-02", "2026-03-03"}
    assert shop.points() == 5 * len(days)
    found = shop.rows("SELECT day::text FROM checkin.check_in WHERE tenant_id = :tenant")
    assert {day for (day,) in found} == set(days)
    assert shop.violations() == []


def test_many_members_at_once_get_one_each(open_shop):
    shop = open_shop()
    names = [f"m{number}" for number in range(4)]
    together(16, lambda number: shop.tap(names[number % 4]))
    assert [shop.points(name) for name in names] == [5] * 4
    assert shop.violations() == []
