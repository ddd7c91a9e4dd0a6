"""Many at once, for tests of what must hold whoever comes first."""

import threading
from collections.abc import Callable
from typing import TypeVar, cast

T = TypeVar("T")


def together(count: int, work: Callable[[int], T]) -> list[T]:
    """Run `work(number)` in as many threads, begun at once.

    Returns:
        What each of them answered, by number.

    Raises:
        BaseException: What one of them raised, once all are done.
    """
    start, failed, answers = threading.Barrier(count), list[BaseException](), [cast("T", None)] * count

    def run(number: int) -> None:
        start.wait()
        try:
            answers[number] = work(number)
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return answers
