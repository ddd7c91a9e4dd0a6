"""Toy tactics: one whose every word is an attack, one that fails when it is asked, and a plain one."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import Field, SecretStr

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
    get,
    hookimpl,
    shown,
)

SCRIPT = "<script>alert(1)</script>"
IMAGE = "\"'><img src=x onerror=alert(1)>"


class Prize(PluginSettings.__base__):
    name: str = Field(default="", max_length=50, title=SCRIPT)


class EvilSettings(PluginSettings):
    amount: int = Field(
        default=5, ge=1, le=10, title=SCRIPT, description=IMAGE, json_schema_extra=shown(group=SCRIPT)
    )
    mode: Literal["a", "b"] = Field(
        default="a", title=IMAGE, json_schema_extra=shown(choices={"a": SCRIPT, "b": "B"})
    )
    note: str = Field(default="", max_length=200, title="Note", json_schema_extra=shown(placeholder=IMAGE))
    secret: SecretStr | None = Field(default=None, title="Secret")
    whom: Audience = Audience()
    prizes: tuple[Prize, ...] = Field(default=(), max_length=3, title="Prizes")

    def worked(self, store):
        del store
        yield f"{self.amount} {SCRIPT}"


class Thing(ItemModel):
    name: str = Field(min_length=1, max_length=40, title=SCRIPT)
    gift: RewardChoice | None = None


class Evil(Plugin[EvilSettings]):
    """Keeps things in memory, for each store apart."""

    manifest = Manifest(id="evil", kind="tactic", title=SCRIPT, summary=IMAGE, holdout="none")
    settings_model = EvilSettings

    def __init__(self):
        self.kept = {}

    @hookimpl
    def routes(self):
        yield get("/mine", self.mine, summary=SCRIPT)

    def mine(self, ctx) -> int:
        raise NotImplementedError

    @hookimpl
    def open_obligations(self, ctx):
        del ctx
        return [IMAGE]

    @hookimpl
    def collections(self):
        yield collection(
            "things",
            Thing,
            title=SCRIPT,
            singular=IMAGE,
            summary=SCRIPT,
            states={"draft": SCRIPT, "live": "Live"},
            editable={"draft"},
            find=self.find,
            read=self.read,
            create=self.create,
            update=self.update,
            actions=[
                action("go", self.go, title=SCRIPT, states={"draft"}, confirm=IMAGE),
                action("stop", self.stop, title="Stop", states={"live"}, always=True),
            ],
        )

    def _of(self, ctx):
        return self.kept.setdefault(ctx.tenant.id, [])

    def find(self, ctx, query):
        found = [one for one in self._of(ctx) if query.state in {None, one.state} and query.search in one.title]
        after = int(query.after or 0)
        return [one for one in found if int(one.id) > after][: query.limit]

    def read(self, ctx, item):
        return next((one for one in self._of(ctx) if one.id == item), None)

    def create(self, ctx, given):
        return self._keep(ctx, str(len(self._of(ctx)) + 1), "draft", given, 1)

    def update(self, ctx, item, revision, given):
        return bool(self._keep(ctx, item, "draft", given, revision + 1))

    def go(self, ctx, item, revision):
        before = self.read(ctx, item)
        if before.values.name == "cursed":
            raise Refused(SCRIPT, code="cursed")
        return bool(self._keep(ctx, item, "live", before.values, revision + 1))

    def stop(self, ctx, item, revision):
        return bool(self._keep(ctx, item, "draft", self.read(ctx, item).values, revision + 1))

    def _keep(self, ctx, item, state, values, revision):
        made = Item(item, state, values, revision, values.name, datetime.now(UTC), {SCRIPT: IMAGE, "Left": 1234})
        kept = self._of(ctx)
        kept[int(item) - 1 : int(item)] = [made]
        return item


class Grump(Plugin[PluginSettings]):
    """Fails when it is asked what it owes."""

    manifest = Manifest(id="grump", kind="tactic", title="Grump", summary="Fails.", holdout="none")
    settings_model = PluginSettings
    fails = False

    @hookimpl
    def open_obligations(self, ctx):
        if self.fails:
            ctx.sql("none")
        return ["a word"]


class PlainSettings(PluginSettings):
    gift: RewardChoice | None = Field(default=RewardChoice(kind="points", amount=3), title="Gift")


class Plain(Plugin[PlainSettings]):
    """Gives points by default."""

    manifest = Manifest(id="plain", kind="tactic", title="Plain", summary="Plainly.")
    settings_model = PlainSettings


EVIL, GRUMP, PLAIN = Evil(), Grump(), Plain()
