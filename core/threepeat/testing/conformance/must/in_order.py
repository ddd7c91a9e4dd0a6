"""A member's events have the same effect whoever else's events stand between them."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql

from threepeat.sdk.events import Sender
from threepeat.testing.conformance.bench import Bench, NotApplicable, Stand
from threepeat.testing.conformance.states import differences, noise

TITLE = "Each member's events are handled in their order, whoever else is in the same batch."
FIX = (
    "Expect many members in the list that a handler gets, in any order, and several events of each: gather by"
    " event.member in a dictionary before adding up, and take nothing that is meant for all from the first one."
)
MEMBERS = ("ann", "bob", "eve")
ROUNDS = ("first", "second")


def check(bench: Bench) -> Iterator[str]:
    """Send the same events member by member, and all of them shuffled together in one batch."""
    if not bench.installed.reactions:
        raise NotApplicable("it reacts to no event")
    apart, twin, together = bench.store(), bench.store(), bench.store()
    _shift(twin)  # so that columns which hold a position are known to differ
    for stand in (apart, twin):
        for member in MEMBERS:
            _send(stand, [_events(stand, member)])
    _send(together, [_events(together, member) for member in MEMBERS])
    wanted = apart.state()
    ignored = noise(wanted, twin.state())
    for one in differences(wanted, together.state(), ignored):
        yield f"with the events of several members mixed in one batch: {one}"


def _shift(stand: Stand) -> None:
    """Let the log go on from another place, as if much had happened before."""
    with psycopg.connect(stand.bench.admin_url) as admin:
        for table, column in (("stream", "head"), ("cursor", "position")):
            admin.execute(
                sql.SQL("UPDATE core.{table} SET {column} = {column} + 1000 WHERE tenant_id = {tenant}").format(
                    table=sql.Identifier(table), column=sql.Identifier(column), tenant=stand.tenant.id
                )
            )


def _events(stand: Stand, member: str) -> list[dict[str, Any]]:
    """Everything happens to a member twice, about two things."""
    return [
        stand.event(event, who, about=f"{word}-{who}", key=f"{word}-{who}-{number}", **data)
        for word in ROUNDS
        for number, (event, who, data) in enumerate(stand.story(member))
        if Sender.SERVER in event.senders
    ]


def _send(stand: Stand, lives: Sequence[Sequence[dict[str, Any]]]) -> None:
    """One batch: the first event of each, then the second of each in turn the other way round."""
    batch = []
    for number, row in enumerate(zip(*lives, strict=True)):
        batch += row if number % 2 else row[::-1]
    stand.send(*batch)
    stand.drain()
