"""`threepeat member find|show|timeline|adjust|merge|exempt|suspend|reinstate`: members, from a terminal."""

import secrets
from datetime import datetime
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from threepeat.events import adjusting, merging, profiles, roster, timeline
from threepeat.events.merging import Merged
from threepeat.events.timeline import Entry, Given, Happened
from threepeat.tenancy import identities, members
from threepeat.tenancy.errors import Invalid
from threepeat.tenancy.members import Suspension
from threepeat_tenants.opening import BY, Slug, inside

console = Console(markup=False)

Member = Annotated[str, typer.Argument(metavar="MEMBER", help="The shop's own id of the member.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `threepeat member`."""
    app.command("find")(find)
    app.command("show")(show)
    app.command("timeline")(show_timeline)
    app.command("adjust")(adjust)
    app.command("merge")(merge)
    app.command("exempt")(exempt)
    app.command("suspend")(suspend)
    app.command("reinstate")(reinstate)


def find(
    slug: Slug,
    wanted: Annotated[
        str | None,
        typer.Argument(
            help="A shop id or its beginning, an openid, a unionid or a phone; the newest if left out."
        ),
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=roster.MAX_PAGE, help="At most so many.")] = 20,
) -> None:
    """List the newest members, or whoever is searched for."""
    table = Table("member", "since", "last event", "when", "")
    with inside(slug) as (platform, _, scope):
        found = (
            roster.newest(scope, limit=most).members
            if wanted is None
            else roster.search(scope, platform.keyring, wanted, limit=most)
        )
    for one in found:
        notes = " ".join(note for note, on in (("suspended", one.suspended), ("exempt", one.exempt)) if on)
        when = f"{one.last_at:%Y-%m-%d %H:%M}" if one.last_at else ""
        table.add_row(one.external_id, f"{one.created_at:%Y-%m-%d}", one.last_type, when, notes)
    console.print(table)


def show(slug: Slug, member: Member) -> None:
    """Show what is known of a member: identities, places in tactics, balances and facts."""
    with inside(slug) as (platform, tenant, scope):
        found = members.get(scope, member)
        led = identities.of_member(scope, found.id)
        profile = profiles.read(platform.inside(scope, tenant), found.id)
    table = Table(found.external_id, f"since {found.created_at:%Y-%m-%d}")
    for one in led:
        table.add_row(one.kind, one.value or "kept as a hash")
    if found.suspended_until:
        table.add_row("suspended", f"until {found.suspended_until:%Y-%m-%d %H:%M} {found.suspended_reason or ''}")
    for place in profile.places:
        table.add_row(place.plugin, f"{place.standing}{', closing' if place.state == 'closing' else ''}")
    for balance in profile.balances:
        table.add_row(balance.reward.kind, "?" if balance.amount is None else f"{balance.amount:,}")
    for known in profile.facts:
        table.add_row(known.fact.name, "" if known.value is None else str(known.value))
    console.print(table)
    for plugin in profile.failed:
        typer.echo(f"{plugin} could not tell what it knows; the log says why", err=True)


def show_timeline(
    slug: Slug,
    member: Member,
    most: Annotated[int, typer.Option("-n", min=1, max=timeline.MAX_PAGE, help="So many events.")] = 25,
    before: Annotated[int | None, typer.Option(min=1, help="Only events at smaller positions.")] = None,
) -> None:
    """Show what happened to a member across all tactics, newest first."""
    with inside(slug) as (platform, tenant, scope):
        found = members.find(scope, member)
        page = timeline.read(platform.inside(scope, tenant), found, before=before, limit=most)
    for one in page.entries:
        for line in _lines(one):
            typer.echo(line)
    if page.next:
        typer.echo(f"older: --before {page.next}")


def adjust(
    slug: Slug,
    member: Member,
    kind: Annotated[str, typer.Argument(metavar="REWARD", help="The kind of reward, such as points.")],
    give: Annotated[int | None, typer.Option(min=1, help="How much to give.")] = None,
    item: Annotated[
        str, typer.Option(help="Which one, for a kind of several, such as a voucher's template.")
    ] = "",
    take: Annotated[int | None, typer.Option(min=1, help="How much to take; never below zero.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the audit trail: nobody's name or number.")] = "",
) -> None:
    """Give a member a reward by hand, or take some of it."""
    if (give is None) == (take is None):
        raise typer.BadParameter("name one of --give and --take")
    amount = give if give is not None else -(take or 0)
    with inside(slug) as (platform, tenant, scope):
        done = adjusting.adjust(
            platform,
            scope,
            tenant,
            members.find(scope, member),
            kind,
            amount,
            reason,
            item=item,
            key=secrets.token_hex(16),
            by=BY,
        )
    typer.echo(f"{member} has {done.balance:,} {done.kind} now")


def merge(
    slug: Slug,
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="The shop's own id of the one who stays.")],
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The one who goes: the same person.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Make one member of two who are the same person; it cannot be undone."""
    question = f"Everything of {source} becomes {member}'s for good. Type {source} to go on"
    if not yes and typer.prompt(question) != source:
        raise Invalid("SOURCE", "that is another id; nothing was merged")
    with inside(slug) as (platform, tenant, scope):
        gone, stays = members.find(scope, source), members.find(scope, member)
        merging.merge(platform, scope, tenant, gone, stays, by=BY)
    typer.echo(f"{source} is {member} now")


def exempt(
    slug: Slug,
    member: Member,
    off: Annotated[bool, typer.Option("--off", help="Let the member in again.")] = False,
) -> None:
    """Keep a member out of every comparison group, so that every tactic always takes them."""
    with inside(slug) as (_, _, scope):
        found = members.get(scope, member)
        if found.exempt is off:
            members.change(scope, found.id, exempt=not off, by=BY)
    typer.echo(f"{member} {'may be in a comparison group again' if off else 'takes part in everything'}")


def suspend(
    slug: Slug,
    member: Member,
    until: Annotated[
        datetime,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="Until when, in the store's own time."),
    ],
    reason: Annotated[str | None, typer.Option(help="Why: nobody's name or number.")] = None,
) -> None:
    """Let tactics hand out nothing to a member for a while."""
    with inside(slug) as (_, tenant, scope):
        found = members.get(scope, member)
        ends_at = until.replace(tzinfo=tenant.store.timezone)
        if ends_at <= scope.now:
            raise Invalid("--until", "name a moment in the future")
        members.change(scope, found.id, suspension=Suspension(ends_at, reason), by=BY)
    typer.echo(f"{member} is suspended until {until:%Y-%m-%d %H:%M}")


def reinstate(slug: Slug, member: Member) -> None:
    """Lift a suspension."""
    with inside(slug) as (_, _, scope):
        found = members.get(scope, member)
        if found.suspended_until is not None:
            members.change(scope, found.id, suspension=Suspension(None), by=BY)
    typer.echo(f"{member} is not suspended")


def _lines(one: Entry) -> list[str]:
    """An entry as lines of text."""
    if isinstance(one, Happened):
        return [
            f"{one.occurred_at:%Y-%m-%d %H:%M}  {one.position:>8}  {one.type}",
            *(f"{'':28}{given.plugin}: +{given.amount} {given.kind}" for given in one.rewards),
            *(f"{'':28}{answer.type} {orjson.dumps(answer.data).decode()}" for answer in one.answers),
            *(f"{'':28}✗ {letter.plugin}: {letter.state}" for letter in one.letters),
            *(f"{'':28}… {plugin}" for plugin in one.waiting),
        ]
    if isinstance(one, Given):
        return [f"{one.at:%Y-%m-%d %H:%M}  {one.plugin}: +{one.amount} {one.kind} ({one.rule})"]
    if isinstance(one, Merged):
        return [f"{one.merged_at:%Y-%m-%d %H:%M}  merged by {one.merged_by}"]
    return [f"{one.at:%Y-%m-%d %H:%M}  {one.action} by {one.actor} {orjson.dumps(dict(one.details)).decode()}"]
