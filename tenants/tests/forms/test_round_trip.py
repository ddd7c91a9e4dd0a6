"""A form that nobody touched gives back what the store has: the promise that everything else rests on."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, HttpUrl

from threepeat.sdk import Audience, PluginSettings, RewardChoice, SecretStr, shown
from threepeat_tenants.forms import Form, Surroundings, parse

Browse = Callable[[Form], Any]


class Kind(Enum):
    DAILY = "daily"
    WEEKLY = "weekly"
    ODD = " \n"


class Level(Enum):
    LOW = 1
    HIGH = 2


class Prize(BaseModel):
    name: str
    weight: int = 1
    reward: RewardChoice | None = None
    kinds: set[Kind] = set()
    audience: Audience = Audience()
    until: datetime | None = None


class Hook(BaseModel):
    url: HttpUrl | None = None
    note: str = "as it was"
    token: SecretStr | None = None


class Everything(PluginSettings):
    name: str = "Spring"
    note: str = Field(default="", json_schema_extra=shown(long=True, group="Words"))
    maybe_note: str | None = None
    count: int = Field(default=3, ge=-(2**63), lt=2**63)
    limit: int | None = Field(default=730, ge=1, le=2**40, json_schema_extra=shown(unit="days"))
    price: int = Field(default=1250, json_schema_extra=shown(unit="money"))
    free: int | None = Field(default=None, json_schema_extra=shown(unit="money"))
    share: int = Field(default=10, json_schema_extra=shown(unit="percent"))
    ratio: float = 1.5
    exact: Decimal | None = Decimal("1.50")
    on: bool = True
    maybe_on: bool | None = None
    kind: Kind = Kind.DAILY
    mode: Literal["a", "b", "c", "d", "e", 1, True] | None = "a"
    levels: list[Level] = Field(default=[])
    kinds: set[Kind] = Field(default={Kind.DAILY})
    day: date | None = None
    at: time = time(9)
    moment: datetime = datetime(2026, 6, 18, 1, 30, tzinfo=UTC)
    words: list[str] = Field(default=[])
    prices: list[Annotated[int, Field(ge=0)]] | None = Field(default=None, json_schema_extra=shown(unit="money"))
    days: list[date] = Field(default=[])
    prizes: list[Prize] = Field(default=[Prize(name="Cup")])
    hook: Hook = Hook(note="the parent's")
    other: Hook | None = None
    audience: Audience = Audience()
    audiences: list[Audience] = Field(default=[])
    for_whom: Audience | None = None
    reward: RewardChoice = RewardChoice(kind="points", amount=10)
    bonus: RewardChoice | None = None
    bonuses: list[RewardChoice] = Field(default=[])
    table: dict[str, int] = Field(default={})
    anything: Any = None
    token: SecretStr = SecretStr("")


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
fancy = st.sampled_from(
    ["", " ", "\n", "\nx", "a\nb", "a\r\nb", "\r", "</textarea>", "\"'<&>", "&lt;", "\x0b", "\x85"]
)
anytext = texts | fancy
int64 = st.integers(-(2**63), 2**63 - 1)
instants = st.datetimes(timezones=st.just(UTC), allow_imaginary=False).map(lambda at: at.isoformat())
whole_instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=0, second=0).isoformat().replace("+00:00", "Z")
)
rewards = st.fixed_dictionaries(
    {"kind": st.sampled_from(["points", "gone.kind"]), "amount": st.integers(1, 10**9)}
)
conditions = st.one_of(
    st.builds(
        lambda fact_, op, value: {"fact": fact_, "op": op, "value": value},
        st.sampled_from(["orders.count", "orders.spent"]),
        st.sampled_from(["equals", "at_least", "less_than"]),
        int64,
    ),
    st.builds(
        lambda fact_, pair: {"fact": fact_, "op": "between", "value": sorted(pair)},
        st.sampled_from(["orders.count", "orders.spent", "gone.fact"]),
        st.tuples(int64, int64),
    ),
    st.sampled_from(
        [
            {"fact": "tiers.tier", "op": "is", "value": "gold"},
            {"fact": "tiers.tier", "op": "one_of", "value": ["gold", "silver"]},
            {"fact": "tiers.tier", "op": "is_not", "value": "bronze"},
            {"fact": "tags.tags", "op": "has", "value": "tea, or\rcoffee"},
            {"fact": "account.follows", "op": "is_true"},
            {"fact": "orders.last", "op": "within_days", "value": 30},
            {"fact": "orders.last", "op": "never"},
        ]
    ),
    st.lists(texts.filter(lambda text: text.strip()), min_size=1, max_size=3, unique=True).map(
        lambda tags: {"fact": "tags.tags", "op": "has_any", "value": tags}
    ),
)
groups = st.builds(
    lambda how, parts: {how: parts}, st.sampled_from(["all", "any"]), st.lists(conditions, min_size=1, max_size=3)
)
audiences = st.one_of(
    st.just({}),
    conditions,
    groups,
    conditions.map(lambda one: {"not": one}),
    st.builds(lambda one, group: {"any": [one, group]}, conditions, groups),
)
kinds = st.sampled_from(["daily", "weekly", " \n"])
prizes = st.fixed_dictionaries(
    {"name": anytext},
    optional={
        "weight": int64,
        "reward": st.none() | rewards,
        "kinds": st.lists(kinds, unique=True),
        "audience": audiences,
        "until": st.none() | whole_instants | instants,
    },
)
hooks = st.fixed_dictionaries({}, optional={"url": st.none() | st.just("https://x.test/a?b=1&c"), "note": anytext})
everything = st.fixed_dictionaries(
    {},
    optional={
        "name": anytext,
        "note": anytext,
        "maybe_note": st.none() | anytext,
        "count": int64,
        "limit": st.none() | st.integers(1, 2**40),
        "price": int64,
        "free": st.none() | int64,
        "share": int64,
        "ratio": st.floats(allow_nan=False, allow_infinity=False),
        "exact": st.none() | st.decimals(allow_nan=False, allow_infinity=False).map(str),
        "on": st.booleans(),
        "maybe_on": st.none() | st.booleans(),
        "kind": kinds,
        "mode": st.sampled_from([None, "a", "e", 1, True]),
        "levels": st.lists(st.sampled_from([1, 2]), max_size=3),
        "kinds": st.lists(kinds, unique=True),
        "day": st.none() | st.dates().map(str),
        "at": st.times().map(str),
        "moment": instants | whole_instants,
        "words": st.lists(anytext, max_size=3),
        "prices": st.none() | st.lists(st.integers(0, 10**12), max_size=3),
        "days": st.lists(st.dates().map(str), max_size=3),
        "prizes": st.lists(prizes, max_size=3),
        "hook": hooks,
        "other": st.none() | hooks,
        "audience": audiences,
        "audiences": st.lists(audiences, max_size=2),
        "for_whom": st.none() | audiences,
        "reward": rewards,
        "bonus": st.none() | rewards,
        "bonuses": st.lists(rewards, max_size=2),
        "table": st.dictionaries(anytext, int64, max_size=2),
        "anything": st.recursive(st.none() | st.booleans() | int64 | anytext, lambda s: st.lists(s, max_size=2)),
    },
)


def stored(values: dict[str, Any]) -> dict[str, Any]:
    """The values as core stores them."""
    dumped = Everything.model_validate(values).model_dump(mode="json", exclude_unset=True)
    return json.loads(json.dumps(dumped))


def meant(values: dict[str, Any]) -> Everything:
    return Everything.model_validate(values)


PLACES = [
    ("CNY", 100, "Asia/Shanghai"),
    ("JPY", 1, "Europe/Berlin"),
    ("KWD", 1000, "America/New_York"),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(values=everything, place=st.sampled_from(PLACES), locale=st.sampled_from(["en", "zh-CN"]))
def test_a_form_that_nobody_touched_gives_the_same_values(
    values: dict[str, Any], place: tuple[str, int, str], locale: str, browse: Browse, around: Surroundings
) -> None:
    currency, minor_units, zone = place
    store = replace(around.store, currency=currency, minor_units=minor_units, timezone=ZoneInfo(zone))
    here = replace(around, store=store, locale=locale)
    before = stored(values)
    page = browse(Form.of(Everything, here, values=before))
    back = parse(Everything, page.pairs, here, values=before)
    assert not back.errors
    assert back.ok
    assert set(back.values) == set(before), "nothing became set that was not, and nothing was dropped"
    assert meant(back.values) == meant(before)
    # What was typed shows the same form again.
    again = browse(Form.of(Everything, here, submitted=back))
    assert sorted(again.pairs) == sorted(page.pairs)


class Once(PluginSettings):
    moment: datetime = datetime(2026, 6, 18, 1, 30, tzinfo=UTC)


def test_no_instant_moves_in_the_night_the_clocks_change(browse: Browse, around: Surroundings) -> None:
    berlin = replace(around, store=replace(around.store, timezone=ZoneInfo("Europe/Berlin")))
    nights = [datetime(2026, month, last, tzinfo=UTC) for month, last in ((3, 29), (10, 25))]
    for at in (night + timedelta(minutes=minutes) for night in nights for minutes in range(0, 240, 15)):
        before = Once(moment=at).model_dump(mode="json")
        page = browse(Form.of(Once, berlin, values=before))
        assert Once.model_validate(parse(Once, page.pairs, berlin, values=before).values).moment == at
    gap = parse(Once, [("settings.moment", "2026-03-29T02:30")], berlin)
    assert gap.errors == {"settings.moment": ("There is no such time on that day: the clocks change.",)}


def test_ordinary_values_need_no_json(browse: Browse, around: Surroundings) -> None:
    ordinary = {
        "name": "Spring sale",
        "note": "First line\nsecond line",
        "moment": "2026-06-18T01:30:00Z",
        "at": "21:30:00",
        "exact": "12.50",
        "words": ["tea", "coffee"],
        "kinds": ["weekly", "daily"],
        "prizes": [{"name": "Cup", "reward": {"kind": "points", "amount": 5}, "until": "2026-06-18T00:00:00Z"}],
        "hook": {"url": "https://x.test/"},
        "audience": {"any": [{"fact": "orders.count", "op": "at_least", "value": 3}]},
        "for_whom": {"fact": "tiers.tier", "op": "one_of", "value": ["silver", "gold"]},
        "mode": "e",
        "maybe_on": False,
    }
    pairs = browse(Form.of(Everything, around, values=ordinary)).pairs
    names = {name.removesuffix("~json") for name, _text in pairs if name.endswith("~json")}
    assert names == {"settings.table", "settings.anything"}


def test_a_fresh_form_saves_nothing(browse: Browse, around: Surroundings) -> None:
    page = browse(Form.of(Everything, around))
    assert parse(Everything, page.pairs, around).values == {}


def test_only_what_was_touched_is_set(browse: Browse, around: Surroundings) -> None:
    pairs = browse(Form.of(Everything, around)).pairs
    touched = [(name, "Summer" if name == "settings.name" else text) for name, text in pairs]
    assert parse(Everything, touched, around).values == {"name": "Summer"}
    inner = [(name, "mine" if name == "settings.hook.url" else text) for name, text in pairs]
    assert parse(Everything, inner, around).values["hook"] == {"url": "mine", "note": "the parent's"}


def test_what_is_not_sent_stays_and_what_is_not_ticked_is_off(around: Surroundings) -> None:
    before = stored({"on": True, "name": "A", "prizes": [{"name": "Cup"}], "hook": {"note": "n"}})
    assert parse(Everything, [], around, values=before).values == before
    partial = [("settings.name", "B"), ("settings.on~flag", "1")]
    assert parse(Everything, partial, around, values=before).values == {**before, "name": "B", "on": False}
    part = parse(Everything, [("settings.hook.url", "https://y.test")], around, values=before)
    assert part.values["hook"] == {"url": "https://y.test", "note": "n"}


def test_the_collector_finds_a_form_that_loses_something(browse: Browse, around: Surroundings) -> None:
    before = stored({"maybe_note": "kept", "words": ["a", "b"]})
    pairs = browse(Form.of(Everything, around, values=before)).pairs
    lost = [(name, text.replace("b", "")) for name, text in pairs]
    assert meant(parse(Everything, lost, around, values=before).values) != meant(before)
