"""`threepeat operator` and `threepeat staff`: who may sign in, from a terminal."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

from threepeat.database.engine import Scope
from threepeat.tenancy.errors import NotFound
from threepeat_tenants.accounts import links, operator_keys, operators, staff
from threepeat_tenants.accounts.operators import Operator
from threepeat_tenants.accounts.staff import Staff
from threepeat_tenants.opening import BY, Slug, inside, opened

console = Console(markup=False)

operator_app = typer.Typer(help="The people who run this installation.", no_args_is_help=True)
operator_key_app = typer.Typer(help="API keys of the operators' own programs.", no_args_is_help=True)
staff_app = typer.Typer(help="The people of a store.", no_args_is_help=True)

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="The operator's login.")]
Who = Annotated[str, typer.Argument(metavar="PERSON", help="E-mail address, phone, or number in `staff list`.")]
Host = Annotated[
    str,
    typer.Option(
        "--url",
        envvar="THREEPEAT_CONSOLE_PUBLIC_URL",
        help="Where the console is, such as https://console.example.com.",
    ),
]
RoleName = Annotated[str, typer.Argument(metavar="ROLE", help="owner, operator or analyst.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `threepeat`."""
    app.add_typer(operator_app, name="operator")
    operator_app.add_typer(operator_key_app, name="key")
    app.add_typer(staff_app, name="staff")


@operator_app.command("add")
def add_operator(
    login: Login,
    name: Annotated[str | None, typer.Option(help="Their name; the login by default.")] = None,
    url: Host = "",
) -> None:
    """Add an operator and show their one-time sign-in link."""
    with opened() as platform, platform.database.ops.begin() as ops:
        made = operators.add(ops, login=login, name=name or login, by=BY)
        token = links.make_operator_link(ops, platform.keyring, made.id, BY)
    _show_link(made.login, token, url)


@operator_app.command("list")
def list_operators() -> None:
    """List the operators."""
    table = Table("operator", "name", "signs in", "made", "disabled")
    with opened() as platform, platform.database.ops.begin() as ops:
        for one in operators.everyone(ops):
            disabled = f"{one.disabled_at:%Y-%m-%d %H:%M}" if one.disabled_at else ""
            table.add_row(one.login, one.name, _state(one), f"{one.created_at:%Y-%m-%d %H:%M}", disabled)
    console.print(table)


@operator_app.command("disable")
def disable_operator(login: Login) -> None:
    """Let an operator sign in no more; their sessions end at once."""
    with opened() as platform, platform.database.ops.begin() as ops:
        operators.disable(ops, _operator(ops, login).id, by=BY)
    typer.echo(f"{login} is disabled")


@operator_app.command("enable")
def enable_operator(login: Login) -> None:
    """Let a disabled operator sign in again."""
    with opened() as platform, platform.database.ops.begin() as ops:
        operators.enable(ops, _operator(ops, login).id, by=BY)
    typer.echo(f"{login} is enabled")


@operator_app.command("link")
def link_operator(login: Login, url: Host = "") -> None:
    """Show a new one-time link with which an operator sets a password; the older ones stop working."""
    with opened() as platform, platform.database.ops.begin() as ops:
        found = _operator(ops, login)
        token = links.make_operator_link(ops, platform.keyring, found.id, BY)
    _show_link(found.login, token, url)


@operator_key_app.command("create")
def create_key(name: Annotated[str, typer.Option(help="What it is for.")] = "key") -> None:
    """Make a key and show it once."""
    with opened() as platform, platform.database.ops.begin() as ops:
        secret = operator_keys.create(ops, platform.keyring, name, by=BY)
    typer.echo(secret)


@operator_key_app.command("list")
def list_keys() -> None:
    """List the keys, without their secrets."""
    table = Table("key", "name", "made", "by", "revoked")
    with opened() as platform, platform.database.ops.begin() as ops:
        for key in operator_keys.everything(ops):
            revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
            table.add_row(key.id, key.name, f"{key.created_at:%Y-%m-%d %H:%M}", key.created_by, revoked)
    console.print(table)


