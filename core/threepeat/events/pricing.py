"""Asks the price rules of a store's plugins, stage by stage, and tells them what became of a quote."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec
import structlog

from threepeat.database.redact import brief
from threepeat.plugins import Installed
from threepeat.plugins.translations import by_language
from threepeat.sdk.errors import PluginError, Refused
from threepeat.sdk.events import MAX_AMOUNT
from threepeat.sdk.pricing import (
    MAX_REDUCTIONS,
    Applied,
    Asked,
    Basket,
    Declined,
    Hold,
    HoldHandler,
    LeftOut,
    PriceRule,
    Quote,
    Reduction,
    Returned,
    Why,
    spread,
)
from threepeat.tenancy.switches import SwitchState

if TYPE_CHECKING:
    from threepeat.events.context import PluginContext
    from threepeat.events.opened import OpenTenant

BUDGET_MS = 2000
"""How long one statement of a rule may run; the transaction's own limit stays if it is shorter."""

MAX_DATA = 4096
MAX_KEY = 200

logger = structlog.get_logger(__name__)


class OverpricedError(ValueError):
    """A basket comes to more than money can be counted here."""


class _Undo(Exception):  # noqa: N818 - it ends a savepoint that went well
    """Asking is over, and is undone."""


class _FailedError(Exception):
    """A rule failed; the cause says why."""

    def __init__(self, plugin: Installed, rule: PriceRule) -> None:
        super().__init__(f"{plugin.id}.{rule.name}")
        self.plugin = plugin
        self.rule = rule


@dataclass(frozen=True, slots=True)
class _Bid:
    """A reduction and whose it is."""

    plugin: Installed
    rule: PriceRule
    reduction: Reduction
    worth: int = 0

    @property
    def order(self) -> tuple[int, str, str, str]:
        """The largest first; who says it decides nothing else than a tie."""
        return -self.worth, self.plugin.id, self.rule.name, self.reduction.key

    def beside(self, other: "_Bid") -> bool:
        """Whether the two may count together."""
        mine, its = self.reduction, other.reduction
        if mine.idle or its.idle:
            return True
        return (mine.stacks_with is None or its.group in mine.stacks_with) and (
            its.stacks_with is None or mine.group in its.stacks_with
        )


