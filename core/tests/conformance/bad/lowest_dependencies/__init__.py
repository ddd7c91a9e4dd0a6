"""It works with what its author had installed that day."""

from threepeat.sdk import Manifest, Plugin, PluginSettings


class Latest(Plugin[PluginSettings]):
    """A tactic of which only the project file is wrong."""

    manifest = Manifest(id="latest", kind="tactic", title="Latest", summary="Always up to date.")
    settings_model = PluginSettings


plugin = Latest()
SAYS = "the dependency threepeat-core of pyproject.toml has no upper bound"
