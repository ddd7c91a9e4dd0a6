"""Erasure of a member: asked for, carried out from the catalogue, listed, and done again after a restore."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Row, text

from threepeat.database.engine import Scope
from threepeat.database.faults import fault_point
from threepeat.database.redact import brief
from threepeat.database.settle import settled
from threepeat.events import erasure_list, removal
from threepeat.events.context import Cause
from threepeat.events.erasure_list import Entry
from threepeat.events.platform import Platform
from threepeat.events.suppression import reopen, request
from threepeat.events.sweep import sweep
from threepeat.plugins import Installed
from threepeat.tenancy import switches, tenants, tombstones
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.tenants import Tenant

__all__ = ["Erasure", "UnfinishedError", "announce", "complete", "of_identity", "replay", "request", "status"]

SETTLE_SECONDS = 2.0

Busy = Callable[..., AbstractContextManager[Any]]

READ = text("""
    SELECT id, member_id, merged, requested_at, requested_by, progress, completed_at, receipt
    FROM core.erasure WHERE tenant_id = :tenant AND id = :id
""")
OF_TOMBSTONE = text("""
    SELECT erasure_id FROM core.tombstone
    WHERE tenant_id = :tenant AND identity_hash = ANY(CAST(:hashes AS bytea[])) LIMIT 1
""")
TOMBSTONES = text("""
    SELECT identity_hash FROM core.tombstone WHERE tenant_id = :tenant AND erasure_id = :id ORDER BY identity_hash
""")
LIFT_MEMBERS = text("SELECT setval('core.member_id', greatest(:most, (SELECT last_value FROM core.member_id)))")
LIFT_TENANTS = text("""
    SELECT setval(pg_get_serial_sequence('core.tenant', 'id'),
                  greatest(:most, (SELECT last_value FROM core.tenant_id_seq)))
