"""`threepeat member export|erase`, `tenant export|delete` and `receipt`: what people are owed about their data."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from threepeat.database.config import DatabaseConfig
from threepeat.events import erasure, export, receipts, removal
from threepeat.events.export import MemberExport
from threepeat.events.platform import KeyConfig, Platform
from threepeat.tenancy import audit, members
from threepeat.tenancy.errors import Invalid, NotFound
from threepeat.tenancy.keyring import Keyring
from threepeat.tenancy.tenants import Tenant
from threepeat_tenants.cli import members as members_cli
from threepeat_tenants.opening import BY, Slug, found, inside

console = Console(stderr=True)

member_app = typer.Typer(help="Find, show, change, export and erase members.", no_args_is_help=True)
receipt_app = typer.Typer(help="Check what an erasure did.", no_args_is_help=True)

Member = Annotated[str, typer.Argument(metavar="MEMBER", help="The shop's own id of the member.")]
To = Annotated[Path, typer.Option("--to", help="The file to write; it is replaced only when all of it is there.")]


def register(app: typer.Typer, tenant_app: typer.Typer) -> None:
    """Add the commands to `threepeat`."""
    app.add_typer(member_app, name="member")
    members_cli.register(member_app)
    app.add_typer(receipt_app, name="receipt")
    tenant_app.command("export")(export_tenant)
    tenant_app.command("delete")(delete_tenant)


@member_app.command("export")
def export_member(
    slug: Slug,
    member: Member,
    to: To,
    form: Annotated[str, typer.Option("--format", help="json, or csv for a zip of CSV files.")] = "json",
) -> None:
    """Write everything that is stored about a member, from every plugin."""
    if form not in {"json", "csv"}:
        raise Invalid("--format", "choose json or csv")
    with inside(slug) as (platform, tenant, scope), _whole(to) as file:
        member_id = members.find(scope, member)
        MemberExport(platform, scope, tenant, member_id).write(file, "json" if form == "json" else "csv")
        audit.record(scope, BY, "member.exported", f"member:{member_id}", format=form)
    typer.echo(f"{to}: {to.stat().st_size:,} bytes")


@member_app.command("erase")
def erase_member(
    slug: Slug,
    member: Member,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    receipt: Annotated[Path | None, typer.Option(help="File for the signed receipt.")] = None,
) -> None:
    """Erase everything about a member at once; it cannot be undone."""
    with found(slug) as (platform, tenant):
        with platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
            member_id = members.find(scope, member)
        if not yes and typer.prompt(f"Everything about {member} goes for good. Type the id again") != member:
            raise Invalid("MEMBER", "that is another id; nothing was erased")
        with platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
            erasure_id = erasure.request(platform, scope, member_id, by=BY)
        try:
            with _listed():
                erasure.announce(platform, tenant, erasure_id)
                erasure.complete(platform, tenant, erasure_id)
        except erasure.UnfinishedError as error:
            typer.echo(f"suppressed, and not all of it erased yet; a worker goes on with it: {error}", err=True)
            raise typer.Exit(1) from None
        with platform.database.tenant(tenant.id) as scope:
            done = erasure.status(scope, erasure_id)
    typer.echo(f"erased; erasure {done.id}")
    if receipt is not None and done.receipt is not None:
        with _whole(receipt) as file:
            file.write(done.receipt.encode() + b"\n")


def export_tenant(slug: Slug, to: To) -> None:
    """Write everything of a tenant as a zip: JSON lines for each table, and a manifest; secrets are left out."""
    with found(slug) as (platform, tenant):
        _export(platform, tenant, to)


def delete_tenant(
    slug: Slug,
    yes: Annotated[str | None, typer.Option(metavar="TENANT", help="The tenant's name again: do not ask.")] = None,
    export_to: Annotated[Path | None, typer.Option("--export", help="Export it to this file first.")] = None,
) -> None:
    """Delete a tenant with everything in it. Interrupted, the same command goes on."""
    with found(slug) as (platform, tenant):
        if yes is None and export_to is None and typer.confirm("Export it first?", default=True):
            export_to = Path(typer.prompt("File", default=f"{slug}.zip"))
        if export_to is not None:
            _export(platform, tenant, export_to)
        question = f"Everything of {tenant.store.name} goes for good. Type {slug} to delete it"
        if (yes if yes is not None else typer.prompt(question)) != slug:
            raise Invalid("TENANT", "that is another name; nothing was deleted")
        with _progress(removal.rows(platform, tenant)) as report, _listed():
            gone = removal.remove(platform, tenant, by=BY, report=report)
    typer.echo(f"{slug} is gone, {gone:,} rows")


@receipt_app.command("verify")
def verify_receipt(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="A receipt, or an answer of /v1/erasures/{id} with one."),
    ],
    keys: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Public keys from /v1/receipt-keys; this installation's by default."
        ),
    ] = None,
) -> None:
    """Check a receipt's signature and show what it states; exit 1 if it is not genuine."""
    key_set = _json(keys.read_bytes(), "--keys") if keys is not None else receipts.public_keys(_keyring())
    raw = file.read_bytes().strip()
    if raw.startswith(b"{"):
        raw = str(_json(raw, "FILE").get("receipt") or "").encode()
    try:
        stated = receipts.verify(raw.decode("ascii", "replace"), key_set)
    except receipts.ForgedReceiptError as error:
        raise Invalid("FILE", str(error)) from None
    typer.echo(orjson.dumps(stated, option=orjson.OPT_INDENT_2).decode())


@receipt_app.command("keys")
def show_keys() -> None:
    """Show the public keys that verify this installation's receipts."""
    typer.echo(orjson.dumps(receipts.public_keys(_keyring()), option=orjson.OPT_INDENT_2).decode())


def _export(platform: Platform, tenant: Tenant, to: Path) -> None:
    with _progress(removal.rows(platform, tenant)) as report, _whole(to) as file:
        manifest = export.write_tenant(platform, tenant, file, report)
    written = sum(table["rows"] for table in manifest["tables"].values())
    typer.echo(f"{to}: {written:,} rows of {len(manifest['tables'])} tables")


@contextmanager
def _listed() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Invalid("THREEPEAT_ERASURES", f"the list of erasures cannot be written: {error.strerror}") from None


@contextmanager
def _progress(counts: dict[str, int]) -> Iterator[Callable[[str, int], None]]:
    """A bar over all rows, and the table at hand."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("", total=max(sum(counts.values()), 1))
        done: dict[str, int] = {}

        def report(table: str, rows: int) -> None:
            done[table] = rows
            progress.update(task, description=table, completed=sum(done.values()))

        yield report


@contextmanager
def _whole(to: Path) -> Iterator[IO[bytes]]:
    """A file that has its name only once it is whole; nobody else may read it."""
    draft = to.with_name(f".{to.name}.part")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Invalid("FILE", f"{to} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        draft.rename(to)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _keyring() -> Keyring:
    keys = KeyConfig()
    file = keys.keys_file or DatabaseConfig().data / "keys"
    if keys.keys is None and not file.exists():
        raise NotFound(f"there is no key file {file}; name the public keys with --keys")
    return Keyring.read(file, keys.keys)


def _json(raw: bytes, field: str) -> dict[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise Invalid(field, "the file holds no JSON object")
    return value
