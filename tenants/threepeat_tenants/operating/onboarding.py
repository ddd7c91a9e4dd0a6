"""Onboarding: a store that stands, with tactics on, a key to send with and its owner's way in. All or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from threepeat.database.engine import Scope
from threepeat.events import refusals
from threepeat.events.platform import Platform
from threepeat.events.refusals import Refusal
from threepeat.events.stores import OPENING, opening
from threepeat.sdk.wording import Wording, _
from threepeat.tenancy import audit, keys, switches, tenants
from threepeat.tenancy.errors import Conflict, Invalid, NotFound
from threepeat.tenancy.tenants import Tenant
from threepeat_tenants.accounts import links, staff
from threepeat_tenants.accounts.people import Role
from threepeat_tenants.operating import blueprints, plans
from threepeat_tenants.operating.blueprints import Blueprint, Proposal
from threepeat_tenants.operating.checking import line

MAX_NAME = 100
FIRST_KEY = "first ingest key"
LATE = 20

# What plugins answer with is deeper; only the store's own events count.
FIRST = text("""
    SELECT type, source, received_at FROM core.event
    WHERE tenant_id = :tenant AND depth = 0 ORDER BY position LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class Onboarded:
    """A store that was just opened.

    Attributes:
        ingest_key: Shown this once.
        owner_link: The opaque part of the owner's one-time link, shown this once.
        tactics: What is on.
        notes: What the blueprint proposes and could not be switched on, and why.
    """

    tenant: Tenant
    ingest_key: str
    owner_link: str
    tactics: tuple[str, ...]
    notes: tuple[Wording, ...]


@dataclass(frozen=True, slots=True)
class FirstEvent:
    """Whether a store is connected.

    Attributes:
        received_at: When its first event came; None if none did yet.
        type: What that was.
        source: Who sent it, as the store names it.
        refusals: What it sent of late that could not be taken, newest first.
    """

    received_at: datetime | None
    type: str | None
    source: str | None
    refusals: Sequence[Refusal]


def onboard(
    platform: Platform,
    *,
    slug: str,
    name: str,
    blueprint: str | None,
    plan: str = "standard",
    currency: str = "CNY",
    timezone: str = "Asia/Shanghai",
    owner_name: str,
    owner_email: str | None = None,
    owner_phone: str | None = None,
    by: str,
) -> Onboarded:
    """Open a store with its services, a blueprint's tactics, an ingest key and its owner.

    Args:
        blueprint: Whose tactics to begin with; none if None.

    Raises:
        Invalid: A value is not acceptable; the message names the field.
        Conflict: A store of this short name is there already.
        BlueprintError: A blueprint breaks a rule.
    """
    name = line("name", name, MAX_NAME)
    if slug in tenants.RESERVED:
        raise Invalid("slug", _("this word is not free; choose another one"))
    chosen = _chosen(platform, blueprint)
    if not plans.ID.fullmatch(plan):
        raise Invalid("plan", _("there is no plan {plan}", plan=repr(plan)))
    _require_free(platform, slug)
    with opening(
        platform,
        slug,
        name=name,
        plan=plan,
        currency=currency,
        timezone=timezone,
        blueprint=chosen.id if chosen else None,
        by=by,
    ) as (tenant, scope):
        switches.open_services(scope, tenant, platform.registry, by=by, act=platform.act)
        on, notes = _switch_on(platform, scope, tenant, chosen, by) if chosen else ([], [])
        key = keys.create_key(scope, platform.keyring, FIRST_KEY, ["ingest"], by=by)
        owner = _owner(scope, owner_name, owner_email, owner_phone, by)
        link = links.make_staff_link(scope, platform.keyring, owner, by)
        audit.record(scope, by, "store.onboarded", slug, plan=plan, blueprint=blueprint, tactics=on)
    return Onboarded(tenant, key, link, tuple(on), tuple(notes))


def first_event(scope: Scope) -> FirstEvent:
    """Whether the store's first event has come, and what it sent that could not be taken."""
    row = scope.one(FIRST)
    late = refusals.recent(scope, limit=LATE)
    return FirstEvent(row.received_at, row.type, row.source, late) if row else FirstEvent(None, None, None, late)


def _chosen(platform: Platform, blueprint: str | None) -> Blueprint | None:
    if blueprint is None:
        return None
    try:
        return blueprints.get(platform.registry, blueprint)
    except NotFound as error:
        raise Invalid("blueprint", str(error)) from None


def _require_free(platform: Platform, slug: str) -> None:
    """Two at once are told apart by the unique key; this says it in words that fit."""
    if not tenants.SLUG.fullmatch(slug):
        return
    try:
        with platform.database.directory() as connection:
            found = tenants.by_slug(connection, slug)
    except NotFound:
        return
    if found.suspended_reason != OPENING:
        raise Conflict("slug-taken", f"there is a store {slug!r} already")


def _switch_on(
    platform: Platform, scope: Scope, tenant: Tenant, blueprint: Blueprint, by: str
) -> tuple[list[str], list[Wording]]:
    """Switch a blueprint's tactics on and set them, as far as the plan goes."""
    registry = platform.registry
    cap, permitted = switches.allowed(scope, tenant, registry)
    on: list[str] = []
    notes: list[Wording] = []
    chosen: list[Proposal] = []
    for proposal in blueprints.propose(blueprint, registry, permitted):
        note = proposal.note
        if note is None and len(on) >= cap:
            note = _("{tactic} has no slot left: the plan has {n}", tactic=proposal.choice.id, n=cap)
        if note is not None:
            notes.append(note)
            continue
        switches.enable(scope, tenant, registry, proposal.choice.id, by=by, act=platform.act)
        on.append(proposal.choice.id)
        chosen.append(proposal)
    # One tactic's settings may name a reward that another keeps: all are on before any is set.
    for proposal in chosen:
        _set(platform, scope, tenant, proposal, by)
    return on, notes


def _set(platform: Platform, scope: Scope, tenant: Tenant, proposal: Proposal, by: str) -> None:
    choice = proposal.choice
    if not choice.settings and choice.holdout_percent is None:
        return
    switches.save_settings(
        scope,
        tenant,
        platform.registry,
        platform.keyring,
        choice.id,
        choice.settings,
        revision=None,
        holdout_percent=choice.holdout_percent,
        by=by,
    )


def _owner(scope: Scope, name: str, email: str | None, phone: str | None, by: str) -> int:
    """Add the owner; a field that is wrong is named as the caller wrote it."""
    try:
        return staff.add(scope, name=name, role=Role.OWNER, email=email, phone=phone, by=by).id
    except Invalid as error:
        raise Invalid(f"owner_{error.field}", error.reason) from None
