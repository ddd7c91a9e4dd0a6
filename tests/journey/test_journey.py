"""The journey of a stranger's plugin, as a test."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("journey.py")


def test_a_plugin_lives_and_ends_as_it_should():
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "steps in" in done.stdout
