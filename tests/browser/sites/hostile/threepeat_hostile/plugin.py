"""The plugin. `HOSTILE_PLANT=no-autoescape` makes the console forget to escape, which the proof must notice."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field, SecretStr

from threepeat.sdk import (
    Audience,
    CollectionOf,
    Context,
    Fact,
    Funnel,
    Item,
    ItemModel,
    Manifest,
    Metric,
    Period,
    Plugin,
    PluginSettings,
    Query,
    Reaction,
    Refused,
    Reward,
    RewardChoice,
    Route,
    Series,
    Stat,
    Store,
    Table,
    action,
    collection,
    fact,
    get,
    hookimpl,
    metric,
    post,
    reward,
    shown,
    when,
)
from threepeat.sdk.events import OrderPaid
from threepeat_hostile.corpus import Strings

strings = Strings("p")
Ctx = Context[Any]
CHANGED = datetime(2026, 1, 1, tzinfo=UTC)
KIND_A, KIND_B = "a", "b"


class Part(BaseModel):
    """A part of the settings."""

    text: str = Field(default="", max_length=200, title=strings("part title"), description=strings("part help"))


class HostileSettings(PluginSettings):
    """Settings whose every word is hostile."""

    version: ClassVar[int] = 1

    note: str = Field(
        default=strings("setting value"),
        max_length=200,
        title=strings("setting title"),
        description=strings("setting help"),
        json_schema_extra=shown(group=strings("group"), placeholder=strings("placeholder")),
    )
    long: str = Field(
        default=strings("long value"), title=strings("long title"), json_schema_extra=shown(long=True)
    )
    kind: Literal["a", "b"] = Field(
        default="a",
        title=strings("choice title"),
        json_schema_extra=shown(choices={KIND_A: strings("choice a"), KIND_B: strings("choice b")}),
    )
    on: bool = Field(default=True, title=strings("flag title"), description=strings("flag help"))
    amount: int = Field(default=3, ge=0, title=strings("number title"), description=strings("number help"))
    parts: list[Part] = Field(default=[Part(text=strings("part value"))], title=strings("list title"))
    token: SecretStr | None = Field(
        default=None, title=strings("secret title"), description=strings("secret help")
    )
    audience: Audience = Field(default=Audience(), title=strings("audience title"))
    gift: RewardChoice | None = Field(default=None, title=strings("gift title"), description=strings("gift help"))

    def worked(self, store: Store) -> Iterable[str]:
        """An example that is none."""
        del store
        yield WORKED


WORKED = strings("worked")
OWES = strings("obligation")
FAILS = strings("failure")
REFUSES = strings("refusal")
CHOICES = tuple(strings(f"fact choice {number}") for number in range(3))
TEXTS = {
    name: strings(name) for name in ("heading", "figure", "line", "step", "column", "row", "answer", "before")
}
TITLES = strings.every("item title")


class Thing(ItemModel):
    """An item."""

    name: str = Field(max_length=200, title=strings("item field"), description=strings("item help"))


class Wish(BaseModel):
    """What a member sends."""

    text: str = Field(default="", max_length=100, title=strings("wish title"), description=strings("wish help"))


class Answer(BaseModel):
    """What a member gets."""

    text: str = Field(title=strings("answer title"), description=strings("answer help"))


def _item(number: int) -> Item[Thing]:
    state = ("open", "shut")[number % 2]
    figures = {TEXTS["heading"]: TEXTS["figure"]}
    return Item(str(number + 1), state, Thing(name=TITLES[number]), 1, TITLES[number], CHANGED, figures)


def _find(_ctx: Ctx, query: Query) -> Sequence[Item[Thing]]:
    after = int(query.after or 0)
    found = (_item(number) for number in range(after, len(TITLES)))
    return [one for one in found if query.state in {None, one.state}][: query.limit]


def _read(_ctx: Ctx, item: str) -> Item[Thing] | None:
    return _item(int(item) - 1) if item.isdigit() and 0 < int(item) <= len(TITLES) else None


def _create(_ctx: Ctx, _given: Thing) -> str:
    raise Refused(REFUSES, code="hostile")


def _refuse(_ctx: Ctx, _item: str, _revision: int) -> bool:
    raise Refused(REFUSES, code="hostile")


def _never(_ctx: Ctx, _item: str, _revision: int, _given: Thing) -> bool:
    return False


def _nothing(*_given: object) -> None:
    return None


def _balance(_ctx: Ctx, members: Collection[int]) -> Mapping[int, int]:
    return dict.fromkeys(members, 7)


def _cost(_ctx: Ctx, amount: int) -> int:
    return amount


def _score(_ctx: Ctx, members: Collection[int]) -> Mapping[int, str]:
    return dict.fromkeys(members, CHOICES[0])


class Hostile(Plugin[HostileSettings]):
    """Declares everything that a plugin can declare."""

    manifest = Manifest(
        id="hostile", kind="tactic", title=strings("title"), summary=strings("summary"), requires=("orders",)
    )
    settings_model = HostileSettings

    @hookimpl
    def reactions(self) -> Iterable[Reaction]:
        """Orders, at some of which it fails."""
        yield when(OrderPaid, self.fail)

    @hookimpl
    def facts(self) -> Iterable[Fact]:
        """A choice among hostile ones."""
        said = {"en": strings("fact title"), "zh": strings("fact title zh")}
        yield fact("hostile.score", _score, kind="choice", title=said, choices=CHOICES, default=CHOICES[1])

    @hookimpl
    def rewards(self) -> Iterable[Reward]:
        """A kind of reward."""
        said = {"en": strings("reward title"), "zh": strings("reward title zh")}
        yield reward("hostile", title=said, grant=_nothing, revoke=_nothing, balance=_balance, cost=_cost)

    @hookimpl
    def routes(self) -> Iterable[Route]:
        """What members see and send."""
        yield get("/see", self.see, summary=strings("get summary"))
        yield post("/wish", self.wish, summary=strings("post summary"))

    @hookimpl
    def collections(self) -> Iterable[CollectionOf[Any]]:
        """Things."""
        yield collection(
            "things",
            Thing,
            title=strings("collection title"),
            singular=strings("singular"),
            summary=strings("collection summary"),
            states={"open": strings("state open"), "shut": strings("state shut")},
            editable={"open"},
            find=_find,
            read=_read,
            create=_create,
            update=_never,
            actions=[
                action("shut", _refuse, title=strings("action"), states={"open"}, confirm=strings("confirm")),
                action("open", _refuse, title=strings("action plain"), states={"shut"}),
            ],
        )

    @hookimpl
    def metrics(self) -> Iterable[Metric]:
        """One of each kind."""
        said = TEXTS
        yield metric("stat", lambda _ctx, _period: Stat(5, before=4), question=strings("question stat"))
        yield metric("series", self.series, question=strings("question series"))
        yield metric(
            "funnel", lambda _ctx, _period: Funnel([(said["step"], 5)]), question=strings("question funnel")
        )
        yield metric("table", self.table, question=strings("question table"))
        yield metric("broken", self.broken, question=strings("question broken"))

    @hookimpl
    def open_obligations(self, ctx: Ctx) -> Iterable[str]:
        """What it owes."""
        del ctx
        yield OWES

    def series(self, _ctx: Ctx, period: Period) -> Series:
        """A line whose name is hostile."""
        return Series({TEXTS["line"]: [1] * len(period.days)})

    def table(self, _ctx: Ctx, _period: Period) -> Table:
        """A table of hostile words."""
        return Table([(TEXTS["column"], ""), ("n", "")], [(TEXTS["row"], 1)])

    def broken(self, _ctx: Ctx, _period: Period) -> Stat:
        """No figure."""
        raise ValueError(FAILS)

    def fail(self, _ctx: Ctx, events: list[OrderPaid]) -> None:
        """Fail at some orders."""
        if any(event.order_id.startswith("<s") for event in events):
            raise ValueError(FAILS)

    def see(self, _ctx: Ctx) -> Answer:
        """An answer."""
        return Answer(text=TEXTS["answer"])

    def wish(self, _ctx: Ctx, _wish: Wish) -> Answer:
        """A refusal."""
        raise Refused(REFUSES, code="hostile")


plugin = Hostile()

if os.environ.get("HOSTILE_PLANT") == "no-autoescape":
    from threepeat_tenants.console import rendering

    escaping = rendering.Environment
    rendering.Environment = lambda **given: escaping(**{**given, "autoescape": False})
