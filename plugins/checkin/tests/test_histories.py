"""Any history of taps, made-up days and merges comes to what a simple model says of its days."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = "abc"
STEP = st.one_of(
    st.tuples(st.just("tap"), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("tap"), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("wait"), st.integers(1, 2), st.none()),
    st.tuples(st.just("make_up"), st.sampled_from(NAMES), st.integers(1, 4)),
    st.tuples(st.just("merge"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
)


class Model:
    """Knows the days of each person, and who is the same person; nothing of rows and locks."""

    def __init__(self):
        self.person = {name: name for name in NAMES}
        self.days = {name: set() for name in NAMES}
        self.today = 0

    def merge(self, source, target):
        old, new = self.person[source], self.person[target]
        if old != new:
            self.days[new] |= self.days.pop(old)
            self.person = {name: new if one == old else one for name, one in self.person.items()}

    def may_make_up(self, name, day):
        days = self.days[self.person[name]]
        return day in days or any(one < day for one in days)

    def streak(self, name):
        days = self.days[self.person[name]]
        last = self.today if self.today in days else self.today - 1
        return next(number for number in range(len(days) + 1) if last - number not in days)


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, min_size=4, max_size=25))
def test_any_history_keeps_its_promises(open_shop, first, steps):
    ladder = [{"days": days, "reward": {"kind": "points", "amount": days}} for days in (2, 3)]
    shop, model = open_shop(ladder=ladder, make_ups_per_month=31, make_up_price=None), Model()
    for name in NAMES:
        shop.member(name)
    for what, one, other in steps:
        if what == "wait":
            model.today += one
            shop.day(model.today)
        elif what == "tap":
            model.days[model.person[one]].add(model.today)
            answer = shop.tap(one)
            assert answer["streak"] == model.streak(one)
        elif what == "make_up":
            day = model.today - other
            may = model.may_make_up(one, day)
            assert shop.make_up(day, one).status_code == (200 if may else 409)
            if may:
                model.days[model.person[one]].add(day)
        elif model.person[one] != model.person[other]:
            shop.merge(one, other)
            model.merge(one, other)
    for person, days in model.days.items():
        rows = shop.rows(
            "SELECT day FROM checkin.check_in WHERE tenant_id = :tenant AND member_id = :member",
            member=shop.member(person),
        )
        assert {day for (day,) in rows} == {first + timedelta(days=number) for number in days}
        assert shop.calendar(person)["streak"] == model.streak(person)
    given_ = shop.rows("SELECT coalesce(sum(amount), 0) FROM core.reward WHERE tenant_id = :tenant")[0][0]
    assert given_ == sum(shop.points(person) for person in model.days)
    assert shop.violations() == []
