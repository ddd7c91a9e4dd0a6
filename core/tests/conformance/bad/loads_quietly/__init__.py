"""It keeps a log of its own, which it opens where it is imported."""

import logging
import tempfile
from pathlib import Path

from threepeat.sdk import Manifest, Plugin, PluginSettings

FILE = Path(tempfile.gettempdir()) / "threepeat-noisy.log"
log = logging.Logger("noisy")
log.addHandler(logging.FileHandler(FILE))


class Noisy(Plugin[PluginSettings]):
    """A tactic with a log file."""

    manifest = Manifest(id="noisy", kind="tactic", title="Noisy", summary="Writes down what it does.")
    settings_model = PluginSettings


plugin = Noisy()
SAYS = "loads_quietly/__init__.py:11 opens"
