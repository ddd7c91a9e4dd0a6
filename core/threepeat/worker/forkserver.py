"""Imported by the fork server before it forks: no worker outlives its supervisor, however that ended.

The fork server is a child of the supervisor, the workers are children of the fork server. Where the kernel can
tell a process that its parent is gone (Linux), each of them is killed with its parent, also in the middle of a
call that never comes back. Elsewhere a thread of the worker waits for the supervisor's end.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading

SUPERVISOR = "_THREEPEAT_SUPERVISOR"
"""The environment variable that tells the fork server whose child it is."""

PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Let this process, a worker, end at once when its supervisor is gone."""
    if _server is None:
        threading.Thread(target=_wait_for_supervisor, name="threepeat-parent-watch", daemon=True).start()
        return
    _die_with_parent()
    if os.getppid() != _server:  # it was gone before the kernel had been asked
        os._exit(1)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait_for_supervisor() -> None:
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        os._exit(1)


_server: int | None = None
if sys.platform == "linux" and os.environ.get(SUPERVISOR) == str(os.getppid()):
    _server = os.getpid()
    _die_with_parent()
