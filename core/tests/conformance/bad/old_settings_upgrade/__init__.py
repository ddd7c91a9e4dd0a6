"""A field was renamed; its upgrade expects that every store had set it."""

from typing import ClassVar

from pydantic import Field

from threepeat.sdk import Manifest, Plugin, PluginSettings


class Settings(PluginSettings):
    """What a merchant sets."""

    version: ClassVar[int] = 2

    greeting: str = Field("Hello", max_length=100)

    @classmethod
    def upgrade(cls, values: dict[str, object], version: int) -> dict[str, object]:
        del version
        values["greeting"] = values.pop("text")
        return values


class Greeter(Plugin[Settings]):
    """A tactic whose setting had another name."""

    manifest = Manifest(id="greeter", kind="tactic", title="Greeter", summary="Says hello.")
    settings_model = Settings


plugin = Greeter()
SAYS = "stored under the version 1, nothing set: upgrade raises KeyError"
