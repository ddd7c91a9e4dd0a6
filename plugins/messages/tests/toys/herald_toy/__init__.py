"""A toy tactic that says whatever it is told to say."""

from pydantic import Field

from threepeat.sdk import Manifest, Notice, Plugin, PluginSettings, _, hookimpl, message_kind, when
from threepeat.sdk.events import OrderPaid, VisitMade


class HeraldSettings(PluginSettings):
    breaks: bool = Field(default=False, title="Breaks")
    owes: bool = Field(default=False, title="Owes something for ever")


class Herald(Plugin[HeraldSettings]):
    """Answers orders with a service notice and visits with marketing."""

    manifest = Manifest(id="herald", kind="tactic", title=_("Herald"), summary="Says things.")
    settings_model = HeraldSettings

    @hookimpl
    def reactions(self):
        yield when(OrderPaid, self.paid, always=True)
        yield when(VisitMade, self.visited, always=True)

    @hookimpl
    def message_kinds(self):
        titles = {"title": "what it is about", "price": "what it costs"}
        yield message_kind("told", title="Told", text="{title} costs {price}.", variables=titles)
        yield message_kind(
            "offer",
            title="Offer",
            text="Come for {title}!",
            purpose="marketing",
            variables={"title": "what there is"},
        )
        yield message_kind("plain", title="Plain", text="Nothing {{to}} fill in.")

    @hookimpl
    def open_obligations(self, ctx):
        yield from ["Something is owed."] if ctx.settings.owes else []

    def paid(self, ctx, events):
        ctx.message(
            "told",
            [
                Notice(one.member, one, {"title": one.order_id, "price": ctx.tenant.money(one.total)})
                for one in events
            ],
        )
        if ctx.settings.breaks:
            raise RuntimeError("broken on purpose")

    def visited(self, ctx, events):
        ctx.message("offer", [Notice(one.member, one, {"title": one.place}) for one in events])
