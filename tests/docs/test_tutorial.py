"""Tutorial and how-to guides work as they stand: their commands are run, and what they show is what they print."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from threepeat.database.embedded import EmbeddedServer

DOCS = Path(__file__).resolve().parents[2] / "docs"
TUTORIAL = DOCS / "tutorial" / "first-store.md"
GUIDES = [
    DOCS / "howto" / f"{name}.md"
    for name in (
        "run-the-consoles",
        "onboard-a-store",
        "choose-your-three",
        "look-after-your-members",
        "work-as-a-team",
    )
]
"""One after the other, on one installation."""
EXAMPLE = DOCS / "howto" / "price-a-basket.md"
SERVED = """
export THREEPEAT_DATA="$PWD/first-store" URL=http://127.0.0.1:8000
threepeat db start
threepeat serve --port 8000 --workers 1 2> serve.log &
until curl -sf $URL/readyz; do sleep 0.2; done
"""
PORT = "8000"
SECONDS = 120
LONG_SECONDS = 600

RUN = re.compile(r"^<!-- run -->\n```bash\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHOWN = re.compile(r"^```(?:json|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CHANGING = re.compile(r'tp_live_\S+|(?<="created_at":")[^"]*')
FLEETING = re.compile(
    r"tp_live_[\w…-]+|\d+\.[0-9a-f]{16}\.[\w…-]+|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*Z?|,\d{4}-\d\d,"
)
"""Keys, links, instants and months."""
PROBLEM = re.compile(r"urn:threepeat:problem:[a-z-]+")
NEEDS = pytest.mark.skipif(
    not (shutil.which("bash") and shutil.which("curl")), reason="the pages are written for bash and curl"
)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


def clean_environment():
    kept = {name: value for name, value in os.environ.items() if not name.startswith("THREEPEAT_")}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}", "NO_COLOR": "1"}


@contextmanager
def folder():
    """A folder that PostgreSQL's account may enter, unlike pytest's own; its server is stopped at the end."""
    made = Path(tempfile.mkdtemp(prefix="threepeat-docs-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        EmbeddedServer(made / "first-store").stop()
        shutil.rmtree(made)


def end_group(leader):
    """End what a process that leads a group of its own has left behind."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(leader.pid, number)
            until = time.monotonic() + 20
            while time.monotonic() < until:
                leader.poll()
                os.killpg(leader.pid, 0)
                time.sleep(0.05)


def run(script, cwd, seconds=SECONDS):
    with (cwd / "out").open("w+", encoding="utf-8") as out:
        with subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=cwd,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as bash:
            try:
                with suppress(subprocess.TimeoutExpired):
                    bash.wait(seconds)
            finally:
                code = bash.returncode
                end_group(bash)
        out.seek(0)
        return code, out.read()


@NEEDS
def test_the_tutorial_gives_what_it_shows():
    text = TUTORIAL.read_text("utf-8")
    blocks = RUN.findall(text)
    assert len(blocks) > 8
    assert sum(PORT in block for block in blocks) == 2
    with folder() as cwd:
        code, printed = run("\n".join(blocks).replace(PORT, free_port()), cwd)
        assert code == 0, printed
    found = CHANGING.sub("…", printed)
    shown = [line for block in SHOWN.findall(text) for line in block.splitlines()]
    assert [line for line in shown if CHANGING.sub("…", line) not in found] == []
    balances = [json.loads(found) for found in re.findall(r'\{"available":.*?\}', printed)]
    assert [(one["available"], one["debt"]) for one in balances] == [(128, 0), (99, 0)]
    (history,) = re.findall(r'\{"entries":.*?"next":null\}', printed)
    assert [entry["points"] for entry in json.loads(history)["entries"]] == [-29, 128]


@NEEDS
@pytest.mark.long
def test_the_basket_is_priced_and_taken_apart_as_the_page_shows():
    text = EXAMPLE.read_text("utf-8")
    script, port = "\n".join(RUN.findall(text)), free_port()
    for place in ("127.0.0.1:", "--port "):  # it is also a price
        script = script.replace(place + PORT, place + port)
    with folder() as cwd:
        code, printed = run(script, cwd, LONG_SECONDS)
    assert code == 0, printed
    shown = [line for block in SHOWN.findall(text) for line in block.splitlines()]
    assert len(shown) > 10
    assert [line for line in shown if line not in printed] == []
    total = int(re.findall(r"total (\d+)", printed)[0])
    assert sum(json.loads(found)["amount"] for found in re.findall(r'\{"amount".*\}', printed)) == total


@NEEDS
@pytest.mark.long
def test_the_guides_give_what_they_show():
    texts = [guide.read_text("utf-8") for guide in GUIDES]
    blocks = [RUN.findall(text) for text in texts]
    assert all(blocks)
    script = "\n".join([SERVED, *(block for found in blocks for block in found)])
    with folder() as cwd:
        code, printed = run(script.replace(PORT, free_port()), cwd, LONG_SECONDS)
    assert code == 0, printed
    found = FLEETING.sub("…", printed)
    shown = [line for text in texts for block in SHOWN.findall(text) for line in block.splitlines()]
    assert len(shown) > 20
    assert [line for line in shown if FLEETING.sub("…", line) not in found] == []
    assert PROBLEM.findall(printed) == PROBLEM.findall("\n".join(shown))