class Prices:
    """Implements `threepeat.sdk.Pricing` for one context."""

    def __init__(self, opened: "OpenTenant", asker: "PluginContext") -> None:
        self._opened = opened
        self._asker = asker

    def quote(self, member: int | None, basket: Basket, *, most_percent: int = 100) -> Quote:
        """Ask all rules, in a savepoint in which nothing can be written and which is undone at the end.

        A rule that fails ends the attempt, and the next one goes without it.

        Raises:
            OverpricedError: Lines and delivery come to more than `MAX_AMOUNT`.
            PluginError: Two lines have the same id.
        """
        if basket.amount + basket.shipping > MAX_AMOUNT:
            raise OverpricedError(f"the basket comes to more than {MAX_AMOUNT}")
        if len({line.id for line in basket.lines}) < len(basket.lines):
            raise PluginError("two lines of the basket have the same id")
        failed: set[tuple[str, str]] = set()
        rules = self._rules(member)
        while True:
            course = _Course(basket, basket.amount * most_percent // 100)
            try:
                with self._asker.undoable():
                    self._opened.scope.confine(BUDGET_MS)
                    self._ask(rules, Asked(member, basket, course.left, basket.shipping, None), course, failed)
                    raise _Undo
            except _Undo:
                return Quote(basket=basket, applied=tuple(course.applied), left_out=tuple(course.left_out))
            except _FailedError as error:
                self._note(error)
                failed.add((error.plugin.id, error.rule.name))

    def _ask(
        self,
        rules: Sequence[tuple[Installed, PriceRule]],
        asked: Asked,
        course: "_Course",
        failed: Collection[tuple[str, str]],
    ) -> None:
        for _stage, group in groupby(rules, key=lambda one: one[1].stage):
            begin = replace(asked, standing=dict(course.left), shipping=course.shipping)
            bids: list[_Bid] = []
            for plugin, rule in group:
                if (plugin.id, rule.name) in failed:
                    course.leave_out(plugin, rule, "", plugin.manifest.title, "failed")
                else:
                    bids += self._bids(plugin, rule, begin, course)
            course.settle(bids)

    def _note(self, error: "_FailedError") -> None:
        """Write down why a rule is left out; whoever lost the connection or the tenant is let through.

        Raises:
            BrokenTurnError: The plugin has ended the transaction.
            DBAPIError: The connection is lost.
        """
        cause = error.__cause__
        assert cause is not None  # noqa: S101 - it is raised from one
        if self._opened.scope.connection.invalidated:
            raise cause
        self._opened.scope.require_tenant()
        reason = str(cause) if isinstance(cause, PluginError) else brief(cause)
        store = self._opened.tenant.store.slug
        logger.error(
            "price rule failed", tenant=store, plugin=error.plugin.id, rule=error.rule.name, reason=reason
        )

    def reserve(self, holds: Sequence[Hold]) -> None:
        """Hold all or nothing."""
        with self._asker.undoable():
            for plugin, rule, hold in self._held(holds):
                if not self._speaks(plugin, rule):
                    raise Refused(f"{plugin.manifest.title} is not on any more", code="not-offered")
                if rule.reserve is not None:
                    rule.reserve(self._asker.peer(plugin), hold)

    def confirm(self, holds: Sequence[Hold]) -> None:
        """Say that the order was paid."""
        self._tell(holds, lambda rule: rule.confirm)

    def release(self, holds: Sequence[Hold]) -> None:
        """Say that the order will not be paid."""
        self._tell(holds, lambda rule: rule.release)

    def returned(self, returns: Sequence[Returned]) -> None:
        """Say what came back of an order."""
        by_hold = {_place(one.hold): one for one in returns}
        with self._asker.undoable():
            for plugin, rule, hold in self._held([one.hold for one in returns]):
                if rule.returned is not None:
                    rule.returned(self._asker.peer(plugin), by_hold[_place(hold)])

    def _tell(self, holds: Sequence[Hold], which: Callable[[PriceRule], HoldHandler | None]) -> None:
        with self._asker.undoable():
            for plugin, rule, hold in self._held(holds):
                handler = which(rule)
                if handler is not None:
                    handler(self._asker.peer(plugin), hold)

    def _held(self, holds: Iterable[Hold]) -> Iterator[tuple[Installed, PriceRule, Hold]]:
        """Whose each hold is, always in the same order, so that nobody waits in a circle.

        Raises:
            PluginError: The plugin is not there any more, or quarantined; a letter waits until it is back.
        """
        registry = self._opened.platform.registry
        for hold in sorted(holds, key=_place):
            if hold.plugin not in registry or hold.rule not in registry[hold.plugin].price_rules:
                raise PluginError(f"{hold.plugin!r} holds {hold.rule!r} for an order and is not there")
            plugin = registry[hold.plugin]
            yield plugin, plugin.price_rules[hold.rule], hold

    def _rules(self, member: int | None) -> list[tuple[Installed, PriceRule]]:
        """The rules that have a say for a member, by stage."""
        opened = self._opened
        found = [
            (plugin, rule)
            for plugin in opened.platform.registry
            if plugin.price_rules and opened.state(plugin.id) is not SwitchState.OFF
            if plugin.manifest.kind == "service" or (member is not None and opened.gate(plugin.id)(member))
            for rule in plugin.price_rules.values()
            if self._speaks(plugin, rule)
        ]
        return sorted(found, key=lambda one: one[1].stage)

    def _speaks(self, plugin: Installed, rule: PriceRule) -> bool:
        """Whether a rule is asked as its plugin stands in the store."""
        state = self._opened.state(plugin.id)
        return state is SwitchState.ENABLED or (rule.always and state is SwitchState.CLOSING)

    def _bids(self, plugin: Installed, rule: PriceRule, asked: Asked, course: "_Course") -> Iterator[_Bid]:
        """What a rule says.

        Raises:
            _FailedError: It fails, or says what cannot be counted with.
        """
        choice = asked.basket.choices.get(plugin.id)
        try:
            said = list(rule.quote(self._asker.peer(plugin), replace(asked, choice=choice)))
            for one in said:
                _check(one, asked)
            if len({one.key for one in said}) < len(said) or len(said) > MAX_REDUCTIONS:
                raise PluginError(f"at most {MAX_REDUCTIONS} reductions, each under a key of its own")
            self._opened.scope.require_tenant()  # it fails, too, if the rule has swallowed an SQL error
        except Exception as error:
            raise _FailedError(plugin, rule) from error
        for one in said:
            if isinstance(one, Declined):
                course.leave_out(plugin, rule, one.key, one.title, "declined", one.reason)
            else:
                worth = min(one.amount, sum(asked.standing[line] for line in _lines(one, asked.standing)))
                yield _Bid(plugin, rule, one, worth + min(one.shipping, asked.shipping))


class _Course:
    """A quote while it is made.

    Attributes:
        left: What each line comes to by now.
        room: What may still be taken off the goods in all.
    """

    def __init__(self, basket: Basket, room: int) -> None:
        self.left = {line.id: line.amount for line in basket.lines}
        self.shipping, self.room = basket.shipping, room
        self.applied: list[Applied] = []
        self.left_out: list[LeftOut] = []
        self._standing: list[_Bid] = []

    def settle(self, bids: Iterable[_Bid]) -> None:
        """Let the bids of a stage count, the largest first."""
        for bid in sorted(bids, key=lambda one: one.order):
            why = self._against(bid)
            if why is None and not self._apply(bid):
                why = "nothing-left"
            if why is not None:
                self.leave_out(bid.plugin, bid.rule, bid.reduction.key, bid.reduction.title, why)

    def _against(self, bid: _Bid) -> Why | None:
        group = bid.reduction.group
        if group and any(one.reduction.group == group for one in self._standing):
            return "group"
        if not all(bid.beside(one) for one in self._standing):
            return "stacking"
        return None

    def _apply(self, bid: _Bid) -> bool:
        one = bid.reduction
        lines = _lines(one, self.left)
        amount = min(one.amount, self.room, sum(self.left[line] for line in lines))
        shipping = min(one.shipping, self.shipping)
        if not (amount or shipping or one.gifts or one.reserves):
            return False
        shares = {
            line: share
            for line, share in spread(amount, {line: self.left[line] for line in lines}).items()
            if share
        }
        for line, share in shares.items():
            self.left[line] -= share
        self.room -= amount
        self.shipping -= shipping
        self._standing.append(bid)
        self.applied.append(
            Applied(
                plugin=bid.plugin.id,
                rule=bid.rule.name,
                key=one.key,
                title=by_language(bid.plugin, one.title),
                amount=amount,
                shares=shares,
                shipping=shipping,
                gifts=tuple(one.gifts),
                held=bid.rule.reserve is not None,
                data=dict(one.data or {}),
            )
        )
        return True

    def leave_out(
        self, plugin: Installed, rule: PriceRule, key: str, title: str, why: Why, reason: str = ""
    ) -> None:
        """Note what does not count."""
        self.left_out.append(
            LeftOut(
                plugin=plugin.id,
                rule=rule.name,
                key=key,
                title=by_language(plugin, title),
                why=why,
                reason=by_language(plugin, reason) if reason else {},
            )
        )


def _lines(one: Reduction, known: Mapping[str, int]) -> Collection[str]:
    return known.keys() if one.lines is None else [line for line in known if line in one.lines]


def _place(hold: Hold) -> tuple[str, str, str, str]:
    """What names a hold, and where it stands in the order of all."""
    return hold.plugin, hold.rule, hold.key, hold.reservation


def _check(one: Reduction | Declined, asked: Asked) -> None:
    """See that what a rule says can be counted with.

    Raises:
        PluginError: It cannot.
    """
    if not isinstance(one, Reduction | Declined):
        raise PluginError(f"a price rule must say Reduction or Declined, not {one!r}")
    if len(one.key) > MAX_KEY or "\0" in one.key:
        raise PluginError(f"a key must be at most {MAX_KEY} characters, without NUL")
    if isinstance(one, Declined):
        return
    for name, value in (("amount", one.amount), ("shipping", one.shipping)):
        if type(value) is not int or not 0 <= value <= MAX_AMOUNT:
            raise PluginError(f"{name}={value!r} must be a whole number of minor units from 0 on")
    if one.lines is not None and not asked.standing.keys() >= set(one.lines):
        raise PluginError("it names a line that is not in the basket")
    try:
        raw = msgspec.json.encode(one.data or {})
    except (TypeError, ValueError) as error:
        raise PluginError(f"data must be JSON values: {error}") from None
    if len(raw) > MAX_DATA:
        raise PluginError(f"data may have {MAX_DATA} bytes")
