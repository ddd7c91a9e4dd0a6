"""A toy tactic that answers, gives, refuses and fails, with attacks for words."""

from collections import Counter
from datetime import UTC, date, datetime

from pydantic import BaseModel, ConfigDict, Field

from threepeat.sdk import (
    Declined,
    Grant,
    Manifest,
    Plugin,
    PluginSettings,
    Reduction,
    Refused,
    RewardChoice,
    Stage,
    get,
    hookimpl,
    post,
    price_rule,
    shown,
    when,
)
from threepeat.sdk.events import FeedbackSubmitted, VisitMade

SCRIPT = "<script>alert(1)</script>"


class Part(BaseModel):
    name: str


class Said(BaseModel):
    text: str = Field(title=SCRIPT)
    price: int = Field(title="Price", json_schema_extra=shown(unit="money"))
    at: datetime = Field(title="At")
    prize: RewardChoice = Field(title="Prize")
    parts: list[Part] = Field(title="Parts")
    nothing: str | None = None
    digest: str = Field(default="d1gest", title="Digest", json_schema_extra=shown(programs=True))


class Words(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=2, max_length=40, title="Words")


class Word(BaseModel):
    word: str = Field(default="", title="The word")
    often: int = Field(default=1, ge=1, le=5, title="How often")


class Parrot(Plugin[PluginSettings]):
    manifest = Manifest(id="parrot", kind="tactic", title="Parrot", summary="Repeats.")
    settings_model = PluginSettings

    def __init__(self):
        self.said = Counter()

    @hookimpl
    def reactions(self):
        yield when(VisitMade, self.greet)
        yield when(FeedbackSubmitted, self.choke, always=True)

    @hookimpl
    def price_rules(self):
        yield price_rule(
            "word",
            stage=Stage.PROMOTION,
            quote=self.price,
            reserve=self.hold,
            confirm=self.note,
            release=self.note,
            choice=Word,
        )

    @hookimpl
    def routes(self):
        yield get("/said", self.last, summary=SCRIPT)
        yield get("/broken", self.broken, summary="Broken")
        yield get("/of/{day}", self.of, summary="Of a day")
        yield post("/say", self.say, summary="Say it")
        yield post("/of/{day}", self.of, summary="Say it then")
        yield post("/refuse", self.refuse, summary="Ask too much")

    def greet(self, ctx, visits):
        ctx.grant("points", [Grant(one.member, 7, "greeting", one) for one in visits])

    def price(self, ctx, asked):  # noqa: ARG002 - what it is given
        if asked.choice is None:
            return
        word = asked.choice.get("word")
        if word in {"please", "quick"}:
            yield Reduction(SCRIPT, amount=800 * asked.choice.get("often", 1), data={"word": word})
        else:
            yield Declined("The word", "Say please")

    def hold(self, ctx, hold):  # noqa: ARG002 - what it is given
        if hold.data["word"] == "quick":
            raise Refused(f"{SCRIPT} was faster", code="gone")

    def note(self, ctx, hold):
        pass

    def choke(self, ctx, found):  # noqa: ARG002 - what it is given
        raise ValueError("it is stuck")

    def last(self, ctx) -> Said:
        said = SCRIPT * bool(self.said[ctx.member])
        prize = RewardChoice(kind="points", amount=1234)
        at = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
        return Said(text=said, price=123456, at=at, prize=prize, parts=[Part(name=f"part {n}") for n in range(12)])

    def broken(self, ctx) -> int:
        raise NotImplementedError

    def of(self, ctx, day: date, loud: bool = False) -> str:
        del ctx
        return f"{day} {loud}"

    def say(self, ctx, words: Words) -> Words:
        self.said[ctx.member] += 1
        return words

    def refuse(self, ctx) -> int:  # noqa: ARG002 - what it is given
        raise Refused(SCRIPT, code="too-much")


PARROT = Parrot()
