"""Plans: how many tactics a store may have on, which plugins, and how much it may send."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import IntegrityError

from threepeat.database.engine import Scope
from threepeat.plugins import Registry
from threepeat.sdk.wording import _, ngettext
from threepeat.tenancy import audit, switches
from threepeat.tenancy.errors import Invalid, NotFound, Stale
from threepeat.tenancy.tenants import Tenant
from threepeat_tenants.operating.checking import line, whole

ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
MAX_CAP = 17
MAX_RATE = 1_000_000
MAX_PLUGINS = 200

# What is on is counted apart from who is on the plan: a lowered cap leaves it on.
READ = text("""
    SELECT p.id, p.title, p.tactic_cap, p.plugins, p.requests_per_second, p.events_per_second,
           coalesce(t.stores, 0) AS stores, coalesce(t.above, 0) AS above
    FROM core.plan p LEFT JOIN (
        SELECT n.plan, count(*) AS stores, count(*) FILTER (WHERE o.tactics > q.tactic_cap) AS above
        FROM core.tenant n JOIN core.plan q ON q.id = n.plan
        LEFT JOIN (
            SELECT tenant_id, count(*) AS tactics FROM core.activation WHERE slot IS NOT NULL GROUP BY tenant_id
        ) o ON o.tenant_id = n.id
        WHERE CAST(:id AS text) IS NULL OR n.plan = :id
        GROUP BY n.plan
    ) t ON t.plan = p.id
    WHERE CAST(:id AS text) IS NULL OR p.id = :id
    ORDER BY p.id
""")
SET = text("""
    INSERT INTO core.plan AS p (id, title, tactic_cap, plugins, requests_per_second, events_per_second)
    VALUES (:id, :title, :cap, CAST(:plugins AS text[]), :requests, :events)
    ON CONFLICT (id) DO UPDATE
    SET title = excluded.title, tactic_cap = excluded.tactic_cap, plugins = excluded.plugins,
        requests_per_second = excluded.requests_per_second, events_per_second = excluded.events_per_second
""")
MAKE = text("""
    INSERT INTO core.plan (id, title, tactic_cap, plugins, requests_per_second, events_per_second)
    VALUES (:id, :title, :cap, CAST(:plugins AS text[]), :requests, :events) ON CONFLICT (id) DO NOTHING
""")
HOLD = text("SELECT FROM core.plan WHERE id = :id FOR UPDATE")
DELETE = text("DELETE FROM core.plan WHERE id = :id")
ASSIGN = text("UPDATE core.tenant SET plan = :plan WHERE id = :tenant AND plan <> :plan")
ALLOWANCES = text("""
    SELECT plugin, allowed, changed_at, changed_by FROM core.allowance WHERE tenant_id = :tenant ORDER BY plugin
