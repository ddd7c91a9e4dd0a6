"""The three switches: installed by the operator, allowed by plan or tenant, enabled by the merchant."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError

from threepeat.database.engine import Scope
from threepeat.plugins import Installed, Registry
from threepeat.tenancy import audit, facts, holdout, kinds, settings
from threepeat.tenancy.errors import CapReached, Invalid, NotAllowed, NotFound, Stale
from threepeat.tenancy.keyring import Keyring
from threepeat.tenancy.settings import UNCHANGED, Unchanged
from threepeat.tenancy.tenants import Tenant

Act = Callable[[Scope, Tenant, Installed, str], Any]
"""Calls an acting hook of a plugin with a context of this transaction."""


class SwitchState(StrEnum):
    """Whether a plugin is on for a tenant; `closing` still keeps promises but makes no new ones."""

    ENABLED = "enabled"
    CLOSING = "closing"
    OFF = "off"


MAX_BUDGET = 10**15


@dataclass(frozen=True, slots=True)
class Activation:
    """How a plugin stands in a tenant.

    Attributes:
        slot: Its place among the enabled tactics, from 1.
        holdout_percent: Size of its comparison group.
        settings: The stored values, secrets sealed.
        revision: Counts the saves; a save names the revision that it read.
        paused: Why the worker hands it nothing, if it rests after too many dead letters.
        monthly_budget: What its rewards may cost in a month, in minor units; None is no limit.
    """

    plugin: str
    state: SwitchState
    slot: int | None
    holdout_percent: int
    holdout_key: bytes = field(repr=False)
    settings: Mapping[str, Any]
    settings_version: int
    revision: int
    paused: str | None = None
    monthly_budget: int | None = None


READ = text("""
    SELECT a.*, c.paused_at, c.paused_reason FROM core.activation a
    LEFT JOIN core.cursor c USING (tenant_id, plugin) WHERE a.tenant_id = :tenant
""")
# A turn that is under way ends first, so what it gives is seen when obligations are counted; a turn that begins
# later sees the new state. Cursors come first in the order of locks.
LOCK_CURSORS = text("SELECT FROM core.cursor WHERE tenant_id = :tenant ORDER BY plugin FOR UPDATE")
LOCK = text("""
    SELECT plugin, state, slot FROM core.activation
    WHERE tenant_id = :tenant AND plugin = ANY(CAST(:plugins AS text[])) ORDER BY plugin FOR UPDATE
""")
# A command takes no cursor, for it would wait for whole turns; so it shares a lock that a switch has alone.
STILL = "pg_advisory_xact_lock_shared(hashtextextended('threepeat.switch', :tenant))"
SHARE = text(f"SELECT {STILL}")
CLOSE_OFF = text("SELECT pg_advisory_xact_lock(hashtextextended('threepeat.switch', :tenant))")
ALLOWANCE = text("""
    SELECT p.tactic_cap, p.plugins, coalesce(
        (SELECT jsonb_object_agg(a.plugin, a.allowed) FROM core.allowance a WHERE a.tenant_id = :tenant), '{}'
    ) AS own
    FROM core.plan p WHERE p.id = :plan
""")
ALLOW = text("""
    INSERT INTO core.allowance (tenant_id, plugin, allowed, changed_by) VALUES (:tenant, :plugin, :allowed, :by)
    ON CONFLICT (tenant_id, plugin) DO UPDATE
    SET allowed = excluded.allowed, changed_at = transaction_timestamp(), changed_by = excluded.changed_by
""")
# The unique key on (tenant_id, slot) is what holds the cap: two who take the same slot cannot both commit.
SWITCH_ON = text("""
    INSERT INTO core.activation (tenant_id, plugin, state, slot, holdout_percent, holdout_key, changed_by)
    VALUES (:tenant, :plugin, 'enabled', (
        SELECT min(s) FROM generate_series(1, :cap) AS s
        WHERE NOT EXISTS (SELECT FROM core.activation a WHERE a.tenant_id = :tenant AND a.slot = s)
    ), :percent, :key, :by)
    ON CONFLICT (tenant_id, plugin) DO UPDATE
    SET state = 'enabled', slot = excluded.slot,
        changed_at = transaction_timestamp(), changed_by = excluded.changed_by
    RETURNING slot
""")
SWITCH_OFF = text("""
    UPDATE core.activation
    SET state = :state, slot = NULL, changed_at = transaction_timestamp(), changed_by = :by
    WHERE tenant_id = :tenant AND plugin = :plugin
