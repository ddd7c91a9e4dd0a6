"""Runs workers as child processes: replaces one that dies, kills one that a plugin does not give back."""

import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import forkserver, get_context
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess

import structlog
from prometheus_client import Counter

from threepeat.worker.forkserver import SUPERVISOR
from threepeat.worker.watch import ChildWatch

TICK_SECONDS = 0.1
GRACE_SECONDS = 10.0
QUICK_SECONDS = 10.0
"""A worker that lived no longer than this died quickly."""
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0

ENDED = Counter("threepeat_worker_ended_total", "Worker processes that had to be replaced.", ["reason", "plugin"])

logger = structlog.get_logger(__name__)

Main = Callable[[str, ChildWatch], None]


@dataclass(slots=True)
class _Place:
    """Where one worker stands, and after it the one that replaces it.

    Attributes:
        name: The same for all who stand there one after the other, and for nobody else.
        not_before: Monotonic seconds; a replacement waits until then.
        quick: How many in a row died quickly.
        killed: The one that stands there is being killed.
    """

    name: str
    watch: ChildWatch = field(default_factory=ChildWatch)
    process: ForkServerProcess | None = None
    began: float = 0.0
    not_before: float = 0.0
    quick: int = 0
    killed: bool = False


class Supervisor:
    """Keeps a number of workers running, each in a process of its own.

    The processes are forked from a server that has imported what they need and holds no thread and no
    connection, so that a replacement is there at once.

    Args:
        main: What a process runs: a function of a module, called with the name of its place and the watch to
            give to its worker. It returns after a SIGTERM.
        processes: How many to run.
        deadline: Seconds that a plugin may keep a worker; then it is killed.
        preload: Names of modules to import before forking.
        grace: Seconds that a worker has to finish its turn in the end.
    """

    def __init__(
        self,
        main: Main,
        *,
        processes: int,
        deadline: float,
        preload: Sequence[str] = (),
        grace: float = GRACE_SECONDS,
    ) -> None:
        host = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._main = main
        self._places = [_Place(f"{host}:{number}") for number in range(1, processes + 1)]
        self._deadline = deadline
        self._grace = grace
        self._stops = 0
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload(["threepeat.worker.forkserver", *preload])

    def stop(self) -> None:
        """Let every worker finish the turn at hand and return from `run`; a second call kills them at once."""
        self._stops += 1

    @staticmethod
    def warm_up() -> None:
        """Let the fork server begin its imports, while something else is still to do.

        Call it, and `run`, in the main thread: the workers end with the thread.
        """
        os.environ[SUPERVISOR] = str(os.getpid())
        forkserver.ensure_running()

    def run(self) -> None:
        """Run until `stop` is called."""
        self.warm_up()
        try:
            while not self._stops:
                for place in self._places:
                    self._tend(place)
                wait([place.process.sentinel for place in self._places if place.process], TICK_SECONDS)
        finally:
            self._end()

    def _tend(self, place: _Place) -> None:
        if place.process is None:
            if time.monotonic() >= place.not_before:
                self._start(place)
        elif place.process.exitcode is not None:
            self._bury(place, place.process)
        elif not place.killed:
            self._time(place, place.process)

    def _start(self, place: _Place) -> None:
        place.watch.clear()
        place.began, place.killed = time.monotonic(), False
        process = self._context.Process(target=self._main, args=(place.name, place.watch), name=place.name)
        place.process = process
        try:
            process.start()
        except (OSError, EOFError) as error:
            # The fork server died; the next attempt starts it again.
            logger.warning("a worker could not be started, will try again", error=str(error))
            place.process = None
            self._postpone(place)

    def _time(self, place: _Place, process: ForkServerProcess) -> None:
        busy = place.watch.look()
        if busy is not None and busy.seconds > self._deadline:
            place.killed = True
            logger.error(
                "worker killed: a plugin kept it past the deadline",
                tenant=busy.tenant,
                plugin=busy.plugin,
                seconds=round(busy.seconds, 1),
                pid=process.pid,
            )
            ENDED.labels("deadline", busy.plugin).inc()
            process.kill()

    def _bury(self, place: _Place, process: ForkServerProcess) -> None:
        busy = place.watch.look()
        self._postpone(place)
        if not place.killed:
            logger.error(
                "worker died, will be replaced",
                exit=_outcome(process.exitcode),
                tenant=busy.tenant if busy else None,
                plugin=busy.plugin if busy else None,
                pid=process.pid,
                seconds=round(max(0.0, place.not_before - time.monotonic()), 1),
            )
            ENDED.labels("died", busy.plugin if busy else "").inc()
        process.close()
        place.process = None

    @staticmethod
    def _postpone(place: _Place) -> None:
        now = time.monotonic()
        place.quick = place.quick + 1 if now - place.began < QUICK_SECONDS else 0
        pause = FIRST_PAUSE_SECONDS * 2 ** min(place.quick - 2, 10) if place.quick > 1 else 0.0
        place.not_before = now + min(pause, LONGEST_PAUSE_SECONDS)

    def _end(self) -> None:
        left = [place.process for place in self._places if place.process and place.process.pid]
        for process in left:
            process.terminate()
        until = time.monotonic() + self._grace
        while left and time.monotonic() < until and self._stops < 2:
            wait([process.sentinel for process in left], TICK_SECONDS)
            left = [process for process in left if process.exitcode is None]
        for process in left:
            logger.warning("worker killed: it did not finish its turn in time", pid=process.pid)
            process.kill()
            process.join()


def _outcome(code: int | None) -> str:
    return signal.Signals(-code).name if code is not None and code < 0 else str(code)
