"""`threepeat serve` and `threepeat worker`: the processes that do the work."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Annotated, NoReturn

import typer

from threepeat.database.config import DatabaseConfig
from threepeat.database.embedded import EmbeddedServer


def serve(
    host: Annotated[str, typer.Option(envvar="THREEPEAT_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="THREEPEAT_PORT", help="Port to listen on.")] = 8000,
    processes: Annotated[int, typer.Option(min=1, help="How many processes answer.")] = 1,
    workers: Annotated[int, typer.Option(min=0, help="How many workers to run beside it.")] = 0,
) -> None:
    """Serve the HTTP API.

    Without THREEPEAT_APP_URL it also runs the embedded PostgreSQL, and restarts it should it die.
    """
    with ExitStack() as stack:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = stack.enter_context(
            TemporaryDirectory(prefix="threepeat-metrics-")
        )
        import uvicorn  # noqa: PLC0415

        from threepeat.events.platform import Platform  # noqa: PLC0415

        stack.enter_context(leaving_in_order())
        stack.enter_context(supervised_database())
        Platform.open().database.dispose()  # say what is wrong before anything listens
        for _ in range(workers):
            stack.enter_context(child("worker"))
        uvicorn.run(
            "threepeat.cli.serve:app",
            factory=True,
            host=host,
            port=port,
            workers=processes,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=10,
        )


def app() -> object:
    """Build the ASGI app from the environment; uvicorn calls this in each process."""
    from threepeat.events.platform import Platform  # noqa: PLC0415
    from threepeat.http.app import create_app  # noqa: PLC0415

    return create_app(Platform.open())


def worker(
    drain: Annotated[bool, typer.Option("--drain", help="Stop when nothing waits any more.")] = False,
    metrics_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Serve this worker's Prometheus metrics on 127.0.0.1.")
    ] = None,
) -> None:
    """Hand the events to the tactics, until SIGTERM or Ctrl-C. Run as many as you like."""
    from prometheus_client import start_http_server  # noqa: PLC0415

    from threepeat.events.platform import Platform  # noqa: PLC0415
    from threepeat.worker.loop import Worker  # noqa: PLC0415

    with supervised_database():
        platform = Platform.open()
        process = Worker(platform)
        if metrics_port is not None:
            start_http_server(metrics_port, "127.0.0.1")

        def stop(_number: int, _frame: FrameType | None) -> None:
            process.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        if drain:
            typer.echo(f"{process.drain()} events passed")
        else:
            process.run()
        platform.database.dispose()


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
