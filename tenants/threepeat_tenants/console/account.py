"""One's own account: language, password, and where one is signed in."""

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from threepeat.sdk.wording import _, ngettext
from threepeat.tenancy.errors import Invalid
from threepeat_tenants.accounts import sessions, signin
from threepeat_tenants.accounts.throttle import TooManyAttempts
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.entry import too_many
from threepeat_tenants.console.page import OperatorVisit, SignedIn, Visit
from threepeat_tenants.console.rendering import render

router = APIRouter()

BROWSERS = (
    ("MicroMessenger", "WeChat"),
    ("Edg", "Edge"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("HarmonyOS", "HarmonyOS"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)
"""What stands in a browser's name for itself, the telling ones first: most claim to be several."""

ENDED = _("That session is over.")
CHANGED = _("Your password is changed. You are signed out everywhere else.")


@router.get("/store/{slug}/account")
def store_account(request: Request, desk: AppDesk, slug: str) -> Response:
    """The account of a member of staff."""
    return desk.read(request, slug, lambda visit: _show(visit, sessions.list_staff(visit.scope, visit.person.id)))


@router.get("/operator/account")
def operator_account(request: Request, desk: AppDesk) -> Response:
    """The account of an operator."""
    return desk.operator(request, lambda visit: _show(visit, _operator_sessions(visit)))


@router.post("/store/{slug}/account/sessions/{session_id}/end")
def end_store_session(request: Request, desk: AppDesk, slug: str, session_id: str) -> Response:
    """End one of one's own sessions."""

    def work(visit: Visit) -> Response:
        sessions.end_staff(visit.scope, session_id, by=visit.by, staff_id=visit.person.id)
        return visit.redirect(f"{visit.root}/account", notice=ENDED)

    return desk.read(request, slug, work)


@router.post("/operator/account/sessions/{session_id}/end")
def end_operator_session(request: Request, desk: AppDesk, session_id: str) -> Response:
    """End one of one's own sessions."""

    def work(visit: OperatorVisit) -> Response:
        with visit.ops() as connection:
            sessions.end_operator(connection, session_id, by=visit.by, operator_id=visit.person.id)
        return visit.redirect(f"{visit.root}/account", notice=ENDED)

    return desk.operator(request, work)


@router.post("/store/{slug}/account/sessions/end-others")
def end_other_store_sessions(request: Request, desk: AppDesk, slug: str) -> Response:
    """End all of one's own sessions but this one."""

    def work(visit: Visit) -> Response:
        return _ended(visit, sessions.end_other_staff(visit.scope, visit.session))

    return desk.read(request, slug, work)


@router.post("/operator/account/sessions/end-others")
def end_other_operator_sessions(request: Request, desk: AppDesk) -> Response:
    """End all of one's own sessions but this one."""

    def work(visit: OperatorVisit) -> Response:
        with visit.ops() as connection:
            count = sessions.end_other_operator(connection, visit.session)
        return _ended(visit, count)

    return desk.operator(request, work)


@router.post("/store/{slug}/account/password")
def change_store_password(request: Request, desk: AppDesk, slug: str) -> Response:
    """Change one's own password; all other sessions end."""

    def work(visit: Visit) -> Response:
        def change(current: str, new: str, address: str) -> tuple[str, sessions.Session]:
            return signin.change_staff_password(
                visit.platform, visit.tenant, visit.session, current, new, address=address
            )

        return _change(visit, change, desk.console.cookies.staff)

    def shown(visit: Visit) -> Response:
        error = visit.request.state.refused
        return _show(visit, sessions.list_staff(visit.scope, visit.person.id), error=error)

    try:
        return desk.after(request, slug, work)
    except Invalid as error:
        request.state.refused = error
        return desk.read(request, slug, shown)


@router.post("/operator/account/password")
def change_operator_password(request: Request, desk: AppDesk) -> Response:
    """Change one's own password; all other sessions end."""

    def work(visit: OperatorVisit) -> Response:
        def change(current: str, new: str, address: str) -> tuple[str, sessions.Session]:
            return signin.change_operator_password(visit.platform, visit.session, current, new, address=address)

        try:
            return _change(visit, change, desk.console.cookies.operator)
        except Invalid as error:
            return _show(visit, _operator_sessions(visit), error=error)

    return desk.operator(request, work)


def _change(
    visit: SignedIn, change: Callable[[str, str, str], tuple[str, sessions.Session]], cookie: str
) -> Response:
    """Change a password and go on with the session that comes with it."""
    address = visit.request.client.host if visit.request.client else ""
    current, new = str(visit.form.get("current", "")), str(visit.form.get("password", ""))
    try:
        value, _session = change(current, new, address)
    except TooManyAttempts as error:
        raise Invalid("current", too_many(error.seconds)) from None
    answer = visit.redirect(f"{visit.root}/account", notice=CHANGED)
    visit.console.cookies.put(answer, cookie, value)
    return answer


def _ended(visit: SignedIn, count: int) -> Response:
    notice = ngettext("{n} other session is over.", "{n} other sessions are over.", count, n=count)
    return visit.redirect(f"{visit.root}/account", notice=notice)


def _operator_sessions(visit: OperatorVisit) -> list[sessions.Session]:
    with visit.ops() as connection:
        return sessions.list_operator(connection, visit.person.id)


def _show(visit: SignedIn, open_sessions: list[sessions.Session], *, error: Invalid | None = None) -> Response:
    problem = (error.field, visit.say(error.reason)) if error else None
    return render(
        visit,
        "account.html",
        status=422 if error else 200,
        sessions=open_sessions,
        error=problem,
        browser=browser,
    )


def browser(agent: str | None) -> str:
    """A short name for what a browser calls itself, such as `Chrome, Android`; empty if it tells nothing known."""
    found = (next((name for mark, name in marks if mark in (agent or "")), "") for marks in (BROWSERS, SYSTEMS))
    return ", ".join(filter(None, found))
