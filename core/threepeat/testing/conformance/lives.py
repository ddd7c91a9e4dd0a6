"""A member's life in a store, a canary in every text that anybody could write about them."""

import psycopg

from threepeat.sdk.events import Sender
from threepeat.testing.canaries import WORD, Canaries, event_data
from threepeat.testing.conformance import phone
from threepeat.testing.conformance.bench import Bench, Stand

NAME = f"{WORD}-ann"
"""Whose life it is; all texts of the plain events hold it, too."""
PLANTED = f"{WORD}-bob"
"""Somebody to whom nothing happens, for rows that are planted."""

FAR = 10**12
"""So far apart are the numbers of members: none is found by chance in an amount or an instant."""


def far_away(bench: Bench) -> Stand:
    """A store whose members have numbers that nothing else has."""
    with psycopg.connect(bench.admin_url) as admin:
        admin.execute("SELECT setval('core.member_id', (SELECT last_value FROM core.member_id) + %s)", (FAR,))
    return bench.store()


def live(stand: Stand, canaries: Canaries) -> None:
    """Let everything happen to the member that the plugin reacts to, plainly and with every field filled."""
    stand.member(NAME)
    stand.live(NAME)
    phone.command(stand, [NAME], word=canaries("a command"))
    for event in stand.bench_events():
        if Sender.SERVER in event.senders:
            filled = event_data(event, canaries, stand.tenant.store.currency)
            stand.send(stand.event(event, NAME, **filled))
    stand.drain()
