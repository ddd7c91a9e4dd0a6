"""`threepeat plugin dev` serves the plugin as it is on the disk, and leaves nothing running behind."""

import json
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

SECONDS = 60


class Watched:
    """The command, and what it has said so far."""

    def __init__(self, workshop, data):
        self.lines = []
        self.process = subprocess.Popen(
            [workshop.environment / "bin/python", "-m", "threepeat.cli", "plugin", "dev", "--data", data],
            cwd=workshop.project,
            env=workshop.plain(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        with self.process.stdout as said:
            self.lines.extend(said)

    def wait(self, words, *, count=1):
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            if sum(words in line for line in self.lines) >= count:
                return "".join(self.lines)
            time.sleep(0.05)
        raise AssertionError(f"{words!r} was not said:\n{''.join(self.lines)}")


@pytest.fixture
def watched(workshop, tmp_path):
    made = Watched(workshop, tmp_path / "data")
    yield made
    if made.process.poll() is None:
        made.process.send_signal(signal.SIGTERM)
        made.process.wait(SECONDS)
    made.reader.join(SECONDS)


def ask(url, path, key, **post):
    request = urllib.request.Request(
        url + path, json.dumps(post).encode() if post else None, {"Authorization": f"Bearer {key}"}
    )
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


@pytest.mark.long
def test_a_change_is_served_a_mistake_is_named_and_ctrl_c_ends_all(workshop, watched, tmp_path):
    said = watched.wait("Ctrl-C stops")
    url, key = re.search(r"URL=(\S+) KEY=(\S+)", said).groups()
    assert "GET  $URL/v1/me/thanks/card" in said
    metric = "How many members are thanked each day?"
    assert {one["id"] for one in ask(url, "/v1/tactics", key)["tactics"] if one["state"] == "enabled"} == {
        "thanks"
    }

    source = workshop.project / "threepeat_thanks/metrics.py"
    right = source.read_text()
    try:
        source.write_text(right.replace(metric, "How many were thanked?"))
        watched.wait("Ctrl-C stops", count=2)
        assert "metrics.py changed: starts again" in watched.wait("starts again")
        assert "How many were thanked?" in json.dumps(ask(url, "/v1/metrics", key))

        source.write_text("this is no Python")
        watched.wait("Ctrl-C stops", count=3)
        assert "thanks is quarantined: SyntaxError" in watched.wait("is quarantined")
    finally:
        source.write_text(right)
    watched.wait("Ctrl-C stops", count=4)
    assert metric in json.dumps(ask(url, "/v1/metrics", key))

    watched.process.send_signal(signal.SIGINT)
    assert watched.process.wait(SECONDS) == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{url}/readyz", timeout=5)
    assert list((tmp_path / "data").rglob("postmaster.pid")) == []
