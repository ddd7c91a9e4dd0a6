"""`threepeat serve` and `threepeat worker`: the processes that do the work."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import psycopg
import structlog
import typer
from sqlalchemy.exc import DBAPIError

from threepeat.cli.cores import can_be_kept, keep_to_one
from threepeat.cli.garbage import settle
from threepeat.cli.logs import configure
from threepeat.database.checks import BootError
from threepeat.database.config import DatabaseConfig
from threepeat.database.embedded import EmbeddedError, EmbeddedServer
from threepeat.database.lost import because, is_lost
from threepeat.database.poolers import PoolerError
from threepeat.database.redact import brief

if TYPE_CHECKING:
    from fastapi import FastAPI

    from threepeat.events.platform import Platform
    from threepeat.worker.watch import ChildWatch

LOG_FORMAT, LOG_LEVEL = "THREEPEAT_LOG_FORMAT", "THREEPEAT_LOG_LEVEL"
"""What `--log-format` and `--log-level` are read from, too: so the processes beside the first learn of them."""
CORES = "THREEPEAT_CORES"
"""Names the folder in which the processes of `serve` share out the cores among them."""
PAUSE_SECONDS = 0.5
AGAIN_SECONDS = 2.0

Opened = TypeVar("Opened")

logger = structlog.get_logger(__name__)


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(envvar="THREEPEAT_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="THREEPEAT_PORT", help="Port to listen on.")] = 8000,
    processes: Annotated[int, typer.Option(min=1, help="How many processes answer.")] = 1,
    workers: Annotated[int, typer.Option(min=0, help="How many worker processes to run beside it.")] = 0,
    cpu_affinity: Annotated[
        bool,
        typer.Option(
            "--cpu-affinity",
            envvar="THREEPEAT_CPU_AFFINITY",
            help="Keep each process that answers on a core of its own: more requests per second on a machine that"
            " serves nothing else. Linux only.",
        ),
    ] = False,
) -> None:
    """Serve the HTTP API.

    Without THREEPEAT_APP_URL it also runs the embedded PostgreSQL, and restarts it should it die.
    """
    if cpu_affinity and not can_be_kept():
        raise typer.BadParameter("this system does not let a process choose its core", param_hint="--cpu-affinity")
    with ExitStack() as stack:
        if cpu_affinity:
            os.environ[CORES] = stack.enter_context(TemporaryDirectory(prefix="threepeat-cores-"))
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = stack.enter_context(
            TemporaryDirectory(prefix="threepeat-metrics-")
        )
        import uvicorn  # noqa: PLC0415

        from threepeat.events.platform import Platform  # noqa: PLC0415
        from threepeat.http.app import create_app  # noqa: PLC0415

        stack.enter_context(leaving_in_order())
        stack.enter_context(supervised_database())
        platform = patiently(Platform.open)  # says what is wrong before anything listens
        served: str | Callable[[], object] = partial(_settled, create_app, platform)
        if processes > 1:
            platform.database.dispose()
            served = "threepeat.cli.serve:app"
        options = context.find_root().params
        os.environ |= {LOG_FORMAT: options["log_format"], LOG_LEVEL: options["log_level"]}
        if workers:
            stack.enter_context(kept("worker", "--processes", str(workers)))
        uvicorn.run(
            served,
            factory=True,
            host=host,
            port=port,
            workers=processes,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=10,
        )


def app() -> object:
    """Build the ASGI app from the environment; uvicorn calls this in each of several processes."""
    configure(os.environ[LOG_FORMAT], os.environ[LOG_LEVEL])
    from threepeat.events.platform import Platform  # noqa: PLC0415
    from threepeat.http.app import create_app  # noqa: PLC0415

    return _settled(create_app, patiently(Platform.open))


def _settled(create_app: "Callable[[Platform], FastAPI]", platform: "Platform") -> object:
    if CORES in os.environ:
        logger.info("kept to a core", core=keep_to_one(Path(os.environ[CORES])))
    made = create_app(platform)
    settle()
    return made


def worker(
    context: typer.Context,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            envvar="THREEPEAT_WORKER_PROCESSES",
            help="How many processes work; by default one for every two cores, at least two.",
        ),
    ] = None,
    drain: Annotated[
        bool, typer.Option("--drain", help="Work in this process and stop when nothing waits any more.")
    ] = False,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Serve the Prometheus metrics of all its processes on 127.0.0.1."),
    ] = None,
) -> None:
    """Hand the events to the tactics, until SIGTERM or Ctrl-C. Run as many as you like.

    A process that dies is replaced, and one that a plugin keeps longer than THREEPEAT_WORKER_DEADLINE_SECONDS
    is killed and replaced. A second SIGTERM or Ctrl-C does not wait for the turns at hand.
    """
    with ExitStack() as stack:
        if metrics_port is not None and "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            # The library reads it when it is imported, here and in the processes.
            folder = stack.enter_context(TemporaryDirectory(prefix="threepeat-metrics-"))
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        from threepeat.events.platform import Platform  # noqa: PLC0415
        from threepeat.worker.loop import Worker, WorkerConfig  # noqa: PLC0415
        from threepeat.worker.supervisor import Supervisor  # noqa: PLC0415

        options = context.find_root().params
        supervisor = Supervisor(
            partial(work, log_format=options["log_format"], log_level=options["log_level"]),
            processes=processes or max(2, (os.cpu_count() or 1) // 2),
            deadline=WorkerConfig().deadline_seconds,
            preload=("threepeat.cli.serve", "threepeat.events.platform", "threepeat.worker.loop"),
        )
        stack.enter_context(supervised_database())
        if not drain:
            supervisor.warm_up()
        platform = patiently(Platform.open)  # says what is wrong before a worker is started
        stack.callback(platform.database.dispose)
        if metrics_port is not None:
            _export_metrics(metrics_port)
        if drain:
            drained = Worker(platform)
            _on_stop_signal(drained.stop)
            typer.echo(f"{drained.drain()} events passed")
        else:
            platform.database.dispose()
            _on_stop_signal(supervisor.stop)
            supervisor.run()


def work(name: str, watch: "ChildWatch", *, log_format: str, log_level: str) -> None:
    """Be one of the processes of `threepeat worker`.

    Args:
        name: The place that this process takes, maybe that of one that died.
        watch: Shared with the supervisor.
        log_format: As for the command itself.
        log_level: As for the command itself.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the supervisor passes it on
    from threepeat.events.platform import Platform  # noqa: PLC0415
    from threepeat.worker.calls import StuckError  # noqa: PLC0415
    from threepeat.worker.forkserver import end_with_parent  # noqa: PLC0415
    from threepeat.worker.loop import Worker  # noqa: PLC0415

    end_with_parent()
    configure(log_format, log_level)
    try:
        platform = Platform.open()
        process = Worker(platform, watch=watch, name=name)
        signal.signal(signal.SIGTERM, lambda _number, _frame: process.stop())
        settle()
        process.run()
        platform.database.dispose()
    except Exception as error:  # noqa: BLE001 - the supervisor puts another in its place
        readable = isinstance(error, BootError | EmbeddedError | PoolerError | StuckError)
        logger.error("the worker cannot go on", reason=str(error) if readable else brief(error))
        os._exit(1)  # an ordinary exit would wait for a call that hangs


