"""What a measurement stands on: a folder of its own, and an API that ends with it."""

import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from threepeat.cli.demo import free_port
from threepeat.cli.serve import child

URLS = ("THREEPEAT_APP_URL", "THREEPEAT_OWNER_URL", "THREEPEAT_OPS_URL")
READY_SECONDS = 60.0


class Served(NamedTuple):
    """An API that answers on loopback."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"


def own_folder(stack: ExitStack) -> Path:
    """A folder that goes with the stack; nothing of the caller's database is used."""
    for name in URLS:
        os.environ.pop(name, None)
    folder = Path(tempfile.mkdtemp(prefix="threepeat-bench-"))
    folder.chmod(0o755)  # the embedded PostgreSQL runs under an account of its own
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextmanager
def served(*options: str) -> Iterator[Served]:
    """Run `threepeat serve` as long as the block lasts, on the installation that the environment names."""
    port = free_port()
    with child("--log-level", "warning", "serve", "--port", str(port), *options) as process:
        made = Served(port, process)
        until_ready(f"{made.url}/readyz")
        yield made


def until_ready(url: str) -> None:
    """Wait until a server answers.

    Raises:
        SystemExit: It does not within a minute.
    """
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")
