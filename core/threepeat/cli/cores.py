"""Keeps each process of the API on a processor core of its own.

The threads of a process take turns at its interpreter. Spread over several cores they wake each other across them
at every turn, which costs more than a short piece of work between two statements does.
"""

import fcntl
import os
import sys
from itertools import count
from pathlib import Path
from typing import TextIO

_places: list[TextIO] = []
"""Held open, and so locked, as long as this process lives."""


def can_be_kept() -> bool:
    """Whether this system lets a process choose its cores."""
    return sys.platform == "linux"


def keep_to_one(folder: Path) -> int:
    """Keep the calling thread, and all that it starts from now on, on the first core that no process has yet.

    With more processes than cores it begins again with the first core.

    Args:
        folder: Shared by the processes; holds a file for each place, locked by whoever has it.

    Returns:
        The number of the core, one of those that the process may use.
    """
    cores = sorted(os.sched_getaffinity(0))
    number = next(number for number in count() if _take(folder / str(number)))
    core = cores[number % len(cores)]
    os.sched_setaffinity(0, {core})
    return core


def _take(file: Path) -> bool:
    place = file.open("w")
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        place.close()
        return False
    _places.append(place)
    return True
