"""Answers about members across plugins: facts, audiences and multipliers."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from threepeat.events.audiences import Answered, split
from threepeat.sdk.audience import Audience
from threepeat.sdk.errors import PluginError
from threepeat.sdk.facts import AsOf, Fact
from threepeat.tenancy import facts as known
from threepeat.tenancy.switches import SwitchState

if TYPE_CHECKING:
    from threepeat.events.context import PluginContext
    from threepeat.events.opened import OpenTenant

_asking: ContextVar[tuple[str, ...]] = ContextVar("asking", default=())
"""What is being answered at the moment, outermost first: a fact may stand on another, not on itself."""


def answer(
    opened: "OpenTenant", asker: "PluginContext", names: Collection[str], members: Collection[int]
) -> Mapping[str, Mapping[int, Any]]:
    """Facts about many members, by name and member.

    A fact that cannot be known here has nobody: no plugin declares it, or its plugin is off or quarantined.
    Whoever is no member of the store, was merged into another or is being erased has no facts.

    Raises:
        PluginError: A plugin failed to answer, or answered something else than it declared.
    """
    answers = _answers(opened, asker, names, frozenset(known.present(opened.scope, members)) if names else ())
    return {name: answers[name].values if name in answers else {} for name in names}


def matching(
    opened: "OpenTenant", asker: "PluginContext", audience: Audience, members: Collection[int]
) -> frozenset[int]:
    """Those members that an audience is made for: those of whom it is known to hold.

    Raises:
        PluginError: A plugin failed to answer, or answered something else than it declared.
    """
    present = frozenset(known.present(opened.scope, members))
    names = {str(condition.fact) for _, condition in audience.conditions()}
    answers = _answers(opened, asker, sorted(names), present)
    return split(audience, answers, present, opened.scope.now).holds


def multiply(opened: "OpenTenant", asker: "PluginContext", kind: str, moments: Sequence[AsOf]) -> list[Fraction]:
    """The product of the factors that enabled plugins put on a kind of reward.

    A closing plugin makes no new offer, and to members of a plugin's comparison group it is not there: its factor
    is 1.

    Raises:
        PluginError: A plugin failed to answer, or answered something else than one factor for each moment.
    """
    product = [Fraction(1)] * len(moments)
    for plugin in opened.platform.registry:
        declared = [one for one in plugin.multipliers if one.kind == kind]
        if declared and opened.state(plugin.id) is SwitchState.ENABLED:
            gate = opened.gate(plugin.id)
            gate.load({moment.member for moment in moments})
            places = [place for place, moment in enumerate(moments) if gate(moment.member)]
            asked = [moments[place] for place in places]
            for one in declared if asked else ():
                with _blamed(f"{plugin.id}: the multiplier of {kind!r}"):
                    factors = _factors(one.answer(asker.peer(plugin), asked), len(asked))
                for place, factor in zip(places, factors, strict=True):
                    if factor.numerator != factor.denominator:  # to compare fractions takes ten times as long
                        product[place] *= factor
    return product


def _answers(
    opened: "OpenTenant", asker: "PluginContext", names: Collection[str], members: Collection[int]
) -> dict[str, Answered]:
    """What is known of the members: one call for each fact; facts that cannot be known are left out."""
    found: dict[str, Answered] = {}
    for name in dict.fromkeys(names):
        declared = opened.platform.registry.fact(name)
        if name in known.CORE:
            found[name] = _ask(known.CORE[name], opened.scope, members, "core")
        elif declared is None:
            asker.log.warning("nobody knows this fact", fact=name)
        elif opened.state(declared[0].id) is not SwitchState.OFF:
            plugin, one = declared
            found[name] = _ask(one, asker.peer(plugin), members, plugin.id)
    return found


def _ask(fact: Fact, context: Any, members: Collection[int], owner: str) -> Answered:
    with _blamed(f"{owner}: the fact {fact.name!r}"):
        values = fact.answer(context, members) if members else {}
        if not isinstance(values, Mapping):
            raise PluginError(f"answers with {type(values).__name__} instead of a mapping")
        if not values.keys() <= set(members):
            raise PluginError("tells of members that it was not asked about")
        reason = next(filter(None, map(fact.fault, values.values())), None)
        if reason is not None:
            raise PluginError(f"does not answer with a {fact.kind}: {reason}")
    defaults = dict.fromkeys(members, fact.default) if fact.default is not None else {}
    return Answered(fact, {**defaults, **values})


def _factors(given: object, wanted: int) -> Sequence[Fraction]:
    if not isinstance(given, Sequence) or len(given) != wanted:
        number = len(given) if isinstance(given, Sequence) else type(given).__name__
        raise PluginError(f"gives {number} for {wanted} moments")
    for factor in given:
        if not isinstance(factor, Fraction) or factor.numerator < 0:
            raise PluginError(f"gives {factor!r}, which is no Fraction of at least 0")
    return given


@contextmanager
def _blamed(what: str) -> Iterator[None]:
    """Name the plugin that fails to answer, for it is another one whose call fails with it."""
    asking = _asking.get()
    token = _asking.set((*asking, what))
    try:
        if what in asking:
            raise PluginError("stands on itself")
        yield
    except DBAPIError as error:
        # It stays what it is: whether trying again may help is for the caller to see.
        error.add_note(f"while it was answering: {what}")
        raise
    except Exception as error:
        reason = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        raise PluginError(f"{what}: {reason}") from error
    finally:
        _asking.reset(token)
