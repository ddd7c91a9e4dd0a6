"""Faults of the database, sorted by what a caller can do about them."""

from dataclasses import dataclass

from psycopg import Error, errors
from sqlalchemy.exc import DBAPIError

UNCHANGED = "nothing was changed; try again"
UNCERTAIN = "it may or may not have happened; send it again with the same Idempotency-Key"

UNLUCKY = (errors.DeadlockDetected, errors.SerializationFailure)
"""Two transactions met; the one that was undone may simply be run again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What a fault comes to.

    Attributes:
        reason: `statement-timeout`, `lock-timeout`, `idle-timeout`, `conflict`, `shortage` or `database` mean to
            try again; `race` and `unstorable` are the caller's to mend, `ours` is a mistake of the code.
        detail: For people.
    """

    reason: str
    detail: str = ""
    sqlstate: str = ""


SORTED: tuple[tuple[tuple[type[Error], ...], str, str], ...] = (
    ((errors.QueryCanceled,), "statement-timeout", f"the database took too long; {UNCHANGED}"),
    ((errors.LockNotAvailable,), "lock-timeout", f"somebody else is changing the same thing; {UNCHANGED}"),
    (UNLUCKY, "conflict", f"somebody else was changing the same things; {UNCHANGED}"),
    ((errors.IdleInTransactionSessionTimeout,), "idle-timeout", f"it took too long; {UNCHANGED}"),
    ((errors.DiskFull, errors.OutOfMemory, errors.TooManyConnections), "shortage", "the database is out of means"),
    ((errors.ProgramLimitExceeded, errors.StatementTooComplex), "unstorable", ""),
    ((errors.UniqueViolation, errors.ForeignKeyViolation, errors.ExclusionViolation), "race", ""),
    ((errors.ReadOnlySqlTransaction,), "database", f"the database takes no writes at the moment; {UNCHANGED}"),
    ((errors.OperationalError, errors.InterfaceError), "database", f"the database did not answer; {UNCERTAIN}"),
)


def cause(error: BaseException) -> BaseException:
    """The driver's own error."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def read(error: BaseException) -> Fault:
    """Sort a driver's error; what is not known is a mistake of the code."""
    sqlstate = getattr(error, "sqlstate", None) or ""
    for kinds, reason, detail in SORTED:
        if isinstance(error, kinds):
            return Fault(reason, detail, sqlstate)
    return Fault("ours", sqlstate=sqlstate)
