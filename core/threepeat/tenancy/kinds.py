"""The kinds of reward that a store has: what a tactic in it may give."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

from threepeat.plugins import Registry
from threepeat.sdk.rewards import Reward, RewardChoice
from threepeat.tenancy.errors import Fault, Invalid
from threepeat.tenancy.walking import Path, find


def offered(registry: Registry, enabled: Collection[str], plugin_id: str) -> dict[str, Reward]:
    """The kinds that a plugin may give in a store, by kind: its own, and those of the plugins that are on.

    Args:
        enabled: Ids of the plugins that are on in the store; one that is closing takes nothing new.
        plugin_id: Who gives.
    """
    return {
        kind: reward
        for plugin in registry
        if plugin.id == plugin_id or plugin.id in enabled
        for kind, reward in plugin.rewards.items()
    }


def require_offered(value: object, kinds: Mapping[str, Reward], path: Path = ()) -> None:
    """Check every choice of a reward that was given anywhere in settings or a record.

    Raises:
        Invalid: Nobody keeps the kind in this store, or which one of several is not said; the field is its path.
    """
    found = list(faults(value, kinds, path))
    if found:
        raise Invalid.every(found)


def faults(value: object, kinds: Mapping[str, Reward], path: Path = ()) -> Iterator[Fault]:
    """What `require_offered` refuses."""
    for where, choice in find(RewardChoice, value, path):
        if choice.kind not in kinds:
            near = get_close_matches(choice.kind, kinds, 1)
            hint = f", did you mean {near[0]!r}?" if near else f": choose one of {', '.join(sorted(kinds))}"
            reason = f"this store has no reward {choice.kind!r}{hint if kinds else ''}"
            yield Fault(".".join(map(str, (*where, "kind"))), reason)
        elif bool(choice.item) is not (kinds[choice.kind].items is not None):
            reason = "there is only one of this kind" if choice.item else "say which one"
            yield Fault(".".join(map(str, (*where, "item"))), reason)
