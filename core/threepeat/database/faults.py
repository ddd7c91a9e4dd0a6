"""Named places where a test may end the process, to see that nothing is lost or doubled there.

`THREEPEAT_FAULT=turn.before-commit:3` kills the process with SIGKILL when it comes past that place for the
third time. Without the variable a place costs one comparison.
"""

import os
import signal

VARIABLE = "THREEPEAT_FAULT"

POINTS = (
    "ingest.appended",
    "ingest.committed",
    "command.done",
    "command.committed",
    "outbox.moved",
    "turn.claimed",
    "turn.after-plugin",
    "turn.before-commit",
    "turn.after-commit",
    "turn.released",
    "call.made",
    "call.settled",
    "erasure.requested",
    "erasure.half-done",
    "erasure.completed",
)
"""Every place, so that a proof can go through all of them."""

_place, _, _count = os.environ.get(VARIABLE, "").partition(":")
_left = int(_count or 1)


def fault_point(name: str) -> None:
    """Come past a place."""
    global _left  # noqa: PLW0603 - counts the process's own passes
    if name == _place:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