@operator_key_app.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="The key's id, as `operator key list` shows it.")],
) -> None:
    """Revoke a key at once."""
    with opened() as platform, platform.database.ops.begin() as ops:
        operator_keys.revoke(ops, key, by=BY)
    typer.echo(f"{key} is revoked")


@staff_app.command("add")
def add_staff(
    slug: Slug,
    name: Annotated[str, typer.Option(help="Their name.")],
    role: Annotated[str, typer.Option(help="owner, operator or analyst.")],
    email: Annotated[str | None, typer.Option(help="E-mail address to sign in with.")] = None,
    phone: Annotated[str | None, typer.Option(help="Phone to sign in with.")] = None,
    url: Host = "",
) -> None:
    """Add a person to a store and show their one-time sign-in link."""
    with inside(slug) as (platform, _, scope):
        made = staff.add(scope, name=name, role=role, email=email, phone=phone, by=BY)
        token = links.make_staff_link(scope, platform.keyring, made.id, BY)
    _show_link(made.name, token, url)


@staff_app.command("list")
def list_staff(slug: Slug) -> None:
    """List a store's staff."""
    table = Table("person", "name", "role", "e-mail", "phone", "signs in", "disabled")
    with inside(slug) as (_, _, scope):
        for one in staff.everyone(scope):
            disabled = f"{one.disabled_at:%Y-%m-%d %H:%M}" if one.disabled_at else ""
            table.add_row(str(one.id), one.name, one.role, one.email or "", one.phone or "", _state(one), disabled)
    console.print(table)


@staff_app.command("role")
def change_role(slug: Slug, person: Who, role: RoleName) -> None:
    """Give a person another role; their sessions end at once."""
    with inside(slug) as (_, _, scope):
        changed = staff.change_role(scope, _person(scope, person).id, role, by=BY)
    typer.echo(f"{changed.name} is {changed.role}")


@staff_app.command("disable")
def disable_staff(slug: Slug, person: Who) -> None:
    """Let a person sign in no more; their sessions end at once."""
    with inside(slug) as (_, _, scope):
        changed = staff.disable(scope, _person(scope, person).id, by=BY)
    typer.echo(f"{changed.name} is disabled")


@staff_app.command("enable")
def enable_staff(slug: Slug, person: Who) -> None:
    """Let a disabled person sign in again."""
    with inside(slug) as (_, _, scope):
        changed = staff.enable(scope, _person(scope, person).id, by=BY)
    typer.echo(f"{changed.name} is enabled")


@staff_app.command("link")
def link_staff(slug: Slug, person: Who, url: Host = "") -> None:
    """Show a new one-time link with which a person sets a password; the older ones stop working."""
    with inside(slug) as (platform, _, scope):
        found = _person(scope, person)
        token = links.make_staff_link(scope, platform.keyring, found.id, BY)
    _show_link(found.name, token, url)


def _operator(ops: Connection, login: str) -> Operator:
    try:
        return operators.by_login(ops, login)
    except NotFound:
        raise NotFound(f"there is no operator {login!r}; `threepeat operator list` shows them") from None


def _person(scope: Scope, given: str) -> Staff:
    """A person by number, e-mail address or phone; no phone is as short as a number."""
    try:
        if given.isascii() and given.isdigit() and len(given) < 10:
            return staff.find(scope, int(given))
        return staff.by_login(scope, given)
    except NotFound:
        raise NotFound(f"the store has nobody {given!r}; `threepeat staff list` shows them") from None


def _state(one: Operator | Staff) -> str:
    return "no" if one.disabled_at else "yes" if one.has_password else "by link first"


def _show_link(name: str, token: str, url: str) -> None:
    typer.echo(f"The sign-in link of {name}, shown this once; it works once:")
    typer.echo(f"{url.rstrip('/')}{links.PATH}{token}")