def _on_stop_signal(stop: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop())


def _export_metrics(port: int) -> None:
    from prometheus_client import CollectorRegistry, start_http_server  # noqa: PLC0415
    from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    start_http_server(port, "127.0.0.1", registry)


@contextmanager
def leaving_in_order() -> Iterator[None]:
    """Let SIGTERM unwind the stack: uvicorn raises it again after its own shutdown, and children must end too."""

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def patiently(opening: Callable[[], Opened]) -> Opened:
    """Open what needs the database, which may come up after us or be on its way back.

    Raises:
        DBAPIError: It could not be reached for THREEPEAT_WAIT_SECONDS.
    """
    until = time.monotonic() + DatabaseConfig().wait_seconds
    said = ""
    while True:
        try:
            return opening()
        except (DBAPIError, psycopg.Error) as error:
            if not is_lost(error) or time.monotonic() > until:
                raise
            reason = because(error)
        if reason != said:
            said = reason
            logger.warning("the database cannot be reached yet", reason=reason)
        time.sleep(PAUSE_SECONDS)


@contextmanager
def supervised_database() -> Iterator[None]:
    """Run the embedded server for as long as the block lasts, unless URLs name another one."""
    config = DatabaseConfig()
    if config.embedded:
        with EmbeddedServer(config.data).supervised():
            yield
    else:
        yield


@contextmanager
def child(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run another `threepeat` command beside this one; SIGTERM ends it with the block."""
    process = subprocess.Popen([sys.executable, "-m", "threepeat.cli", *arguments], start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def kept(*arguments: str) -> Iterator[None]:
    """Run another `threepeat` command beside this one, and again should it end."""
    over = threading.Event()

    def keep() -> None:
        while not over.is_set():
            with child(*arguments) as process:
                while process.poll() is None and not over.wait(PAUSE_SECONDS):
                    pass
            if not over.is_set():
                logger.error("a process beside this one has ended", command=arguments[0], exit=process.returncode)
                over.wait(AGAIN_SECONDS)

    keeper = threading.Thread(target=keep, name="threepeat-kept")
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()
