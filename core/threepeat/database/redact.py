"""What a log may say of an error: what kind it is and where, never its message.

Messages quote what they are about. A constraint's detail, a cast that fails, a plugin's own `ValueError`: each
may hold a name, a phone number or an order, and a log outlives an erasure.
"""

from pathlib import PurePath
from traceback import walk_tb

from sqlalchemy.exc import StatementError

LIBRARIES = frozenset({"sqlalchemy", "psycopg", "psycopg_pool"})
PLUMBING = frozenset({"engine.py", "guard.py", "sealed.py", "sqlfiles.py"})
"""Files of this folder that run other people's statements."""

MOST_FRAMES = 12


def brief(error: BaseException) -> str:
    """An error in one line: its type, the SQLSTATE if there is one, and the line that raised it.

    A line inside the database driver, or of what leads there, tells nothing: the innermost one before it counts.

    Example:
        `IntegrityError 23505 at threepeat_points/reactions.py:41`
    """
    name = type(error).__name__
    cause = error.orig if isinstance(error, StatementError) and error.orig is not None else error
    state = getattr(cause, "sqlstate", None)
    parts = [name, *([str(state)] if state else [])]
    places = trail(error)
    return " ".join(parts) + (f" at {places[-1]}" if places else "")


def trail(error: BaseException) -> list[str]:
    """The way to the line that raised an error, as `folder/file.py:line`, the innermost last."""
    frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    ours = [found for found in frames if not _passes_on(found[0])] or frames
    return [f"{'/'.join(PurePath(file).parts[-2:])}:{line}" for file, line in ours[-MOST_FRAMES:]]


def _passes_on(file: str) -> bool:
    parts = PurePath(file).parts
    return not LIBRARIES.isdisjoint(parts) or (parts[-2:-1] == ("database",) and parts[-1] in PLUMBING)
