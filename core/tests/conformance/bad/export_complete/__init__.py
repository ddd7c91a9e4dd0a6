"""Keeps searches on pages of a diary; an erasure takes the pages along, an export holds the diary alone."""

from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, when
from threepeat.sdk.events import SearchPerformed

SAYS = "diary.page, column words holds a word about the member that the export lacks"


class Diary(Plugin[PluginSettings]):
    """What members search for."""

    manifest = Manifest(id="diary", kind="tactic", title="Diary", summary="What members search for.")
    settings_model = PluginSettings

    @hookimpl
    def reactions(self):
        yield when(SearchPerformed, self.write)

    @hookimpl
    def merge_members(self, ctx, source, target):
        ctx.sql("merge", source=source, target=target)

    def write(self, ctx, events):
        searches = [event.id for event in events]
        ctx.sql("begin_entries", searches=searches, members=[event.member for event in events])
        ctx.sql("write_pages", searches=searches, words=[event.query for event in events])


plugin = Diary()
