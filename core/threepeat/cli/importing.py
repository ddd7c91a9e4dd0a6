"""`threepeat import`: takes what a shop has so far into the log, safe to run twice."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
import psycopg
import typer
from babel.numbers import get_currency_precision
from msgspec import Raw
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from threepeat.cli.orders_file import ImportedOrder, ImportFileError, ImportReport, parse_mapping, read_orders
from threepeat.database.asynchronous import conninfo, options
from threepeat.events.incoming import Item, Verdict, read
from threepeat.events.ingest import append
from threepeat.events.platform import Platform
from threepeat.events.stores import open_store
from threepeat.sdk.events import Sender
from threepeat.tenancy import tenants
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.tenants import Tenant

SOURCE = "import"
BATCH = 1000
BY = "import"

app = typer.Typer(help="Take existing data in.", no_args_is_help=True)
console = Console()


@app.callback()
def root() -> None:
    """Take existing data in."""


@app.command("orders")
def import_orders(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help=".csv, .jsonl or .parquet; .gz and .xz too.")
    ],
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", help="field=column, such as order_id=InvoiceNo. Repeat it, or separate by spaces."),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="The store that the orders belong to, by its short name.")
    ] = None,
    tenant_by: Annotated[
        str | None, typer.Option(help="A column whose values are stores; missing ones are made.")
    ] = None,
    currency: Annotated[str, typer.Option(help="Currency of stores that are made.")] = "CNY",
    timezone: Annotated[
        str, typer.Option(help="Time zone of stores that are made, and of dates without one.")
    ] = "Asia/Shanghai",
    enable: Annotated[list[str] | None, typer.Option(help="Tactic to switch on in stores that are made.")] = None,
    holdout: Annotated[
        int | None, typer.Option(min=0, max=50, help="Percent of members in their comparison groups.")
    ] = None,
    refund_prefix: Annotated[
        str | None, typer.Option(help="Order ids that begin with this are refunds without an order.")
    ] = None,
    reject_prefix: Annotated[
        list[str] | None, typer.Option(help="Order ids that begin with this are reported, not imported.")
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="Where rows that cannot be read are reported. Default: FILE.rejects.csv")
    ] = None,
    clock: Annotated[
        str, typer.Option(help="data: let the stores' clocks stand at their newest order. now: leave them.")
    ] = "now",
) -> None:
    """Import orders, one line of an order per row.

    The fields are order_id, occurred_at, member, and sku, name, category, quantity, unit_price or amount. Rows
    that cannot be read are reported with line and reason, and the rest goes in. Running it again, or after it
    was interrupted, adds only what is missing.
    """
    if (tenant is None) == (tenant_by is None):
        raise typer.BadParameter("name the store with --tenant, or the column with --tenant-by")
    if clock not in {"data", "now"}:
        raise typer.BadParameter("choose data or now", param_hint="--clock")
    fields = parse_mapping(item for given in mapping or () for item in given.split())
    report_to = rejects or file.with_name(f"{file.name}.rejects.csv")
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise typer.BadParameter(f"{timezone!r} is not a time zone", param_hint="--timezone") from None
    with Platform.open() as platform:
        if tenant is not None:
            with platform.database.directory() as connection:
                known = tenants.by_slug(connection, tenant)
            currency, zone = known.store.currency, known.store.timezone
        with _progress() as progress:
            reading = progress.add_task("reading", total=None)
            orders, report = read_orders(
                file,
                fields,
                tenant_by=tenant_by,
                refund_prefix=refund_prefix,
                reject_prefixes=reject_prefix or (),
                minor_digits=get_currency_precision(currency),
                timezone=zone,
                rejects=report_to,
                progress=lambda done, total: progress.update(reading, completed=done, total=total),
            )
            stores: dict[str | None, Tenant] = {None: known} if tenant is not None else {}
            for slug, value in _slugs(report.tenants).items():
                stores[value] = _store(platform, slug, value, currency, timezone, enable or (), holdout)
            sending = progress.add_task("importing", total=len(orders))
            verdicts = send_orders(platform, stores, orders, lambda n: progress.advance(sending, n))
        if clock == "data":
            _set_clocks(platform, stores, orders)
        _summary(report, verdicts, stores, report_to)


def send_orders(
    platform: Platform,
    stores: dict[str | None, Tenant],
    orders: Sequence[ImportedOrder],
    advance: Callable[[int], object] = lambda _: None,
) -> Counter[Verdict]:
    """Append orders to their stores' logs, each store's in the order of time.

    The event ids follow from the order ids, so that what is in the log already is recognised.

    Args:
        stores: The tenant for each value of `ImportedOrder.tenant`.
        advance: Told how many orders went in.

    Returns:
        How many got which verdict.
    """
    return asyncio.run(_send(platform, stores, orders, advance))


async def _send(
    platform: Platform,
    stores: dict[str | None, Tenant],
    orders: Sequence[ImportedOrder],
    advance: Callable[[int], object],
) -> Counter[Verdict]:
    verdicts: Counter[Verdict] = Counter()
    urls = platform.database.urls
    connection = await psycopg.AsyncConnection.connect(conninfo(urls), **options(urls, "import"))
    async with connection:
        for store, batch in _batches(orders):
            tenant = stores[store]
            items = _items(platform, tenant, batch)
            appended = await append(connection, platform.keyring, tenant.id, items)
            for item in appended.items:
                verdicts[item.verdict] += 1
                if item.verdict in {Verdict.INVALID, Verdict.CONFLICT}:
                    console.print(f"{tenant.store.slug}: {item.id}: {item.reason}", highlight=False, markup=False)
            advance(len(batch))
    return verdicts


def _batches(orders: Sequence[ImportedOrder]) -> Iterator[tuple[str | None, list[ImportedOrder]]]:
    by_store = sorted(orders, key=lambda order: order.tenant or "")
    for store, found in groupby(by_store, key=lambda order: order.tenant):
        whole = list(found)
        for start in range(0, len(whole), BATCH):
            yield store, whole[start : start + BATCH]


def _items(platform: Platform, tenant: Tenant, orders: Sequence[ImportedOrder]) -> list[Item]:
    currency = tenant.store.currency
    raws = [Raw(orjson.dumps(_event(order, currency))) for order in orders]
    return read(raws, platform.catalogue, sender=Sender.SERVER, currency=currency, now=datetime.now(UTC))


def _event(order: ImportedOrder, currency: str) -> dict[str, object]:
    lines = [asdict(line) for line in order.lines]
    data: dict[str, object] = {"currency": currency, "lines": lines}
    if order.kind == "order":
        data |= {"order_id": order.order_id, "total": order.total}
    else:
        data |= {"refund_id": order.order_id, "amount": order.total}
    return {
        "specversion": "1.0",
        "id": f"{order.kind}:{order.order_id}",
        "source": SOURCE,
        "type": "order.paid" if order.kind == "order" else "order.refunded",
        "subject": order.member,
        "time": order.occurred_at,
        "data": data,
    }


def slug_of(value: str) -> str:
    """A tenant's short name for a column's value: "United Kingdom" becomes "united-kingdom"."""
    letters = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in value.lower())
    slug = "-".join(part for part in letters.split("-") if part)[:63].strip("-")
    if not slug:
        raise ImportFileError(f"no short name can be made of the store {value!r}: use ASCII letters or digits")
    return slug


def _slugs(values: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in sorted(values):
        other = found.setdefault(slug_of(value), value)
        if other != value:
            raise ImportFileError(f"the stores {other!r} and {value!r} have the same short name")
    return found


def _store(
    platform: Platform,
    slug: str,
    value: str,
    currency: str,
    timezone: str,
    enable: Sequence[str],
    holdout: int | None,
) -> Tenant:
    try:
        with platform.database.directory() as connection:
            return tenants.by_slug(connection, slug)
    except NotFound:
        return open_store(
            platform,
            slug,
            name=value,
            currency=currency,
            timezone=timezone,
            enable=enable,
            holdout=holdout,
            by=BY,
        )


def _set_clocks(platform: Platform, stores: dict[str | None, Tenant], orders: Sequence[ImportedOrder]) -> None:
    newest = {order.tenant: order.occurred_at for order in orders}  # orders come in the order of time
    with platform.database.ops.begin() as ops:
        for store, moment in newest.items():
            tenants.set_clock(ops, stores[store].id, moment)


def _summary(
    report: ImportReport, verdicts: Counter[Verdict], stores: dict[str | None, Tenant], rejects: Path
) -> None:
    console.print(
        f"{report.rows} rows: {report.orders} orders and {report.refunds} refunds in {len(stores)} stores; "
        f"{verdicts[Verdict.ACCEPTED]} new, {verdicts[Verdict.DUPLICATE]} already there, "
        f"{verdicts[Verdict.CONFLICT]} in conflict, {verdicts[Verdict.INVALID]} refused"
    )
    if report.rejected:
        console.print(f"{report.rejected} rows were not used; see {rejects}")
        for reason, count in report.reasons.most_common():
            console.print(f"  {count:>8}  {reason}", highlight=False, markup=False)
    console.print(
        "A running `threepeat worker` hands them to the tactics; `threepeat worker --drain` does it once."
    )


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    )
