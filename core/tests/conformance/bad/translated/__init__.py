"""It was written in English and never translated."""

from pydantic import Field

from threepeat.sdk import Manifest, Plugin, PluginSettings, _


class Settings(PluginSettings):
    """What a merchant sets."""

    greeting: str = Field("Hello", title=_("What it says"), max_length=100)


class English(Plugin[Settings]):
    """A tactic with one setting."""

    manifest = Manifest(id="english", kind="tactic", title=_("Greeting"), summary=_("Greets whoever comes."))
    settings_model = Settings


plugin = English()
SAYS = "'What it says'"