""")
# Whoever comes from "off" starts at the head; whoever is closing has been reading all along.
START_AT_HEAD = text("""
    INSERT INTO core.cursor (tenant_id, plugin, position)
    SELECT :tenant, :plugin, head FROM core.stream WHERE tenant_id = :tenant
    ON CONFLICT (tenant_id, plugin) DO UPDATE
    SET position = excluded.position, letters = 0, paused_at = NULL, paused_reason = NULL
""")
ASK_LATER = text("""
    INSERT INTO core.timer (tenant_id, plugin, kind, name, key, due_at)
    VALUES (:tenant, 'core', 'timer', 'closing', :plugin, core.now() + interval '1 minute')
    ON CONFLICT (tenant_id, plugin, kind, name, key) DO UPDATE SET due_at = excluded.due_at
""")
RESUME = text("""
    UPDATE core.cursor SET paused_at = NULL, paused_reason = NULL, letters = 0
    WHERE tenant_id = :tenant AND plugin = :plugin AND paused_at IS NOT NULL
""")
WAKE = text("INSERT INTO core.backlog (tenant_id) VALUES (:tenant)")
SAVE = text("""
    UPDATE core.activation
    SET settings = CAST(:settings AS jsonb), settings_version = :version, revision = revision + 1,
        holdout_percent = coalesce(:percent, holdout_percent),
        monthly_budget = CASE WHEN :budgeted THEN CAST(:budget AS bigint) ELSE monthly_budget END,
        changed_at = transaction_timestamp(), changed_by = :by
    WHERE tenant_id = :tenant AND plugin = :plugin AND revision = :revision
""")
PREPARE = text("""
    INSERT INTO core.activation (tenant_id, plugin, state, holdout_percent, holdout_key, changed_by)
    VALUES (:tenant, :plugin, 'off', :percent, :key, :by) ON CONFLICT DO NOTHING
""")


def activations(scope: Scope) -> dict[str, Activation]:
    """Every plugin that the tenant ever touched, by id."""
    return {row.plugin: _activation(row) for row in scope.run(READ)}


def allowed(scope: Scope, tenant: Tenant, registry: Registry) -> tuple[int, frozenset[str]]:
    """The plan's cap on enabled tactics, and the installed plugins that the tenant may have."""
    row = scope.one(ALLOWANCE, plan=tenant.plan)
    if row is None:
        raise NotFound(f"there is no plan {tenant.plan!r}")
    names = (plugin.id for plugin in registry)
    return row.tactic_cap, frozenset(
        name for name in names if row.own.get(name, row.plugins is None or name in row.plugins)
    )


def allow(scope: Scope, plugin: str, *, allowed: bool, by: str) -> None:
    """Allow or forbid a plugin to this tenant, whatever its plan says; operator work."""
    scope.run(ALLOW, plugin=plugin, allowed=allowed, by=by)
    audit.record(scope, by, "plugin.allowed" if allowed else "plugin.forbidden", plugin)


def open_services(scope: Scope, tenant: Tenant, registry: Registry, *, by: str, act: Act) -> None:
    """Switch on every service that the tenant may have."""
    _, permitted = allowed(scope, tenant, registry)
    for plugin in registry:
        if plugin.manifest.kind == "service" and plugin.id in permitted:
            _switch_on(scope, tenant, plugin, cap=0, by=by, act=act)


def enable(
    scope: Scope,
    tenant: Tenant,
    registry: Registry,
    plugin_id: str,
    *,
    by: str,
    act: Act,
    replace: str | None = None,
) -> Activation:
    """Switch a plugin on; with `replace`, swap it for another tactic in the same transaction.

    Raises:
        NotFound: No such plugin is installed.
        NotAllowed: The operator does not allow it, or it is quarantined.
        CapReached: All slots are taken and `replace` names none of the tactics that hold them.
        Invalid: `replace` names a tactic that is not on.
    """
    plugin = _permitted(scope, tenant, registry, plugin_id)
    cap, _ = allowed(scope, tenant, registry)
    # A row that is there can be locked: whoever enables the same plugin at the same time has to wait.
    scope.run(PREPARE, **_fresh(plugin, by))
    locked = _locked(scope, [plugin_id, *([replace] if replace else [])])
    if locked[plugin_id].state != SwitchState.ENABLED:
        if replace is not None:
            if replace not in locked or locked[replace].slot is None:
                raise Invalid("replace", f"{replace!r} is not a tactic that is on")
            _close(scope, tenant, registry, replace, by=by, act=act)
        for need in plugin.manifest.requires:
            _switch_on(scope, tenant, _permitted(scope, tenant, registry, need), cap=0, by=by, act=act)
        _switch_on(scope, tenant, plugin, cap=cap, by=by, act=act)
    return activations(scope)[plugin_id]


