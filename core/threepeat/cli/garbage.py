"""When a process looks for garbage: seldom, and never in what it began with."""

import gc

YOUNG = 10_000
"""How many new objects there are before the next look: a batch of events makes tens of thousands that stay."""


def settle() -> None:
    """Call it when the process has what it needs: all of that is taken for what stays to the end.

    To look through it takes a tenth of the start, and a fifth of the time in which batches are served.
    """
    gc.freeze()
    gc.set_threshold(YOUNG)
