"""Greets members."""

from threepeat_greeting.settings import GreetingSettings

from threepeat.sdk import Manifest, Plugin, _


class Greeting(Plugin[GreetingSettings]):
    """A greeting."""

    manifest = Manifest(id="greeting", kind="tactic", title=_("Greeting"), summary=_("Greets members."))
    settings_model = GreetingSettings


plugin = Greeting()
