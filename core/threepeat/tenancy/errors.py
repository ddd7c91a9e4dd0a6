"""Answers that a person or a program at the other end can act on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class TenancyError(Exception):
    """Base of the refusals of this package."""


class NotFound(TenancyError):  # noqa: N818 - an answer, not a programming error
    """What was asked for is not there, or not this tenant's."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One field that is not acceptable.

    Attributes:
        field: Its name as the caller wrote it.
        reason: What to change, in one sentence.
        kind: Pydantic's type of the error, such as `greater_than`; empty if core found it.
        context: What the reason names, such as the limit, by pydantic's names.
    """

    field: str
    reason: str
    kind: str = ""
    context: Mapping[str, Any] | None = None


class Invalid(TenancyError):  # noqa: N818 - an answer, not a programming error
    """A field is not acceptable.

    Args:
        field: Its name as the caller wrote it.
        reason: What to change, in one sentence.
        errors: Everything that was found, this field first; only this field if nothing is given.
    """

    def __init__(self, field: str, reason: str, errors: Sequence[Fault] = ()) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self.errors = tuple(errors) or (Fault(field, reason),)

    @classmethod
    def every(cls, errors: Sequence[Fault]) -> "Invalid":
        """All that was found, at least one; the first stands for them where only one is told."""
        return cls(errors[0].field, errors[0].reason, errors)


class Stale(TenancyError):  # noqa: N818 - an answer, not a programming error
    """Somebody else saved in between; read again and repeat."""


class Conflict(TenancyError):  # noqa: N818 - an answer, not a programming error
    """It cannot be done as things stand.

    Args:
        code: A short stable identifier, such as `identity-taken`.
        reason: One sentence for people, with what to do.
        more: What a program needs to go on, by name.
    """

    def __init__(self, code: str, reason: str, **more: str) -> None:
        super().__init__(reason)
        self.code = code
        self.more = more


class CapReached(TenancyError):  # noqa: N818 - an answer, not a programming error
    """All slots for tactics are taken.

    Args:
        cap: How many tactics the plan allows at a time.
        enabled: Ids of the tactics that are on, any of which may be replaced.
    """

    def __init__(self, cap: int, enabled: list[str]) -> None:
        super().__init__(
            f"{cap} tactics are the most that may be on, and {', '.join(enabled) or 'none'} "
            f"{'is' if len(enabled) == 1 else 'are'}: name one of them in `replace` to swap"
        )
        self.cap = cap
        self.enabled = enabled


class NotAllowed(TenancyError):  # noqa: N818 - an answer, not a programming error
    """The operator does not allow this plugin to this tenant, or it is quarantined."""