""")

logger = structlog.get_logger(__name__)


class UnfinishedError(Exception):
    """An erasure is not complete yet; what could be done is done, and it has to be tried again."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure as it stands.

    Attributes:
        requested_by: A role: `member`, `operator` or `key:{id}`.
        receipt: What was done, signed; None until it is complete.
        outstanding: What could not be done yet, by schema or plugin.
    """

    id: str
    requested_at: datetime
    requested_by: str
    completed_at: datetime | None
    receipt: str | None
    outstanding: Sequence[str]


def _unwatched(**_: str) -> AbstractContextManager[None]:
    return nullcontext()


def announce(platform: Platform, tenant: Tenant, erasure_id: str, *, done: bool = False) -> None:
    """Write an erasure into the list beside the database, after its request has committed.

    Raises:
        NotFound: There is no such erasure.
        OSError: The list cannot be written: the erasure holds, but a restore would not know of it.
    """
    fault_point("erasure.requested")
    with platform.database.tenant(tenant.id) as scope:
        row = _read(scope, erasure_id)
        stones = [bytes(stone.identity_hash).hex() for stone in scope.run(TOMBSTONES, id=erasure_id)]
    entry = Entry(
        kind="member",
        id=erasure_id,
        tenant=tenant.id,
        slug=tenant.store.slug,
        at=row.requested_at.isoformat(),
        by=row.requested_by,
        members=(row.member_id, *row.merged),
        tombstones=tuple(stones),
        done=done,
    )
    erasure_list.append(platform.erasures, entry)


def status(scope: Scope, erasure_id: str) -> Erasure:
    """How an erasure stands.

    Raises:
        NotFound: The tenant has no such erasure.
    """
    row = _read(scope, erasure_id)
    outstanding = sorted(row.progress.get("failed", ()))
    return Erasure(row.id, row.requested_at, row.requested_by, row.completed_at, row.receipt, outstanding)


def of_identity(platform: Platform, scope: Scope, kind: str, value: str) -> str | None:
    """The erasure that buried an identity, if one did."""
    hashes = tombstones.hashes(platform.keyring, scope.tenant_id, kind, value)
    row = scope.one(OF_TOMBSTONE, hashes=hashes)
    return str(row.erasure_id) if row is not None else None


def complete(platform: Platform, tenant: Tenant, erasure_id: str, *, busy: Busy = _unwatched) -> None:
    """Carry an erasure out. It may be killed at any point and repeated at any time.

    Call it with no transaction open.

    Args:
        busy: Entered with `tenant` and `plugin` around each call into a plugin.

    Raises:
        NotFound: There is no such erasure.
        UnfinishedError: Something is outstanding; what could be erased is.
        OSError: The erasure list cannot be written.
    """
    with platform.database.tenant(tenant.id) as scope:
        row = _read(scope, erasure_id)
        touched = switches.activations(scope)
    if row.completed_at is not None:
        return
    failed: dict[str, str] = {}
    asked: list[str] = list(row.progress.get("asked", ()))
    for plugin in platform.registry:
        if plugin.id in touched and plugin.id not in asked and plugin.overrides("erase_member"):
            try:
                _ask(platform, tenant, plugin, row, busy)
            except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
                failed[plugin.id] = brief(error)
                logger.error(
                    "plugin did not erase", tenant=tenant.store.slug, plugin=plugin.id, error=failed[plugin.id]
                )
            else:
                asked.append(plugin.id)
    if not settled(platform.database, SETTLE_SECONDS):
        raise UnfinishedError(f"{erasure_id}: transactions that began before it are still open")
    announce(platform, tenant, erasure_id, done=True)
    progress = sweep(platform, tenant, erasure_id, asked=asked, failed=failed)
    fault_point("erasure.completed")
    if progress.failed:
        raise UnfinishedError(f"{erasure_id}: {', '.join(sorted(progress.failed))} outstanding")
    logger.info("member erased", tenant=tenant.store.slug, erasure=erasure_id)


def replay(platform: Platform, lines: Iterable[str]) -> int:
    """After a restore, carry out again what the restored database does not know; before anything serves.

    Ids that were given away after the backup are not given away again.

    Args:
        lines: The erasure list.

    Returns:
        How many erasures, and removals of tenants, were carried out.

    Raises:
        ValueError: A line is no erasure.
        UnfinishedError: One could not be completed; those after it in the list are still to do.
    """
    entries = erasure_list.read(lines)
    _lift_sequences(platform, entries)
    count = 0
    for entry in entries:
        try:
            with platform.database.directory() as connection:
                tenant = tenants.by_slug(connection, entry.slug)
        except NotFound:
            continue
        if tenant.id != entry.tenant:
            continue
        if entry.kind == "tenant":
            removal.remove(platform, tenant, by=entry.by, removal_id=entry.id)
            count += 1
            continue
        with platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
            again = reopen(platform, scope, entry)
        if again:
            complete(platform, tenant, entry.id)
            count += 1
    return count


def _ask(platform: Platform, tenant: Tenant, plugin: Installed, row: Row[Any], busy: Busy) -> None:
    """Let a plugin erase what the catalogue cannot know of."""
    with platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
        context = platform.inside(scope, tenant).context(plugin, cause=Cause(f"erase:{row.id}"))
        with scope.plugin_call(), busy(tenant=tenant.store.slug, plugin=plugin.id):
            for member in (row.member_id, *row.merged):
                plugin.plugin.erase_member(context, member)
        context.finish()


def _lift_sequences(platform: Platform, entries: Sequence[Entry]) -> None:
    newest_member = max((member for entry in entries for member in entry.members), default=0)
    newest_tenant = max((entry.tenant for entry in entries), default=0)
    with platform.database.owner.begin() as owner:
        if newest_member:
            owner.execute(LIFT_MEMBERS, {"most": newest_member})
        if newest_tenant:
            owner.execute(LIFT_TENANTS, {"most": newest_tenant})


def _read(scope: Scope, erasure_id: str) -> Row[Any]:
    row = scope.one(READ, id=erasure_id)
    if row is None:
        raise NotFound(f"there is no erasure {erasure_id!r}")
    return row
