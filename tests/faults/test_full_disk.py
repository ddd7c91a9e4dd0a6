"""A full disk refuses what comes, and loses and doubles nothing; with room again all goes on by itself."""

import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from threepeat.events.platform import Platform
from threepeat.events.stores import open_store

sys.path.insert(0, str(Path(__file__).parent))

import storm

SIZE = "700m"
SEED = 20261123
FULL_SECONDS = 12.0


@pytest.fixture
def disk():
    """A folder whose part `data` is a small disk of its own."""
    with tempfile.TemporaryDirectory(prefix="threepeat-disk-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        data = folder / "data"
        data.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={SIZE},mode=755", "tmpfs", data]
        if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
            pytest.skip("a small disk is mounted, which takes root")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", data], check=True)


@contextmanager
def filled(folder):
    """Nothing fits on the disk inside the block."""
    ballast = folder / "data" / "ballast"

    def fill():
        with ballast.open("wb", buffering=0) as file:
            while not emptied.wait(0.02):  # what a server gives back is taken, too
                for size in (2**22, 2**12):
                    with suppress(OSError):
                        while file.write(bytes(size)) == size:
                            pass

    emptied = threading.Event()
    filler = threading.Thread(target=fill, daemon=True)
    filler.start()
    try:
        yield
    finally:
        emptied.set()
        filler.join()
        ballast.unlink()


@pytest.mark.long
def test_a_full_disk_refuses_and_neither_loses_nor_doubles(disk):
    outcome = storm.Outcome(SEED)
    with ExitStack() as stack:
        stack.enter_context(storm._environment(disk))
        place = storm.Place(disk, "")
        stack.callback(place.log.close)
        stack.enter_context(place.server.supervised())
        platform = stack.enter_context(Platform.open())
        place.urls = platform.database.urls
        tenant = open_store(platform, "storm", enable=["points", "till"], holdout=0, by="storm")
        stack.callback(place.stop)
        place.start("api")
        place.start("worker")
        place.wait_ready(time.monotonic())
        ledger, stop, free = storm.Ledger(), threading.Event(), threading.Event()
        free.set()
        clients = storm._clients(platform, tenant, place.url, SEED, ledger, stop, free)
        for client in clients:
            client.start()
        time.sleep(3)
        before = len(ledger.events)
        with filled(disk):
            time.sleep(FULL_SECONDS)
            while_full, refused = len(ledger.events), ledger.retried
            time.sleep(1)
            assert len(ledger.events) == while_full, "something was acknowledged on a full disk"
        began = time.monotonic()
        while len(ledger.events) == while_full and time.monotonic() < began + 60:
            time.sleep(0.05)
        place.wait_ready(began)
        time.sleep(3)
        stop.set()
        for client in clients:
            client.join(storm.PATIENCE_SECONDS)
            assert not client.is_alive()
            client.close()
        storm._wait_served(platform, tenant)
        place.stop()
        storm._count(platform, tenant, ledger, place, outcome)
    outcome.show()
    assert before > 0
    assert refused > 0
    assert len(ledger.events) > while_full
    assert outcome.holds
    assert not place.ended
