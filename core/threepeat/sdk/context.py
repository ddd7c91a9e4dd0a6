"""The one thing that a handler, a route or an acting hook is given besides its input."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Row
from sqlalchemy.orm import Session
from structlog.typing import FilteringBoundLogger

from threepeat.sdk.audience import Audience
from threepeat.sdk.events import Event
from threepeat.sdk.facts import AsOf
from threepeat.sdk.messages import KnownKind, Notice
from threepeat.sdk.orders import Orders
from threepeat.sdk.pricing import Pricing
from threepeat.sdk.rewards import Grant, Granted, Revocation, Spend
from threepeat.sdk.settings import PluginSettings
from threepeat.sdk.timers import Due
from threepeat.sdk.wording import Amount

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

    def money(self, minor: int) -> Amount:
        """An amount of minor units for a sentence: `_("Costs {price}", price=ctx.tenant.money(1280))`."""
        return Amount(minor, self.currency, self.minor_units)


class Sql(Protocol):
    """Runs a statement of the plugin's `sql/` folder by name."""

    def __call__(self, name: str, /, **binds: object) -> Sequence[Row[Any]]:
        """Run `sql/{name}.sql`.

        `:tenant` is bound already. Lists become arrays; cast them in SQL (`:members::bigint[]`). Besides its
        own tables a statement may read `core.event` (tenant_id, position, type, member_id, occurred_at,
        received_at, data).

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
    def closing(self) -> bool:
        """The merchant switches this plugin off: what was promised is kept, and nothing new is."""
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

    @property
    def pricing(self) -> Pricing:
        """Every price rule of the store, in one hand; for whoever keeps quotes."""
        ...

    def takes_part(self, member: int) -> bool:
        """Whether a tactic may hand this member something: not in the comparison group, not suspended."""
        ...

    def taking_part(self, members: Collection[int]) -> frozenset[int]:
        """Those of many members to whom a tactic may hand something, looked up at once."""
        ...

    def emit(self, event: Event, *, member: int | None, cause: Event | Due | str | None = None) -> None:
        """Send an event of one of this plugin's own classes.

        It enters the log after this transaction commits, and vanishes if it does not.

        Args:
            event: What happened.
            member: Whom it is about.
            cause: The event or deadline that a handler answers, or a text that is unique for ever in the plugin;
                it gives the new one its id and its time.

        Raises:
            PluginError: The plugin does not declare the class in `events`, or a chain of events that
                cause events has become too long.
        """
        ...

    def later(
        self,
        timer: str,
        key: str,
        at: datetime,
        *,
        member: int | None = None,
        payload: Mapping[str, Any] | None = None,
        cause: Event | Due | str | None = None,
    ) -> None:
        """Set a deadline; setting it again under the same key replaces it.

        Args:
            timer: One of the plugin's `timers`.
            key: What it is for; at most 200 characters.
            at: When, by the tenant's clock; in the past means as soon as possible.
            member: Whom it concerns; the deadline goes when the member is erased.
            payload: What the handler will need; JSON values.
            cause: The event or deadline that a handler answers; it carries on how long the chain is.

        Raises:
            PluginError: No such timer is declared, or the chain has become too long.
        """
        ...

    def cancel(self, timer: str, key: str) -> None:
        """Remove a deadline, if it is set."""
        ...

    def call(
        self,
        outbound: str,
        key: str,
        payload: Mapping[str, Any],
        *,
        member: int | None = None,
        at: datetime | None = None,
    ) -> None:
        """Ask for a call to the outside, made after this transaction has committed.

        Args:
            outbound: One of the plugin's `outbounds`.
            key: What it is for; asking again under the same key, before it was made, replaces the payload.
            payload: What `perform` will need; JSON values.
            member: Whom it concerns; the call is dropped when the member is erased.
            at: Not before this instant.

        Raises:
            PluginError: No such outbound is declared.
        """
        ...

    def facts(self, names: Collection[str], members: Collection[int]) -> Mapping[str, Mapping[int, Any]]:
        """Facts about many members, whoever declares them; by name, then by member.

        A fact of a plugin that is off or quarantined has nobody; a member of whom nothing is known and whose
        fact has no default is absent.
        """
        ...

    def matching(self, audience: Audience, members: Collection[int]) -> frozenset[int]:
        """Those members that an audience is made for. What cannot be known fulfils no condition."""
        ...

    def multiplier(self, kind: str, moments: Sequence[AsOf]) -> list[Fraction]:
        """The product of all factors on a kind of reward, one for each moment; 1 where nobody declares any."""
        ...

    def grant(self, kind: str, grants: Sequence[Grant]) -> list[Granted]:
        """Give a batch of rewards, charged to this tactic's monthly budget.

        Members of this tactic's comparison group and suspended members get none. The rest of the budget goes
        round in the order of the batch: what it does not cover is passed over, what comes later and fits is
        given. All of the batch's grants stand or fall together.

        Returns:
            What became of each grant, in the order of the batch.

        Raises:
            PluginError: Nobody keeps this kind, an amount is below 1, or a cause is `share.sent`: the platform
                forbids paying for shares.
        """
        ...

    def revoke(self, kind: str, revocations: Sequence[Revocation]) -> None:
        """Take back what earlier grants of this plugin gave, never more than that; unknown keys are skipped.

        The cost of what is taken back returns, in proportion, to the budget of the month of the grant.

        Raises:
            PluginError: Nobody keeps this kind, or an amount is below 1.
        """
        ...

    def balance(self, kind: str, members: Collection[int]) -> Mapping[int, int]:
        """What members have of a kind of reward, by member; whoever is absent has none."""
        ...

    def spend(self, kind: str, spends: Sequence[Spend]) -> None:
        """Let members pay with a kind of reward: all of them or none.

        Raises:
            Refused: A member has too little (the code is `not-enough`), the store does not have this kind at
                the moment (`not-offered`), or a reference stands for another payment (`reference-taken`).
            PluginError: Nobody keeps this kind, or it cannot be spent.
        """
        ...

    def message(self, kind: str, notices: Sequence[Notice]) -> None:
        """Tell members something; where the store has no message service it does nothing.

        The service takes it at the end of this call, in the same transaction and savepoint, and decides when and
        how each member reads it, or keeps it with the reason why not. The same kind, cause and member is the same
        message, for ever. Whom a tactic's comparison group holds gets no marketing of that tactic.

        Args:
            kind: One of the plugin's `message_kinds`.
            notices: What to say to whom.

        Raises:
            PluginError: No such kind is declared, or a notice does not fit it.
        """
        ...

    @property
    def message_kinds(self) -> Sequence[KnownKind]:
        """What the plugins that are on in this store say to members, for whoever brings it."""
        ...

    def consenting(self, members: Collection[int], purposes: Collection[str]) -> Mapping[int, datetime]:
        """Who agrees now to what members are asked, and since which statement of theirs.

        The latest statement about any of the purposes counts; whoever said nothing does not agree. Of the members
        whom a reaction or a deadline is about, no statement comes in between this call and the commit.
        """
        ...

    def events(self, positions: Collection[int]) -> list[Event]:
        """Events of the log once more, by position, in log order.

        Each is about the member that its own turned out to be. What is erased, is about somebody who is being
        erased, or no longer fits its class is absent.
        """
        ...

    def external_ids(self, members: Collection[int]) -> Mapping[int, str]:
        """What the shop calls members, by member; of several names the one that was linked first.

        Who was merged is called as the member that they turned out to be; who is being erased is absent.
        """
        ...

    def find_member(self, external_id: str) -> int | None:
        """The member whom the shop calls so, or None; merges and erasures of that member wait for this call."""
        ...

    def said(self, text: str) -> Mapping[str, str]:
        """A sentence of the plugin's in every language that members read, `en` and `zh`, for answers to them."""
        ...

    def seal(self, plain: str, *, place: str) -> str:
        """Encrypt a secret that the plugin stores itself; it opens in this tenant, plugin and place only."""
        ...

    def unseal(self, sealed: str, *, place: str) -> str:
        """Decrypt what `seal` made for the same place.

        Raises:
            ValueError: It was made elsewhere, or is damaged.
        """
        ...
