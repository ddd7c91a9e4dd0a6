"""Its validator lets through what the standard library raises for a name that it does not know."""

from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from threepeat.sdk import Manifest, Plugin, PluginSettings


class Settings(PluginSettings):
    """What a merchant sets."""

    zone: str = Field("Asia/Shanghai", max_length=80)

    @field_validator("zone")
    @classmethod
    def _known(cls, value: str) -> str:
        return ZoneInfo(value).key


class Clock(Plugin[Settings]):
    """A tactic with a time zone of its own."""

    manifest = Manifest(id="clock", kind="tactic", title="Clock", summary="Knows what time it is elsewhere.")
    settings_model = Settings


plugin = Clock()
SAYS = "the setting zone: a validator raises ZoneInfoNotFoundError"
