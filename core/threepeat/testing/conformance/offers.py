"""What a plugin has handed to a member, wherever core can see it; and one that says whatever it is told to."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy import text

from threepeat.events.platform import Platform
from threepeat.testing.conformance.bench import Bench, Stand

REWARDS = text("""
    SELECT DISTINCT kind FROM core.reward WHERE tenant_id = :tenant AND plugin = :plugin AND member_id = :member
""")
EVENTS = text("""
    SELECT DISTINCT type FROM core.event
    WHERE tenant_id = :tenant AND source = 'plugin:' || :plugin AND member_id = :member
""")


def handed(stand: Stand, name: str) -> Iterator[str]:
    """What a member got: rewards, events that say so, and a balance of what the plugin keeps."""
    plugin, member = stand.bench.installed, stand.member(name)
    with stand.scope() as scope:
        for row in scope.run(REWARDS, plugin=plugin.id, member=member):
            yield f"a reward of the kind {row.kind}"
        for row in scope.run(EVENTS, plugin=plugin.id, member=member):
            yield f"the event {row.type}"
        context = stand.context(scope)
        for kind, reward in plugin.rewards.items():
            if reward.balance(context, [member]).get(member):
                yield f"a balance of {kind}"


def owing(bench: Bench, obligations: Sequence[str]) -> Platform:
    """A platform on which the plugin says that it owes something, or nothing, whatever the truth is."""
    installed = bench.installed
    plugin = copy.copy(installed.plugin)
    plugin.open_obligations = lambda ctx: obligations  # type: ignore[method-assign]  # noqa: ARG005
    return bench.altered(replace(installed, plugin=plugin))