""")
FOLLOW = text("DELETE FROM core.allowance WHERE tenant_id = :tenant AND plugin = :plugin")


@dataclass(frozen=True, slots=True)
class Plan:
    """What the stores on it may have.

    Attributes:
        cap: Tactics that may be on at a time, 0 to 17.
        plugins: The plugins that it allows; None allows all.
        requests_per_second: Of one store; None is the server's own limit.
        events_per_second: The same for events.
        stores: How many are on it.
        above: How many of these have more tactics on than the cap: they keep them, and get no further one.
    """

    id: str
    title: str
    cap: int
    plugins: tuple[str, ...] | None
    requests_per_second: int | None
    events_per_second: int | None
    stores: int = 0
    above: int = 0

    @property
    def mark(self) -> str:
        """Changes whenever the plan does: what `set_plan` is given back by who read it."""
        values = (self.title, self.cap, self.plugins, self.requests_per_second, self.events_per_second)
        return sha256(repr(values).encode()).hexdigest()[:16]


def list_plans(ops: Connection) -> Sequence[Plan]:
    """All plans by id."""
    return [_plan(row) for row in ops.execute(READ, {"id": None})]


def get_plan(ops: Connection, plan_id: str) -> Plan:
    """One plan.

    Raises:
        NotFound: There is none of this id.
    """
    row = ops.execute(READ, {"id": plan_id}).one_or_none() if ID.fullmatch(plan_id) else None
    if row is None:
        raise NotFound(f"there is no plan {plan_id!r}")
    return _plan(row)


def set_plan(
    ops: Connection,
    registry: Registry,
    plan_id: str,
    *,
    title: str,
    cap: int = 3,
    plugins: Collection[str] | None = None,
    requests_per_second: int | None = None,
    events_per_second: int | None = None,
    read: str | None = None,
    by: str,
) -> Plan:
    """Make a plan or change it as a whole. Nothing is switched off by it; limits count within a minute.

    Args:
        read: The `mark` of the plan that the caller read, which has to be the same still; empty: the plan may not
            be there yet; None: whatever is there.

    Raises:
        Invalid: A value is not acceptable, or a new plan's id is taken.
        Stale: Somebody else changed or deleted it since it was read.
    """
    if not ID.fullmatch(plan_id):
        raise Invalid("id", _("use 1 to 63 lower-case letters, digits and hyphens"))
    values = {
        "id": plan_id,
        "title": line("title", title, 100),
        "cap": whole("cap", cap, 0, MAX_CAP),
        "plugins": _known(registry, plugins),
        "requests": _rate("requests_per_second", requests_per_second),
        "events": _rate("events_per_second", events_per_second),
    }
    if read == "" and ops.execute(MAKE, values).rowcount == 0:
        raise Invalid("id", _("another plan has this id"))
    if read:
        _require_unchanged(ops, plan_id, read)
    if read != "":
        ops.execute(SET, values)
    changed = {name: value for name, value in values.items() if name != "id"}
    audit.record_for_operators(ops, by, "plan.set", plan_id, **changed)
    return get_plan(ops, plan_id)


def delete_plan(ops: Connection, plan_id: str, *, by: str) -> None:
    """Delete a plan that no store is on.

    Raises:
        NotFound: There is none of this id.
        Invalid: Stores are on it.
    """
    plan = get_plan(ops, plan_id)
    try:
        with ops.begin_nested():
            ops.execute(DELETE, {"id": plan_id})
    except IntegrityError:
        raise Invalid(
            "id",
            ngettext(
                "{n} store is on this plan; move it to another one first",
                "{n} stores are on this plan; move them to another one first",
                plan.stores,
                n=plan.stores,
            ),
        ) from None
    audit.record_for_operators(ops, by, "plan.deleted", plan_id)


def assign(ops: Connection, tenant: Tenant, plan_id: str, *, by: str) -> Plan:
    """Move a store to another plan; what is on stays on.

    Raises:
        Invalid: There is no such plan.
    """
    try:
        get_plan(ops, plan_id)
    except NotFound:
        raise Invalid("plan", _("there is no plan {plan}", plan=repr(plan_id))) from None
    try:
        with ops.begin_nested():
            moved = ops.execute(ASSIGN, {"tenant": tenant.id, "plan": plan_id}).rowcount
    except IntegrityError:  # somebody deletes it at the same time
        raise Invalid("plan", _("there is no plan {plan}", plan=repr(plan_id))) from None
    if moved:
        audit.record(Scope(ops, tenant.id), by, "plan.assigned", plan_id, before=tenant.plan)
    return get_plan(ops, plan_id)


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether a store may have a plugin.

    Attributes:
        allowed: What counts.
        own: What was decided for this store, whatever its plan says; None if the plan decides.
    """

    plugin: str
    allowed: bool
    own: bool | None


def allowances(scope: Scope, tenant: Tenant, registry: Registry) -> Sequence[Allowance]:
    """Each installed plugin and whether the store may have it."""
    _, permitted = switches.allowed(scope, tenant, registry)
    own = {row.plugin: row.allowed for row in scope.run(ALLOWANCES)}
    return [Allowance(plugin.id, plugin.id in permitted, own.get(plugin.id)) for plugin in registry]


def allow(scope: Scope, registry: Registry, plugin: str, *, allowed: bool | None, by: str) -> None:
    """Decide for one store whether it may have a plugin; None leaves it to its plan again.

    Raises:
        NotFound: No such plugin is installed.
    """
    if plugin not in registry and plugin not in registry.quarantined:
        raise NotFound(f"there is no plugin {plugin!r}")
    if allowed is not None:
        switches.allow(scope, plugin, allowed=allowed, by=by)
    elif scope.count(FOLLOW, plugin=plugin):
        audit.record(scope, by, "plugin.by-plan", plugin)


def _require_unchanged(ops: Connection, plan_id: str, read: str) -> None:
    """Hold the plan and see that it is as it was read."""
    ops.execute(HOLD, {"id": plan_id})
    row = ops.execute(READ, {"id": plan_id}).one_or_none()
    if row is None or _plan(row).mark != read:
        raise Stale(f"somebody else changed the plan {plan_id!r}; read it again")


def _known(registry: Registry, plugins: Collection[str] | None) -> list[str] | None:
    if plugins is None:
        return None
    if len(plugins) > MAX_PLUGINS:
        raise Invalid("plugins", _("name at most {n}", n=MAX_PLUGINS))
    known = {*(plugin.id for plugin in registry), *registry.quarantined}
    unknown = sorted(set(plugins) - known)
    if unknown:
        choices = ", ".join(sorted(known))
        raise Invalid(
            "plugins", _("{plugin} is not installed; choose from {choices}", plugin=unknown[0], choices=choices)
        )
    return sorted(set(plugins))


def _rate(field: str, value: int | None) -> int | None:
    return None if value is None else whole(field, value, 1, MAX_RATE)


def _plan(row: Row[Any]) -> Plan:
    return Plan(
        row.id,
        row.title,
        row.tactic_cap,
        tuple(row.plugins) if row.plugins is not None else None,
        row.requests_per_second,
        row.events_per_second,
        row.stores,
        row.above,
    )
