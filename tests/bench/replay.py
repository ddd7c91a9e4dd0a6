"""The statements of a command, taken down as the product sends them, and sent again by psycopg alone."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from threepeat.database import direct

CONTROL = object()
"""Stands for the parameters of what begins and ends a savepoint, which goes past the driver's cursors."""

Statement = tuple[str, Any]
Script = list[Statement]

lock = threading.Lock()


@contextmanager
def taken_down() -> Iterator[Script]:
    """All that psycopg is told to execute while the block lasts, as text and parameters.

    What begins and ends a transaction is not in it, nor is the pool's question whether a connection lives.
    """
    script: Script = []
    real = psycopg.Cursor.execute

    def execute(self: Any, query: Any, params: Any = None, **named: Any) -> Any:
        if query not in {";", b";"}:
            with lock:
                script.append((query if isinstance(query, str) else str(query), params))
        return real(self, query, params, **named)

    def control(connection: Any, command: str) -> None:
        with lock:
            script.append((command, CONTROL))
        really(connection, command)

    really = direct.control
    psycopg.Cursor.execute, direct.control = execute, control  # type: ignore[method-assign]
    try:
        yield script
    finally:
        psycopg.Cursor.execute, direct.control = real, really  # type: ignore[method-assign]


def sent_again(
    url: str, scripts: Sequence[Script], clients: int, *, first: Sequence[Script] = ()
) -> tuple[list[float], float]:
    """Send each script in a transaction of its own; returns the seconds that each took, and all of them.

    Args:
        url: Of the app role, to a database that stands as it stood when they were taken down.
        scripts: One for each command; each client takes every n-th.
        clients: How many send at a time.
        first: What is sent beforehand, unmeasured, so that each connection has prepared its statements.
    """
    warm = threading.Barrier(clients + 1)

    def send(number: int) -> list[float]:
        seconds = []
        with psycopg.connect(url) as connection:
            try:
                for script in first[number::clients]:
                    _send(connection, script)
            except BaseException:
                warm.abort()
                raise
            warm.wait()
            for script in scripts[number::clients]:
                began = time.perf_counter()
                _send(connection, script)
                seconds.append(time.perf_counter() - began)
        return seconds

    with ThreadPoolExecutor(clients) as pool:
        several = [pool.submit(send, number) for number in range(clients)]
        with suppress(threading.BrokenBarrierError):  # whoever broke it says why
            warm.wait()
        began = time.perf_counter()
        seconds = [one for each in several for one in each.result()]
    return seconds, time.perf_counter() - began


def _send(connection: psycopg.Connection[Any], script: Script) -> None:
    with connection.transaction():
        for query, params in script:
            if params is CONTROL:
                connection.pgconn.exec_(query.encode())
            else:
                connection.execute(query, params)
