"""`threepeat plan`, `blueprint`, `audit`, `overview`, and what operators do to a `tenant`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from threepeat.tenancy import audit as trail
from threepeat.tenancy import tenants
from threepeat.tenancy.errors import Invalid
from threepeat_tenants.opening import BY, Slug, inside, opened
from threepeat_tenants.operating import blueprints, onboarding, oversight, plans, snippets, suspension
from threepeat_tenants.operating import usage as usages
from threepeat_tenants.operating.oversight import Figure

console = Console(markup=False)

plan_app = typer.Typer(help="Plans: how many tactics, which plugins, how much.", no_args_is_help=True)
blueprint_app = typer.Typer(help="What each trade begins with, and why.", no_args_is_help=True)

PlanId = Annotated[str, typer.Argument(metavar="PLAN", help="The plan's id.")]
Host = Annotated[str, typer.Option("--url", help="Where Threepeat answers, for what is to be pasted.")]


def register(app: typer.Typer, tenant_app: typer.Typer) -> None:
    """Add the commands to `threepeat`."""
    app.add_typer(plan_app, name="plan")
    app.add_typer(blueprint_app, name="blueprint")
    app.command("audit")(audit)
    app.command("overview")(overview)
    tenant_app.command("onboard")(onboard)
    tenant_app.command("suspend")(suspend)
    tenant_app.command("reactivate")(reactivate)
    tenant_app.command("usage")(usage)


def onboard(
    slug: Slug,
    name: Annotated[str, typer.Option(help="Its name for people.")],
    owner: Annotated[str, typer.Option(help="The owner's name.")],
    email: Annotated[str | None, typer.Option(help="The owner's e-mail address; or give --phone.")] = None,
    phone: Annotated[str | None, typer.Option(help="The owner's phone; or give --email.")] = None,
    blueprint: Annotated[str | None, typer.Option(help="Whose tactics to begin with.")] = None,
    plan: Annotated[str, typer.Option(help="The plan that sets its cap and limits.")] = "standard",
    currency: Annotated[str, typer.Option(help="ISO 4217 code of all its money.")] = "CNY",
    timezone: Annotated[str, typer.Option(help="Where its days begin.")] = "Asia/Shanghai",
    url: Host = "http://localhost:8000",
) -> None:
    """Open a store with tactics, an ingest key and its owner's link; the last two are shown once."""
    with opened() as platform:
        made = onboarding.onboard(
            platform,
            slug=slug,
            name=name,
            blueprint=blueprint,
            plan=plan,
            currency=currency,
            timezone=timezone,
            owner_name=owner,
            owner_email=email,
            owner_phone=phone,
            by=BY,
        )
    typer.echo(f"{slug} stands. On: {', '.join(made.tactics) or 'no tactic'}.")
    for note in made.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"The owner's link, good for 48 hours and once:\n{url.rstrip('/')}/welcome/{made.owner_link}")
    typer.echo(f"The ingest key, shown this once:\n{made.ingest_key}")
    typer.echo("Send a first event with:")
    typer.echo(snippets.snippets(url, made.ingest_key, currency)["curl"])


def suspend(slug: Slug, reason: Annotated[str, typer.Option(help="Why, for the merchant.")]) -> None:
    """Refuse a store's keys, tokens and consoles from now on; what it owes its members goes on."""
    with opened() as platform, platform.database.ops.begin() as ops:
        suspension.suspend(ops, tenants.by_slug(ops, slug), reason, by=BY)
    typer.echo(f"{slug} is suspended")


def reactivate(slug: Slug) -> None:
    """Let a suspended store go on."""
    with opened() as platform, platform.database.ops.begin() as ops:
        suspension.reactivate(ops, tenants.by_slug(ops, slug), by=BY)
    typer.echo(f"{slug} goes on")


def usage(
    slug: Annotated[str | None, typer.Argument(metavar="TENANT", help="This store only.")] = None,
    month: Annotated[str | None, typer.Option(help="Such as 2026-11; the present one if left out.")] = None,
    to: Annotated[Path | None, typer.Option(help="Write it as CSV into this file.")] = None,
) -> None:
    """Say what stores used in a month."""
    wanted = usages.read_month(month) if month else datetime.now(UTC).date().replace(day=1)
    with opened() as platform:
        if slug is not None:
            with platform.database.directory() as connection:
                tenants.by_slug(connection, slug)
        if to is not None:
            with to.open("w", encoding="utf-8", newline="") as file:
                file.writelines(usages.write_csv(platform.database.ops, wanted, store=slug))
            typer.echo(f"{to}: {to.stat().st_size:,} bytes")
            return
        table = Table("tenant", "plan", "events", "members", "new", "tactics on", "rewards cost")
        after: str | None = None
        while True:
            with platform.database.ops.begin() as ops:
                page = usages.usage(ops, wanted, after=after, store=slug, limit=usages.MAX_PAGE)
            for one in page:
                numbers = (str(one.events), str(one.members), str(one.joined))
                table.add_row(one.store, one.plan, *numbers, " ".join(one.tactics), f"{one.cost} {one.currency}")
            if len(page) < usages.MAX_PAGE:
                break
            after = page[-1].store
    console.print(table)