def disable(scope: Scope, tenant: Tenant, registry: Registry, plugin_id: str, *, by: str, act: Act) -> Activation:
    """Switch a plugin off: at once if it owes nothing, else it is closing until it does not.

    A quarantined plugin gives its slot back too; as it cannot be asked what it owes, it stays closing.

    Raises:
        NotFound: The tenant never had it.
        Invalid: An enabled tactic stands on it.
    """
    if plugin_id not in registry and plugin_id not in registry.quarantined:
        raise NotFound(f"{plugin_id!r} is not on")
    locked = _locked(scope, [plugin_id])
    if plugin_id not in locked:
        raise NotFound(f"{plugin_id!r} is not on")
    on = (name for name, found in activations(scope).items() if found.state is not SwitchState.OFF)
    users = [name for name in on if name in registry and plugin_id in registry[name].manifest.requires]
    if users:
        raise Invalid("plugin", f"{', '.join(users)} stands on {plugin_id!r}")
    if locked[plugin_id].state == SwitchState.ENABLED:
        _close(scope, tenant, registry, plugin_id, by=by, act=act)
    elif locked[plugin_id].state == SwitchState.CLOSING and plugin_id in registry:
        _end(scope, tenant, registry[plugin_id], by=by, act=act)
    return activations(scope)[plugin_id]


def end_closing(scope: Scope, tenant: Tenant, registry: Registry, plugin_id: str, *, act: Act) -> bool:
    """Switch a closing plugin off if it owes nothing any more; the worker asks from time to time.

    Returns:
        Whether there is nothing left to ask: it is off, or was switched on again.
    """
    locked = _locked(scope, [plugin_id])
    if plugin_id not in locked or locked[plugin_id].state != SwitchState.CLOSING:
        return True
    return plugin_id in registry and _end(scope, tenant, registry[plugin_id], by="threepeat", act=act)


def resume(scope: Scope, plugin_id: str, *, by: str) -> None:
    """Let a plugin go on that rests after too many dead letters in a row; it goes on where it stopped.

    Raises:
        NotFound: It does not rest.
    """
    if scope.count(RESUME, plugin=plugin_id) == 0:
        raise NotFound(f"{plugin_id!r} is not paused")
    audit.record(scope, by, "plugin.resumed", plugin_id)
    scope.run(WAKE)


def save_settings(
    scope: Scope,
    tenant: Tenant,
    registry: Registry,
    keyring: Keyring,
    plugin_id: str,
    given: Mapping[str, Any],
    *,
    revision: int | None,
    holdout_percent: int | None = None,
    monthly_budget: int | Unchanged | None = UNCHANGED,
    by: str,
) -> Activation:
    """Check and store a plugin's settings.

    Args:
        given: The whole settings; a secret that is left out stays as it is.
        revision: The revision that the caller read; None before the first save.
        holdout_percent: A new size of the comparison group.
        monthly_budget: What its rewards may cost in a month, in minor units; None lifts the limit.

    Raises:
        Invalid: A value is not acceptable.
        Stale: Somebody else saved in between.
    """
    plugin = _permitted(scope, tenant, registry, plugin_id)
    if holdout_percent is not None:
        if plugin.manifest.holdout == "none" and holdout_percent:
            raise Invalid(
                "holdout_percent", f"{plugin_id!r} has no comparison group: its members influence each other"
            )
        if not 0 <= holdout_percent <= holdout.MAX_PERCENT:
            raise Invalid("holdout_percent", f"choose 0 to {holdout.MAX_PERCENT}")
    if isinstance(monthly_budget, int) and not 0 <= monthly_budget <= MAX_BUDGET:
        raise Invalid("monthly_budget", f"choose 0 to {MAX_BUDGET}, in minor units")
    scope.run(PREPARE, **_fresh(plugin, by))
    found = activations(scope)
    current, model = found[plugin_id], plugin.plugin.settings_model
    enabled = {name for name, one in found.items() if one.state is SwitchState.ENABLED}
    place = settings_place(tenant.id, plugin_id)
    stored = settings.store(
        model,
        given,
        settings.renewed(model, current.settings, current.settings_version, keyring, place),
        keyring,
        place,
        facts.catalogue(registry),
        kinds.offered(registry, enabled, plugin_id),
    )
    saved = scope.count(
        SAVE,
        plugin=plugin_id,
        settings=orjson.dumps(stored).decode(),
        version=model.version,
        percent=holdout_percent,
        budgeted=monthly_budget is not UNCHANGED,
        budget=None if monthly_budget is UNCHANGED else monthly_budget,
        by=by,
        revision=revision if revision is not None else current.revision,
    )
    if saved == 0:
        raise Stale(f"the settings of {plugin_id!r} were saved by somebody else; read them again")
    after = activations(scope)[plugin_id]
    audit.record(scope, by, "settings.saved", plugin_id, revision=after.revision, changed=_changed(current, after))
    return after


