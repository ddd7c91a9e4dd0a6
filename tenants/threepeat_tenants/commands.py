"""`threepeat tenant`, `key` and `tactic`: what people do to a tenant, from a terminal."""

from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from threepeat.events import budgets, consequences
from threepeat.events.consequences import Consequences
from threepeat.events.stores import open_store
from threepeat.tenancy import keys, switches, tenants
from threepeat.tenancy.errors import Invalid, NotFound
from threepeat.tenancy.settings import UNCHANGED
from threepeat.tenancy.switches import SwitchState
from threepeat_tenants import privacy
from threepeat_tenants.cli import collections, metrics, operating, people
from threepeat_tenants.opening import BY, Slug, inside, opened
from threepeat_tenants.operating import plans

console = Console()

tenant_app = typer.Typer(help="Make tenants and look at them.", no_args_is_help=True)
key_app = typer.Typer(help="API keys of a tenant's servers.", no_args_is_help=True)
tactic_app = typer.Typer(help="Allow, switch and set a tenant's tactics.", no_args_is_help=True)

Plugin = Annotated[str, typer.Argument(metavar="TACTIC", help="The tactic's id.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `threepeat`."""
    app.add_typer(tenant_app, name="tenant")
    app.add_typer(key_app, name="key")
    app.add_typer(tactic_app, name="tactic")
    privacy.register(app, tenant_app)
    people.register(app)
    operating.register(app, tenant_app)
    metrics.register(app)
    collections.register(app)


@tenant_app.command("create")
def create_tenant(
    slug: Slug,
    name: Annotated[str | None, typer.Option(help="Its name for people.")] = None,
    currency: Annotated[str, typer.Option(help="ISO 4217 code of all its money.")] = "CNY",
    timezone: Annotated[str, typer.Option(help="Where its days begin.")] = "Asia/Shanghai",
    plan: Annotated[str, typer.Option(help="The plan that sets its cap.")] = "standard",
    enable: Annotated[list[str] | None, typer.Option(help="Tactic to switch on; repeat it.")] = None,
) -> None:
    """Make a tenant with its services on, and an ingest key that is shown once."""
    with opened() as platform:
        tenant = open_store(
            platform, slug, name=name, plan=plan, currency=currency, timezone=timezone, enable=enable or (), by=BY
        )
        with platform.database.tenant(tenant.id) as scope:
            secret = keys.create_key(scope, platform.keyring, "first ingest key", ["ingest"], by=BY)
    typer.echo(f"{slug} stands. Its ingest key, shown this once:")
    typer.echo(secret)


@tenant_app.command("list")
def list_tenants() -> None:
    """List the tenants."""
    table = Table("tenant", "name", "plan", "currency", "time zone", "")
    with opened() as platform, platform.database.directory() as connection:
        for one in tenants.everyone(connection):
            notes = " ".join(
                note
                for note, on in (("simulated", one.simulated), ("suspended", one.suspended_at is not None))
                if on
            )
            store = one.store
            table.add_row(store.slug, store.name, one.plan, store.currency, str(store.timezone), notes)
    console.print(table)


@key_app.command("create")
def create_key(
    slug: Slug,
    scope_names: Annotated[
        list[str], typer.Option("--scope", help="ingest, read or manage; repeat it. An ingest key is worth money.")
    ],
    name: Annotated[str, typer.Option(help="What it is for.")] = "key",
) -> None:
    """Make a key and show it once."""
    with inside(slug) as (platform, _, scope):
        secret = keys.create_key(scope, platform.keyring, name, scope_names, by=BY)
    typer.echo(secret)


@key_app.command("list")
def list_keys(slug: Slug) -> None:
    """List a tenant's keys, without their secrets."""
    table = Table("key", "name", "scopes", "made", "revoked")
    with inside(slug) as (_, _, scope):
        for key in keys.list_keys(scope):
            revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
            table.add_row(
                key.id, key.name, " ".join(sorted(key.scopes)), f"{key.created_at:%Y-%m-%d %H:%M}", revoked
            )
    console.print(table)


@key_app.command("revoke")
def revoke_key(
    slug: Slug, key: Annotated[str, typer.Argument(help="The key's id, as `key list` shows it.")]
) -> None:
    """Revoke a key at once."""
    with inside(slug) as (_, _, scope):
        keys.revoke_key(scope, key, by=BY)
    typer.echo(f"{key} is revoked")


@tactic_app.command("list")
def list_tactics(slug: Slug) -> None:
    """List what is installed and how it stands in a tenant."""
    table = Table("plugin", "kind", "state", "slot", "comparison", "spent", "budget", "allowed")
    with inside(slug) as (platform, tenant, scope):
        cap, permitted = switches.allowed(scope, tenant, platform.registry)
        found = switches.activations(scope)
        spent = budgets.spent(scope, tenant.store)
        for plugin in platform.registry:
            one = found.get(plugin.id)
            budget = one.monthly_budget if one else None
            table.add_row(
                plugin.id,
                plugin.manifest.kind,
                f"{one.state}, paused" if one and one.paused else one.state if one else "off",
                str(one.slot) if one and one.slot else "",
                f"{one.holdout_percent} %" if one and plugin.manifest.holdout == "member" else "",
                str(spent.get(plugin.id, 0)),
                str(budget) if budget is not None else "",
                "yes" if plugin.id in permitted else "no",
            )
    console.print(table)
    typer.echo(f"{cap} tactics may be on at a time")


@tactic_app.command("allow")
def allow(slug: Slug, tactic: Plugin) -> None:
    """Allow a plugin to a tenant, whatever its plan says."""
    with inside(slug) as (platform, _, scope):
        plans.allow(scope, platform.registry, tactic, allowed=True, by=BY)


@tactic_app.command("forbid")
def forbid(slug: Slug, tactic: Plugin) -> None:
    """Forbid a plugin to a tenant: it cannot be switched on any more."""
    with inside(slug) as (platform, _, scope):
        plans.allow(scope, platform.registry, tactic, allowed=False, by=BY)


@tactic_app.command("enable")
def enable(
    slug: Slug,
    tactic: Plugin,
    replace: Annotated[str | None, typer.Option(help="A tactic that is on and gives up its slot.")] = None,
) -> None:
    """Switch a tactic on, or swap it for another."""
    with inside(slug) as (platform, tenant, scope):
        one = switches.enable(scope, tenant, platform.registry, tactic, by=BY, act=platform.act, replace=replace)
    typer.echo(f"{tactic} is on" + (f" in slot {one.slot}" if one.slot else ""))


@tactic_app.command("preview")
def preview(slug: Slug, tactic: Plugin) -> None:
    """Say what would follow from switching a tactic off; nothing is changed.

    For one that is off, and while all slots are taken: what would follow from each swap.
    """
    with inside(slug) as (platform, tenant, scope):
        opened = platform.inside(scope, tenant)
        if opened.state(tactic) is not SwitchState.OFF:
            _foreseen(tactic, consequences.foresee(opened, tactic))
            return
        if tactic not in platform.registry:
            raise NotFound(f"there is no plugin {tactic!r}")
        cap, _permitted = switches.allowed(scope, tenant, platform.registry)
        slots = [one.plugin for one in opened.activations.values() if one.slot is not None]
        if len(slots) < cap:
            typer.echo(f"{tactic} is off, and {cap - len(slots)} of {cap} slots are free: nothing has to give way")
        else:
            for leaving in sorted(one for one in slots if one in platform.registry):
                _foreseen(leaving, consequences.foresee(opened, leaving))
                for one in consequences.lacking(opened, tactic, without=leaving):
                    typer.echo(f"  would lack {one.names}: {one.plugin} {one.field}")


def _foreseen(tactic: str, found: Consequences) -> None:
    typer.echo(f"without {tactic}")
    told = (
        ("still owed", found.owes),
        ("stops answering", found.stops),
        ("refuses", found.shut),
        ("goes on answering", found.goes_on),
        ("still open to members", found.open),
        ("leads nowhere", [f"{one.plugin} {one.field} names {one.names}" for one in found.dangling]),
    )
    for what, lines in told:
        for line in lines:
            typer.echo(f"  {what}: {line}")


@tactic_app.command("disable")
def disable(slug: Slug, tactic: Plugin) -> None:
    """Switch a tactic off; it closes until it owes members nothing more."""
    with inside(slug) as (platform, tenant, scope):
        one = switches.disable(scope, tenant, platform.registry, tactic, by=BY, act=platform.act)
    typer.echo(f"{tactic} is {one.state}")


@tactic_app.command("set")
def set_settings(
    slug: Slug,
    tactic: Plugin,
    values: Annotated[
        list[str] | None, typer.Argument(help="name=value; the value is JSON, or text if it is no JSON.")
    ] = None,
    holdout: Annotated[int | None, typer.Option(help="Percent of members in the comparison group.")] = None,
    budget: Annotated[
        int | None, typer.Option(help="What its rewards may cost in a month, in minor units such as fen.")
    ] = None,
    no_budget: Annotated[bool, typer.Option("--no-budget", help="Lift the limit.")] = False,
) -> None:
    """Change some of a tactic's settings and show all that are set."""
    if budget is not None and no_budget:
        raise Invalid("--no-budget", "give it or --budget, not both")
    changes: dict[str, object] = {}
    for given in values or ():
        name, equals, value = given.partition("=")
        if not equals:
            raise Invalid(given, "write name=value")
        try:
            changes[name] = orjson.loads(value)
        except orjson.JSONDecodeError:
            changes[name] = value
    with inside(slug) as (platform, tenant, scope):
        before = switches.activations(scope).get(tactic)
        shown, _ = platform.visible_settings(tenant, tactic, before)
        saved = switches.save_settings(
            scope,
            tenant,
            platform.registry,
            platform.keyring,
            tactic,
            {**shown, **changes},
            revision=before.revision if before else None,
            holdout_percent=holdout,
            monthly_budget=None if no_budget else UNCHANGED if budget is None else budget,
            by=BY,
        )
        shown, secrets = platform.visible_settings(tenant, tactic, saved)
    typer.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
    for name, is_set in secrets.items():
        typer.echo(f"{name}: {'set' if is_set else 'not set'}")