@plan_app.command("list")
def list_plans() -> None:
    """List the plans."""
    table = Table("plan", "title", "cap", "plugins", "requests/s", "events/s", "stores", "above the cap")
    with opened() as platform, platform.database.ops.begin() as ops:
        for plan in plans.list_plans(ops):
            table.add_row(
                plan.id,
                plan.title,
                str(plan.cap),
                "all" if plan.plugins is None else " ".join(plan.plugins),
                str(plan.requests_per_second or ""),
                str(plan.events_per_second or ""),
                str(plan.stores),
                str(plan.above or ""),
            )
    console.print(table)


@plan_app.command("set")
def set_plan(
    plan_id: PlanId,
    title: Annotated[str, typer.Option(help="Its name for people.")],
    cap: Annotated[int, typer.Option(help="Tactics that may be on at a time.")] = 3,
    plugin: Annotated[list[str] | None, typer.Option(help="A plugin that it allows; repeat it.")] = None,
    requests: Annotated[int | None, typer.Option(help="Requests per second of one store.")] = None,
    events: Annotated[int | None, typer.Option(help="Events per second of one store.")] = None,
) -> None:
    """Make a plan, or change it as a whole: what is left out is without limit, and all plugins are allowed."""
    with opened() as platform, platform.database.ops.begin() as ops:
        plan = plans.set_plan(
            ops,
            platform.registry,
            plan_id,
            title=title,
            cap=cap,
            plugins=plugin,
            requests_per_second=requests,
            events_per_second=events,
            by=BY,
        )
    typer.echo(f"{plan_id}: {plan.stores} stores are on it, {plan.above} have more tactics on than {plan.cap}")


@plan_app.command("delete")
def delete_plan(plan_id: PlanId) -> None:
    """Delete a plan that no store is on."""
    with opened() as platform, platform.database.ops.begin() as ops:
        plans.delete_plan(ops, plan_id, by=BY)
    typer.echo(f"{plan_id} is deleted")


@blueprint_app.command("list")
def list_blueprints() -> None:
    """List the blueprints."""
    table = Table("blueprint", "for", "tactics", "cannot be switched on here")
    with opened() as platform:
        for one in blueprints.load(platform.registry).values():
            found = blueprints.propose(one, platform.registry)
            notes = "; ".join(proposal.note for proposal in found if proposal.note is not None)
            table.add_row(one.id, one.title.en, " ".join(proposal.choice.id for proposal in found), notes)
    console.print(table)


@blueprint_app.command("show")
def show_blueprint(
    blueprint_id: Annotated[str, typer.Argument(metavar="BLUEPRINT", help="The blueprint's id.")],
) -> None:
    """Say what a blueprint proposes, what it leaves out, and why."""
    with opened() as platform:
        one = blueprints.get(platform.registry, blueprint_id)
        typer.echo(f"{one.title.en}: {one.summary.en}")
        for proposal in blueprints.propose(one, platform.registry):
            typer.echo(f"\n{proposal.title}{f' ({proposal.note})' if proposal.note else ''}")
            typer.echo(f"  {proposal.choice.why.en}")
            if proposal.choice.settings:
                typer.echo(f"  {orjson.dumps(proposal.choice.settings).decode()}")
        for left in blueprints.left_out(one, platform.registry):
            typer.echo(f"\nleft out: {left.id}\n  {left.why.en}")


def audit(
    slug: Annotated[
        str | None, typer.Argument(metavar="TENANT", help="A store; without it what belongs to no single one.")
    ] = None,
    before: Annotated[int | None, typer.Option(min=1, help="Only what is older than this number.")] = None,
    most: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
) -> None:
    """Show who changed what and when, the newest first."""
    if before is not None and before >= 1 << 63:
        raise Invalid("--before", "is no entry's number")
    if slug is None:
        with opened() as platform, platform.database.ops.begin() as ops:
            _show(trail.read_for_operators(ops, before=before, limit=most))
    else:
        with inside(slug) as (_, _, scope):
            _show(trail.read(scope, before=before, limit=most))


def overview(
    figure: Annotated[Figure | None, typer.Argument(help="Show where this figure comes from.")] = None,
) -> None:
    """Say how everything stands."""
    with opened() as platform, platform.database.ops.begin() as ops:
        if figure is not None:
            table = Table("tenant", "plugin", "count", "since", "reason")
            for one in oversight.causes(ops, platform.registry, figure):
                since = f"{one.since:%Y-%m-%d %H:%M:%S}" if one.since else ""
                table.add_row(one.store, one.plugin, str(one.count), since, one.reason)
            console.print(table)
            return
        found = oversight.overview(ops, platform.registry)
    typer.echo(f"{found.stores} stores, {found.simulated} simulated, {found.suspended} suspended")
    typer.echo(f"{found.events_per_minute:g} events per minute")
    lag = f"the oldest for {found.lag.total_seconds():.0f} seconds" if found.lag is not None else "none"
    typer.echo(f"{found.behind} wait for the worker, {lag}")
    typer.echo(
        f"{found.letters} dead letters, {found.paused} paused, {len(found.quarantined)} quarantined plugins"
    )


def _show(entries: Sequence[trail.Entry]) -> None:
    table = Table("", "when", "who", "what", "to", "details")
    for one in entries:
        details = orjson.dumps(dict(one.details)).decode() if one.details else ""
        table.add_row(str(one.id), f"{one.at:%Y-%m-%d %H:%M:%S}", one.actor, one.action, one.subject, details)
    console.print(table)
