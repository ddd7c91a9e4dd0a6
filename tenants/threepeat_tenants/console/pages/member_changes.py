"""What people do to a member: adjust a reward, exempt, suspend, merge with another."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from fastapi import APIRouter, Request, Response

from threepeat.events import adjusting, merging, profiles, roster
from threepeat.sdk.days import midnight
from threepeat.sdk.errors import Refused
from threepeat.sdk.wording import Wording, _
from threepeat.tenancy import identities, members
from threepeat.tenancy.errors import Conflict, Invalid, NotFound
from threepeat.tenancy.members import LONGEST_SUSPENSION, MAX_REASON, Member, Suspension
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import Visit
from threepeat_tenants.console.pages import around, whom
from threepeat_tenants.console.pages.members import STANDINGS, identity, show
from threepeat_tenants.console.rendering import render
from threepeat_tenants.forms.rewards import COLON

router = APIRouter()

GIVE, TAKE = "give", "take"

NOT_MERGED: Mapping[str, Wording] = {
    "same-member": _("The two are one member already."),
    "merged": _("One of the two was merged in the meantime. Look both up again."),
    "erased": _("One of the two is being erased."),
    "plugin-unavailable": _("A plugin that holds rows of the member may not run. Nothing was merged."),
    "merge-failed": _("A plugin cannot merge these members. Nothing was merged."),
}


@router.post("/store/{slug}/members/{number}/adjust")
def adjust(request: Request, desk: AppDesk, slug: str, number: str) -> Response:
    """Give a member a reward or take some of it, with a reason."""

    def work(visit: Visit) -> Response:
        found = whom.whom(visit, number)
        typed = whom.typed(visit, "kind", "direction", "amount", "reason", "key")
        kind, _colon, item = typed["kind"].partition(COLON)
        try:
            done = adjusting.adjust(
                visit.platform,
                visit.scope,
                visit.tenant,
                found.id,
                kind,
                _amount(typed),
                typed["reason"],
                item=item if typed["direction"] == GIVE else "",
                key=typed["key"],
                by=visit.by,
            )
        except Invalid as error:
            field = "kind" if error.field == "item" else error.field
            return show(visit, found, typed=typed, errors={field: visit.say(error.reason)})
        except (Conflict, NotFound) as error:
            return show(visit, found, typed=typed, errors={"kind": visit.say(error.args[0])})
        except Refused as error:
            keeper = kind.partition(".")[0]
            said = visit.say_plugin(keeper, error.reason)
            return show(visit, found, typed=typed, errors={"amount": said})
        name = around.kind_or_fact(visit, done.kind)
        notice = (
            _("That was done already. The member has {balance} {kind}.", balance=done.balance, kind=name)
            if done.repeated
            else _("Done. The member has {balance} {kind} now.", balance=done.balance, kind=name)
        )
        return visit.redirect(whom.address(visit, found.id), notice=notice)

    return desk.write(request, slug, work)


def _amount(typed: Mapping[str, str]) -> int:
    """What was typed, below zero if it is to be taken.

    Raises:
        Invalid: It is no whole number, or no direction was chosen.
    """
    if typed["direction"] not in {GIVE, TAKE}:
        raise Invalid("direction", _("choose one of the two"))
    given = typed["amount"]
    if not given.isascii() or not given.isdigit() or len(given) > 18:
        raise Invalid("amount", _("write a whole number above zero"))
    return int(given) if typed["direction"] == GIVE else -int(given)


@router.post("/store/{slug}/members/{number}/exempt")
def exempt(request: Request, desk: AppDesk, slug: str, number: str) -> Response:
    """Keep a member out of comparison groups, or let them in again."""

    def work(visit: Visit) -> Response:
        found = whom.whom(visit, number, hold=True)
        wanted = visit.form.get("exempt") == "yes"
        if wanted != found.exempt:
            members.change(visit.scope, found.id, exempt=wanted, by=visit.by)
        notice = (
            _("This member takes part in everything from now on.")
            if wanted
            else _("This member may be in a comparison group again.")
        )
        return visit.redirect(whom.address(visit, found.id), notice=notice)

    return desk.write(request, slug, work)


@router.post("/store/{slug}/members/{number}/suspend")
def suspend(request: Request, desk: AppDesk, slug: str, number: str) -> Response:
    """Let tactics hand out nothing to a member for a while."""

    def work(visit: Visit) -> Response:
        found = whom.whom(visit, number, hold=True)
        typed = whom.typed(visit, "until", "why")
        try:
            suspension = Suspension(_until(visit, typed["until"]), _why(typed["why"]))
        except Invalid as error:
            return show(visit, found, typed=typed, errors={error.field: visit.say(error.reason)})
        members.change(visit.scope, found.id, suspension=suspension, by=visit.by)
        notice = _("Suspended. Nothing is handed out to this member until then.")
        return visit.redirect(whom.address(visit, found.id), notice=notice)

    return desk.write(request, slug, work)


@router.post("/store/{slug}/members/{number}/reinstate")
def reinstate(request: Request, desk: AppDesk, slug: str, number: str) -> Response:
    """Lift a suspension."""

    def work(visit: Visit) -> Response:
        found = whom.whom(visit, number, hold=True)
        if found.suspended_until is not None:
            members.change(visit.scope, found.id, suspension=Suspension(None), by=visit.by)
        return visit.redirect(whom.address(visit, found.id), notice=_("The suspension is lifted."))

    return desk.write(request, slug, work)


def _until(visit: Visit, given: str) -> datetime:
    """The end of a local day.

    Raises:
        Invalid: It is no day, is over, or more than ten years away.
    """
    try:
        day = date.fromisoformat(given)
        end = midnight(day + timedelta(days=1), visit.tenant.store.timezone)
    except (ValueError, OverflowError):
        raise Invalid("until", _("choose a day")) from None
    if not visit.scope.now < end <= visit.scope.now + LONGEST_SUSPENSION:
        raise Invalid("until", _("choose a day from today on, at most ten years away"))
    return end


def _why(given: str) -> str | None:
    if len(given) > MAX_REASON:
        raise Invalid("why", _("use at most {n} characters", n=MAX_REASON))
    return given or None


@router.get("/store/{slug}/members/{number}/merge")
def ask_merge(request: Request, desk: AppDesk, slug: str, number: str) -> Response:
    """Look for the member who is the same person."""
    return desk.write(request, slug, lambda visit: _ask(visit, whom.whom(visit, number)))


@router.post("/store/{slug}/members/{number}/merge")
def find_other(request: Request, desk: AppDesk, slug: str, number: str) -> Response:
    """Search the other one."""

    def work(visit: Visit) -> Response:
        found = whom.whom(visit, number)
        search = whom.typed(visit, "q")["q"]
        try:
            others = roster.search(visit.scope, visit.platform.keyring, search)
        except Invalid as error:
            return _ask(visit, found, search, error=visit.say(error.reason))
        others = [one for one in others if one.id != found.id]
        exact = [one for one in others if one.exact]
        if len(exact) == 1:
            return visit.redirect(whom.address(visit, found.id, f"/merge/{exact[0].id}"))
        missing = "" if others else visit.say(_("Nobody else was found."))
        return _ask(visit, found, search, others, error=missing)

    return desk.write(request, slug, work)


def _ask(
    visit: Visit, found: Member, search: str = "", others: list[roster.Listed] | None = None, *, error: str = ""
) -> Response:
    return render(
        visit,
        "members/merge.html",
        status=422 if error else 200,
        member=found,
        here_at=whom.address(visit, found.id),
        search=search,
        others=others or [],
        error=error,
    )


@router.get("/store/{slug}/members/{number}/merge/{other}")
def preview(request: Request, desk: AppDesk, slug: str, number: str, other: str) -> Response:
    """Show both, and what merging them does."""

    def work(visit: Visit) -> Response:
        stays, goes = whom.whom(visit, number), whom.whom(visit, other)
        if stays.id == goes.id:
            notice = visit.say(NOT_MERGED["same-member"])
            return visit.redirect(whom.address(visit, stays.id), notice=notice, kind="note")
        opened = visit.platform.inside(visit.scope, visit.tenant)
        sides = [
            {
                "member": one,
                "identities": identities.of_member(visit.scope, one.id),
                "profile": profiles.read(opened, one.id),
            }
            for one in (stays, goes)
        ]
        return render(
            visit,
            "members/merging.html",
            sides=sides,
            stays=stays,
            goes=goes,
            here_at=whom.address(visit, stays.id),
            swapped=whom.address(visit, goes.id, f"/merge/{stays.id}"),
            plugin=lambda name: around.title(visit, name),
            kind=lambda name: around.kind_or_fact(visit, name),
            identity=lambda one: identity(visit, one),
            standing=lambda one: (visit.say(STANDINGS[one][0]), STANDINGS[one][1]),
        )

    return desk.write(request, slug, work)


@router.post("/store/{slug}/members/{number}/merge/{other}")
def merge(request: Request, desk: AppDesk, slug: str, number: str, other: str) -> Response:
    """Make one member of two, for good. A form that is sent twice finds them merged."""

    def work(visit: Visit) -> Response:
        stays, goes = whom.whom(visit, number), whom.whom(visit, other)
        if stays.id != goes.id:
            try:
                merging.merge(visit.platform, visit.scope, visit.tenant, goes.id, stays.id, by=visit.by)
            except Conflict as error:
                # It goes on, so that nothing of half a merge stays.
                raise Conflict(error.code, NOT_MERGED.get(error.code, error.args[0])) from error
        return visit.redirect(whom.address(visit, stays.id), notice=_("The two are one member now."))

    return desk.write(request, slug, work)
