"""The webhooks service."""

from collections.abc import Iterable
from datetime import time
from typing import Any

from threepeat.sdk import (
    CollectionOf,
    Context,
    Invariant,
    Manifest,
    Metric,
    Outbound,
    Plugin,
    Reaction,
    Schedule,
    Timer,
    _,
    hookimpl,
    outbound,
    schedule,
    timer,
    when_any,
)
from threepeat.sdk.events import Event
from threepeat_webhooks import delivering, endpoints, reactions, resends, tidying
from threepeat_webhooks.deliveries import DELIVERIES
from threepeat_webhooks.endpoints import ENDPOINTS
from threepeat_webhooks.events import EndpointDisabled, Tested
from threepeat_webhooks.metrics import METRICS
from threepeat_webhooks.resends import RESENDS
from threepeat_webhooks.settings import WebhooksSettings


class Webhooks(Plugin[WebhooksSettings]):
    """Tells the merchant's own servers what happens in the store."""

    manifest = Manifest(
        id="webhooks",
        kind="service",
        title=_("Webhooks"),
        summary=_("Tells your own servers what happens in the store, signed and until it has arrived."),
        holdout="none",
    )
    settings_model = WebhooksSettings

    @hookimpl
    def events(self) -> Iterable[type[Event]]:
        """Test events, and that an endpoint was disabled."""
        yield Tested
        yield EndpointDisabled

    @hookimpl
    def reactions(self) -> Iterable[Reaction]:
        """Whatever any endpoint is told of, also of members whom tactics leave out."""
        yield when_any(reactions.deliver, wanted=reactions.wanted, always=True)

    @hookimpl
    def outbounds(self) -> Iterable[Outbound]:
        """One attempt after the other."""
        yield outbound(
            delivering.CALL,
            prepare=delivering.prepare,
            perform=delivering.perform,
            done=delivering.done,
            failed=delivering.failed,
        )

    @hookimpl
    def timers(self) -> Iterable[Timer]:
        """The end of old secrets, what is sent again in parts, and sweeping that takes longer."""
        yield timer(endpoints.RETIRE, endpoints.retire)
        yield timer(resends.TIMER, resends.go_on)
        yield timer(tidying.SWEEP, tidying.go_on)

    @hookimpl
    def schedules(self) -> Iterable[Schedule]:
        """Old deliveries go at night."""
        yield schedule("nightly", tidying.nightly, at=time(4), always=True)

    @hookimpl
    def collections(self) -> Iterable[CollectionOf[Any]]:
        """Endpoints, what was sent to them, and what is sent again."""
        yield ENDPOINTS
        yield DELIVERIES
        yield RESENDS

    @hookimpl
    def metrics(self) -> Iterable[Metric]:
        """Whether it arrives."""
        return METRICS

    @hookimpl
    def invariants(self) -> Iterable[Invariant]:
        """Deliveries fit their endpoints, their events and their calls."""
        yield Invariant("endpoints", "Every delivery goes to an endpoint that is there.", "verify_endpoints")
        yield Invariant("events", "Every delivery is of an event in the log.", "verify_events")
        yield Invariant("waiting", "What waits to be sent has its next attempt.", "verify_waiting")
        yield Invariant("arrived", "What arrived was answered with success, what failed not.", "verify_arrived")
        yield Invariant("resends", "What is being sent again goes on.", "verify_resends")

    @hookimpl
    def on_disabled(self, ctx: Context[Any]) -> None:
        """Nothing goes out any more; what waits is stopped, and can be sent again later."""
        ctx.sql("stop", endpoint=None)

    @hookimpl
    def merge_members(self, ctx: Context[Any], source: int, target: int) -> None:
        """One person's deliveries."""
        ctx.sql("merge", source=source, target=target)


plugin = Webhooks()
