"""A toy tactic with a collection: jars, which are filled, sealed and broken."""

from datetime import date
from typing import ClassVar

from pydantic import Field

from threepeat.sdk import (
    Audience,
    Item,
    ItemModel,
    Manifest,
    Plugin,
    PluginSettings,
    Refused,
    RewardChoice,
    action,
    collection,
    download,
    hookimpl,
    timer,
)
from threepeat.sdk.events import PLUGIN, Event


class Sealed(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "shelf.sealed"
    senders: ClassVar[frozenset] = PLUGIN
    jar: str


class Label(ItemModel):
    text: str = Field(default="", max_length=10**7)


class Jar(ItemModel):
    name: str = Field(min_length=1, max_length=200)
    price: int = 100
    weight: float = 1.5
    until: date | None = None
    audience: Audience = Audience()
    gift: RewardChoice | None = None
    labels: list[Label] = Field(default_factory=list)
    more: dict[str, object] = Field(default_factory=dict)


class Shelf(Plugin[PluginSettings]):
    """Keeps jars; tests put functions of their own in the place of its own, by name."""

    manifest = Manifest(id="shelf", kind="tactic", title="Shelf", summary="Keeps jars.", holdout="none")
    settings_model = PluginSettings

    def __init__(self):
        self.instead = {}
        self.owes = False

    @hookimpl
    def events(self):
        yield Sealed

    @hookimpl
    def timers(self):
        yield timer("open", self.opened)

    def opened(self, ctx, due):
        raise NotImplementedError

    @hookimpl
    def open_obligations(self, ctx):
        del ctx
        return ["a jar"] if self.owes else []

    @hookimpl
    def collections(self):
        asked = self._asked
        yield collection(
            "jars",
            Jar,
            title="Jars",
            singular="jar",
            summary="What stands on the shelf.",
            states={"open": "Open", "sealed": "Sealed", "broken": "Broken"},
            editable={"open"},
            find=asked("find", find),
            read=asked("read", read),
            create=asked("create", create),
            update=asked("update", update),
            actions=[
                action("seal", asked("seal", seal), title="Seal", states={"open"}),
                action("break", asked("break", shatter), title="Break", states={"open", "sealed"}, always=True),
            ],
            download=download(asked("label", label), title="The label", states={"sealed"}),
        )

    def _asked(self, name, own):
        def call(*given):
            return self.instead.get(name, own)(*given)

        return call


def item(row):
    jar = Jar.model_validate(row.body)
    return Item(str(row.id), row.state, jar, row.revision, jar.name, row.changed_at, {"Price": jar.price})


def number(text):
    return int(text) if text.isdigit() and len(text) < 19 else 0


def find(ctx, query):
    after = number(query.after) if query.after is not None else 0
    rows = ctx.sql("find", state=query.state, search=query.search, after=after, most=query.limit)
    return [item(row) for row in rows]


def read(ctx, jar):
    rows = ctx.sql("read", id=number(jar))
    return item(rows[0]) if rows else None


def create(ctx, given):
    return str(ctx.sql("create", body=given.model_dump_json(exclude_unset=True))[0].id)


def update(ctx, jar, revision, given):
    return bool(
        ctx.sql("update", id=number(jar), revision=revision, body=given.model_dump_json(exclude_unset=True))
    )


def seal(ctx, jar, revision):
    if not ctx.sql("move", id=number(jar), revision=revision, state="sealed"):
        return False
    ctx.emit(Sealed(jar=jar), member=None)
    ctx.later("open", jar, ctx.now)
    if "cursed" in read(ctx, jar).values.name:
        raise Refused("nobody seals that", code="cursed")
    return True


def label(ctx, jar):
    values = read(ctx, jar).values
    return [("Name", "Price"), (values.name, values.price), ("low", -5)]


def shatter(ctx, jar, revision):
    return bool(ctx.sql("move", id=number(jar), revision=revision, state="broken"))
