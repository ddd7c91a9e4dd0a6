"""The messages service."""

from collections.abc import Iterable
from typing import Any

from threepeat.sdk import (
    CollectionOf,
    Context,
    Fact,
    Invariant,
    Manifest,
    Metric,
    Plugin,
    Provided,
    Reaction,
    Route,
    Schedule,
    Timer,
    _,
    get,
    hookimpl,
    ngettext,
    post,
    provide_messages,
    timer,
    when,
)
from threepeat.sdk.events import ConsentChanged, PermissionGranted
from threepeat_messages import keeping, merging, reactions, routes, sending
from threepeat_messages.facts import FACTS
from threepeat_messages.metrics import METRICS
from threepeat_messages.settings import MessagesSettings
from threepeat_messages.taking import DELIVER, Outbox
from threepeat_messages.templates import TEMPLATES
from threepeat_messages.unsent import UNSENT


class Messages(Plugin[MessagesSettings]):
    """One hand between all tactics and the member: consent, quiet hours, one cap, and why what did not go."""

    manifest = Manifest(
        id="messages",
        kind="service",
        title=_("Messages"),
        summary=_(
            "What your tactics tell members: an inbox, quiet hours, and one limit for all of them together."
        ),
    )
    settings_model = MessagesSettings

    @hookimpl
    def provides(self) -> Iterable[Provided]:
        """Where everything that plugins say ends up."""
        yield provide_messages(Outbox)

    @hookimpl
    def reactions(self) -> Iterable[Reaction]:
        """Consents that are taken back hold at once; permissions are counted."""
        yield when(ConsentChanged, reactions.consent_changed, always=True)
        yield when(PermissionGranted, reactions.permitted, always=True)

    @hookimpl
    def timers(self) -> Iterable[Timer]:
        """What waits is looked at member by member, many members at a time."""
        yield timer(DELIVER, sending.deliver)
        yield from keeping.TIMERS

    @hookimpl
    def schedules(self) -> Iterable[Schedule]:
        """Old texts are deleted at night."""
        return keeping.SCHEDULES

    @hookimpl
    def facts(self) -> Iterable[Fact]:
        """How many messages a member has not read."""
        return FACTS

    @hookimpl
    def routes(self) -> Iterable[Route]:
        """The inbox."""
        yield get("/inbox", routes.inbox, summary=_("My messages"))
        yield get("/unread", routes.unread, summary=_("How many messages I have not read"))
        yield post("/read", routes.read, summary=_("Mark messages as read"), always=True)
        yield post("/hide", routes.hide, summary=_("Take messages out of my inbox"), always=True)

    @hookimpl
    def collections(self) -> Iterable[CollectionOf[Any]]:
        """What messages say, and what was not sent."""
        yield TEMPLATES
        yield UNSENT

    @hookimpl
    def metrics(self) -> Iterable[Metric]:
        """Whether messages are read, and what was not sent."""
        return METRICS

    @hookimpl
    def invariants(self) -> Iterable[Invariant]:
        """What members may rely on."""
        yield Invariant(
            "consent", "No marketing went to members who had taken their consent back.", "verify_consent"
        )
        yield Invariant("quiet", "No marketing went in quiet hours.", "verify_quiet")
        yield Invariant("cap", "No member got more marketing than the caps allow.", "verify_cap")
        yield Invariant("permissions", "Each one-time permission was used once at most.", "verify_permissions")
        yield Invariant("once", "Nothing was sent to a member twice.", "verify_once")
        yield Invariant("waiting", "Nothing waits for longer than a night.", "verify_waiting")

    @hookimpl
    def merge_members(self, ctx: Context[Any], source: int, target: int) -> None:
        """One person has one inbox."""
        merging.merge_members(ctx, source, target)

    @hookimpl
    def open_obligations(self, ctx: Context[Any]) -> Iterable[str]:
        """Messages that wait."""
        waiting = ctx.sql("metric_waiting")[0].messages
        if waiting:
            yield ngettext("{n} message waits to be sent", "{n} messages wait to be sent", waiting, n=waiting)


plugin = Messages()
