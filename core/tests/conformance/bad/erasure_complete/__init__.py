"""Shows reviews on a wall, with the name of who wrote them; the table names no member, so nobody erases it."""

from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, when
from threepeat.sdk.events import ReviewSubmitted

SAYS = "still holds a word about an erased member"


class Wall(Plugin[PluginSettings]):
    """What members say, on a wall."""

    manifest = Manifest(id="wall", kind="tactic", title="Wall", summary="What members say, on a wall.")
    settings_model = PluginSettings

    @hookimpl
    def reactions(self):
        yield when(ReviewSubmitted, self.hang)

    def hang(self, ctx, events):
        names = ctx.external_ids({event.member for event in events})
        ctx.sql(
            "hang",
            reviews=[event.id for event in events],
            authors=[names.get(event.member, "") for event in events],
            texts=[event.text for event in events],
        )


plugin = Wall()