def settings_place(tenant_id: int, plugin_id: str) -> str:
    """Where a plugin's settings are stored, as part of what its sealed secrets authenticate."""
    return f"activation/{tenant_id}/{plugin_id}"


def stand_still(scope: Scope) -> None:
    """Keep the switches as they are until this transaction ends; a switch waits for it, or it for the switch.

    Commands and the outcomes of calls to the outside begin with it: what they promise is seen when a switch counts
    what is owed.
    """
    scope.run(SHARE)


def _locked(scope: Scope, plugins: Iterable[str]) -> dict[str, Row[Any]]:
    scope.run(LOCK_CURSORS)
    locked = {row.plugin: row for row in scope.run(LOCK, plugins=list(plugins))}
    scope.run(CLOSE_OFF)
    return locked


def _permitted(scope: Scope, tenant: Tenant, registry: Registry, plugin_id: str) -> Installed:
    if plugin_id not in registry:
        if plugin_id in registry.quarantined:
            raise NotAllowed(f"{plugin_id!r} is quarantined: {registry.quarantined[plugin_id].reason}")
        raise NotFound(f"there is no plugin {plugin_id!r}")
    if plugin_id not in allowed(scope, tenant, registry)[1]:
        raise NotAllowed(f"the operator does not allow {plugin_id!r} to this store")
    return registry[plugin_id]


def _switch_on(scope: Scope, tenant: Tenant, plugin: Installed, *, cap: int, by: str, act: Act) -> None:
    scope.run(PREPARE, **_fresh(plugin, by))
    scope.run(LOCK, plugins=[plugin.id])
    before = activations(scope)[plugin.id]
    if before.state is SwitchState.ENABLED:
        return
    tactic = plugin.manifest.kind == "tactic"
    for attempt in range(cap + 1):
        try:
            with scope.connection.begin_nested():
                slot = scope.run(SWITCH_ON, cap=cap, **_fresh(plugin, by))[0].slot
                if tactic and slot is None:
                    raise CapReached(cap, _slotted(activations(scope).values()))
        except IntegrityError:
            if attempt == cap:
                raise
        else:
            break
    if before.state is SwitchState.OFF:
        scope.run(START_AT_HEAD, plugin=plugin.id)
    scope.run(WAKE)
    audit.record(scope, by, "plugin.enabled", plugin.id)
    act(scope, tenant, plugin, "on_enabled")


def _close(scope: Scope, tenant: Tenant, registry: Registry, plugin_id: str, *, by: str, act: Act) -> None:
    scope.run(SWITCH_OFF, plugin=plugin_id, state=SwitchState.CLOSING, by=by)
    audit.record(scope, by, "plugin.closing", plugin_id)
    if plugin_id in registry.quarantined:
        return
    plugin = registry[plugin_id]
    act(scope, tenant, plugin, "on_closing")
    if not _end(scope, tenant, plugin, by=by, act=act):
        scope.run(ASK_LATER, plugin=plugin_id)
        scope.run(WAKE)


def _end(scope: Scope, tenant: Tenant, plugin: Installed, *, by: str, act: Act) -> bool:
    """Switch a closing plugin off if it owes nothing any more."""
    if list(act(scope, tenant, plugin, "open_obligations")):
        return False
    scope.run(SWITCH_OFF, plugin=plugin.id, state=SwitchState.OFF, by=by)
    audit.record(scope, by, "plugin.off", plugin.id)
    act(scope, tenant, plugin, "on_disabled")
    return True


def _fresh(plugin: Installed, by: str) -> dict[str, Any]:
    percent = holdout.DEFAULT_PERCENT if plugin.manifest.holdout == "member" else 0
    return {"plugin": plugin.id, "percent": percent, "key": secrets.token_bytes(16), "by": by}


def _changed(before: Activation, after: Activation) -> list[str]:
    """The names of what a save changed; never the values, some of which are secret."""
    names = {*before.settings, *after.settings}
    found = [name for name in sorted(names) if before.settings.get(name) != after.settings.get(name)]
    return found + [
        name for name in ("holdout_percent", "monthly_budget") if getattr(before, name) != getattr(after, name)
    ]


def _slotted(found: Iterable[Activation]) -> list[str]:
    return [one.plugin for one in sorted(found, key=lambda one: one.slot or 0) if one.slot is not None]


def _activation(row: Row[Any]) -> Activation:
    return Activation(
        row.plugin,
        SwitchState(row.state),
        row.slot,
        row.holdout_percent,
        bytes(row.holdout_key),
        row.settings,
        row.settings_version,
        row.revision,
        row.paused_reason,
        row.monthly_budget,
    )
