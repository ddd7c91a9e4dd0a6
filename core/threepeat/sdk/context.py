"""The one thing that a handler, a route or an acting hook is given besides its input."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Row
from sqlalchemy.orm import Session
from structlog.typing import FilteringBoundLogger

from threepeat.sdk.events import Event
from threepeat.sdk.orders import Orders
from threepeat.sdk.settings import PluginSettings

S_co = TypeVar("S_co", bound=PluginSettings, covariant=True)


@dataclass(frozen=True, slots=True)
class Store:
    """The tenant, as plugins see it.

    Attributes:
        id: Core's id of the tenant.
        slug: Its short name in addresses and logs.
        name: Its name for people.
        currency: ISO 4217 code of all its money.
        minor_units: Minor units in one whole unit of that currency (100 for CNY, 1 for JPY).
        timezone: Where its days begin.
    """

    id: int
    slug: str
    name: str
    currency: str
    minor_units: int
    timezone: ZoneInfo


class Sql(Protocol):
    """Runs a statement of the plugin's `sql/` folder by name."""

    def __call__(self, name: str, /, **binds: object) -> Sequence[Row[Any]]:
        """Run `sql/{name}.sql`.

        `:tenant` is bound already. Lists become arrays; cast them in SQL (`:members::bigint[]`). Besides its
        own tables a statement may read `core.event` (tenant_id, position, type, member_id, occurred_at, data).

        Returns:
            The rows, or an empty sequence for a statement that returns none.

        Raises:
            LookupError: There is no such file.
        """
        ...


class Context(Protocol[S_co]):
    """Everything belongs to one tenant and one transaction; core commits it."""

    @property
    def tenant(self) -> Store:
        """The store."""
        ...

    @property
    def member(self) -> int:
        """The member who calls a route.

        Raises:
            LookupError: No member calls: this is a reaction or a hook.
        """
        ...

    @property
    def settings(self) -> S_co:
        """The merchant's settings of this plugin."""
        ...

    @property
    def db(self) -> Session:
        """An ORM session that sees this tenant only. Committing, rolling back and ad-hoc text are refused."""
        ...

    @property
    def sql(self) -> Sql:
        """The plugin's own statements, for whole batches."""
        ...

    @property
    def now(self) -> datetime:
        """The transaction's time in UTC, the same at every reading."""
        ...

    @property
    def log(self) -> FilteringBoundLogger:
        """A logger that knows tenant and plugin."""
        ...

    @property
    def orders(self) -> Orders:
        """What members have bought.

        Raises:
            LookupError: No service provides it; name `orders` in `requires`.
        """
        ...

    def takes_part(self, member: int) -> bool:
        """Whether a tactic may hand this member something: not in the comparison group, not suspended."""
        ...

    def emit(self, event: Event, *, member: int | None, cause: Event | None = None) -> None:
        """Send an event of one of this plugin's own classes.

        It enters the log after this transaction commits, and vanishes if it does not.

        Args:
            event: What happened.
            member: Whom it is about.
            cause: The event that a reaction answers; it gives the new one its id and its time.

        Raises:
            PluginError: The plugin does not declare the class in `events`, or a chain of events that
                cause events has become too long.
        """
        ...
