"""Loading a plugin is reading it: whatever it does to the world, it does when it is called."""

import json
import os
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points

from threepeat.plugins.registry import GROUP
from threepeat.testing.conformance.bench import Bench

TITLE = "Loading a plugin has no side effect: no file, socket, process, thread, output or environment is touched."
FIX = (
    "Move what runs at import into a handler or a hook, and make there what it needs. At import a plugin only"
    " defines classes and functions and builds its declarations."
)
MOST_SECONDS = 60
MARK = "\0conformance\0"

# It runs in a process of its own, where the audit hook is there before anything of the plugin; the SDK and the
# driver are imported before it counts. Python tells the hook of sockets that Python opens, libpq's it does not.
CHILD = """
import sys
report, counting, package = [], [], sys.argv[2]
path, mark = sys.argv[3].split(sys.argv[4]), sys.argv[5]

def place():
    frame, found = sys._getframe(2), ""
    while frame:
        name = frame.f_code.co_filename
        parts = name.replace("\\\\", "/").split("/")
        if package in parts[:-1] or parts[-1] == package + ".py":
            start = len(parts) - 1 - parts[::-1].index(package) if package in parts else len(parts) - 1
            return "/".join(parts[start:]) + ":" + str(frame.f_lineno)
        frame = frame.f_back
    return found

DID = {
    "socket.connect": "connects to {1}", "socket.bind": "listens at {1}", "socket.sendto": "sends to {1}",
    "socket.getaddrinfo": "looks up the host {0}", "subprocess.Popen": "starts the process {0}",
    "os.system": "starts the process {0}", "os.exec": "starts the process {0}", "os.fork": "forks",
    "os.forkpty": "forks", "os.posix_spawn": "starts the process {0}", "os.mkdir": "makes the folder {0}",
    "os.remove": "removes {0}", "os.rename": "renames {0}", "os.rmdir": "removes {0}", "os.truncate": "writes {0}",
    "os.symlink": "makes the link {1}", "os.link": "makes the link {1}", "os.chmod": "changes the rights of {0}",
    "os.putenv": "sets the environment variable {0}", "os.unsetenv": "unsets the environment variable {0}",
    "sqlite3.connect": "opens the database {0}", "threepeat.database": "connects to a database",
}

def text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

def hook(event, args):
    if not counting:
        return
    did = DID.get(event)
    if event == "open":
        mode, flags = args[1], args[2]
        writes = any(one in mode for one in "wax+") if mode else isinstance(flags, int) and flags & 0x3
        did = "opens {0} for writing" if writes and not text(args[0]).endswith(".pyc") else None
    if did:
        report.append((place(), did.format(*map(text, args), "")))

sys.addaudithook(hook)
sys.path[:] = path
import importlib, json, os, threading
from importlib.metadata import EntryPoint
import psycopg
import threepeat.sdk

def watched(real):
    def connect(cls, *args, **named):
        sys.audit("threepeat.database")
        return real(cls, *args, **named)
    return classmethod(connect)

for kind in (psycopg.Connection, psycopg.AsyncConnection):
    kind.connect = watched(kind.connect.__func__)
psycopg.connect = psycopg.Connection.connect
env, threads = dict(os.environ), set(threading.enumerate())
counting.append(True)
try:
    EntryPoint("plugin", sys.argv[1], "threepeat.plugins").load()
except BaseException as error:
    report.append((place(), "cannot be loaded: %s: %s" % (type(error).__name__, error)))
counting.clear()
for thread in set(threading.enumerate()) - threads:
    report.append(("", "leaves the thread %s running" % thread.name))
if dict(os.environ) != env and not any("environment" in said for _, said in report):
    report.append(("", "changes os.environ"))
sys.stdout.flush()
os.write(1, (mark + json.dumps(report)).encode())
os._exit(0)
"""


def begin(bench: Bench) -> None:
    """Load the entry point in a fresh process that an audit hook watches."""
    asked = [_entry(bench), _package(bench), os.pathsep.join(sys.path), os.pathsep, json.dumps(MARK)]
    bench.begin(__name__, [sys.executable, "-B", "-c", CHILD, *asked])


def check(bench: Bench) -> Iterator[str]:
    """Look at what the process saw."""
    package, ended = _package(bench), bench.ended(__name__, MOST_SECONDS)
    if ended is None:
        yield f"loading {package} takes more than {MOST_SECONDS} seconds"
        return
    written, errors = (one.decode("utf-8", "replace") for one in ended)
    said, marked, report = written.partition(json.dumps(MARK))
    if not marked:
        yield f"loading {package} ends the process: {_brief(errors) or said}"
        return
    for place, did in dict.fromkeys(tuple(one) for one in json.loads(report)):
        yield f"{place or package} {did}"
    for stream, text in (("output", said), ("errors", errors)):
        if text:
            yield f"loading {package} writes to the standard {stream}: {_brief(text)!r}"


def _package(bench: Bench) -> str:
    return type(bench.installed.plugin).__module__.partition(".")[0]


def _entry(bench: Bench) -> str:
    """Where the plugin is loaded from, as `module:name`."""
    installed = bench.installed
    named = [point.value for point in entry_points(group=GROUP) if point.name == installed.id]
    home = type(installed.plugin).__module__
    return named[0] if len(named) == 1 and installed.distribution else home


def _brief(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:200] if lines else ""
