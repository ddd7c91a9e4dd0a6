"""Ways in and out: which store, signing in, one-time links, the language."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from threepeat.database.engine import Scope
from threepeat.sdk.wording import Wording, _, ngettext
from threepeat.tenancy import tenants
from threepeat.tenancy.errors import Invalid, NotFound
from threepeat.tenancy.keys import Denied
from threepeat.tenancy.tenants import Tenant
from threepeat_tenants.accounts import links, opaque, operators, sessions, signin, staff
from threepeat_tenants.accounts.sessions import Session
from threepeat_tenants.accounts.signin import SignInRefused
from threepeat_tenants.accounts.throttle import TooManyAttempts
from threepeat_tenants.console import origin, paths
from threepeat_tenants.console.cookies import LOCALE_SECONDS
from threepeat_tenants.console.desk import NO_STORE, AppDesk
from threepeat_tenants.console.page import Console, OperatorVisit, Page, SignedIn, Visit
from threepeat_tenants.console.rendering import render
from threepeat_tenants.console.translations import LOCALES

router = APIRouter()

REFUSED = _("That login and password do not fit. Look at both, or ask for a new sign-in link.")
OVER = _("This link has been used, replaced, or is too old. Ask whoever sent it for a new one.")
LONGEST_LOGIN = 200


@router.get("/")
def start(request: Request, desk: AppDesk, store: str = "") -> Response:
    """Which store?"""
    page = desk.page(request)
    slug = store.strip().lower()
    if not slug:
        return render(page, "start.html", store="", error="")
    if tenants.SLUG.fullmatch(slug):
        try:
            found = desk.store_page(request, slug)
        except NotFound:
            pass
        else:
            return page.redirect(found.home)
    return render(page, "start.html", status=422, store=store[:100], error=page.say(NO_STORE))


@router.post("/language")
def language(request: Request, desk: AppDesk) -> Response:
    """Speak another language to somebody who is not signed in."""
    origin.require_ours(request, desk.console.config.public_url)
    return _spoken(desk.page(request))


@router.post("/store/{slug}/language")
def store_language(request: Request, desk: AppDesk, slug: str) -> Response:
    """Speak another language to a member of staff, from now on."""

    def work(visit: Visit) -> Response:
        answer = _spoken(visit)
        staff.set_locale(visit.scope, visit.person.id, _wanted(visit))
        return answer

    return desk.read(request, slug, work, even_suspended=True)


@router.post("/operator/language")
def operator_language(request: Request, desk: AppDesk) -> Response:
    """Speak another language to an operator, from now on."""

    def work(visit: OperatorVisit) -> Response:
        answer = _spoken(visit)
        with visit.ops() as connection:
            operators.set_locale(connection, visit.person.id, _wanted(visit))
        return answer

    return desk.operator(request, work)


def _wanted(page: Page) -> str:
    given = str(page.form.get("locale", ""))
    if given not in LOCALES:
        raise Invalid("locale", _("choose one of the languages"))
    return given


def _spoken(page: Page) -> Response:
    """Back to where the language was switched, in the new one."""
    cookies = page.console.cookies
    answer = page.redirect(paths.local(str(page.form.get("next", ""))) or paths.before(page.request))
    cookies.put(answer, cookies.locale, _wanted(page), seconds=LOCALE_SECONDS)
    return answer


@router.get("/store/{slug}/sign-in")
def show_store_sign_in(request: Request, desk: AppDesk, slug: str) -> Response:
    """Where a store's staff signs in."""
    return _show(desk.store_page(request, slug))


@router.post("/store/{slug}/sign-in")
def store_sign_in(request: Request, desk: AppDesk, slug: str) -> Response:
    """Sign a member of staff in."""
    page = desk.store_page(request, slug)
    tenant = page.tenant
    assert tenant is not None  # noqa: S101 - a store's page has one

    def check(login: str, password: str, address: str, agent: str | None) -> tuple[str, Session]:
        return signin.sign_in_staff(desk.console.platform, tenant, login, password, address=address, agent=agent)

    return _enter(page, check, desk.console.cookies.staff, f"/store/{tenant.store.slug}/")


@router.get("/operator/sign-in")
def show_operator_sign_in(request: Request, desk: AppDesk) -> Response:
    """Where operators sign in."""
    return _show(desk.page(request))


@router.post("/operator/sign-in")
def operator_sign_in(request: Request, desk: AppDesk) -> Response:
    """Sign an operator in."""

    def check(login: str, password: str, address: str, agent: str | None) -> tuple[str, Session]:
        return signin.sign_in_operator(desk.console.platform, login, password, address=address, agent=agent)

    return _enter(desk.page(request), check, desk.console.cookies.operator, "/operator/")


def _show(page: Page, *, status: int = 200, login: str = "", error: str = "") -> Response:
    given = page.form.get("next") if page.request.method == "POST" else page.request.query_params.get("next")
    back = paths.local(str(given or ""))
    return render(page, "sign-in.html", status=status, login=login, error=error, next=back)


def _enter(
    page: Page,
    check: Callable[[str, str, str, str | None], tuple[str, Session]],
    cookie: str,
    home: str,
) -> Response:
    """Check a login and a password, and open a session."""
    origin.require_ours(page.request, page.console.config.public_url)
    login, password = str(page.form.get("login", "")), str(page.form.get("password", ""))
    address = page.request.client.host if page.request.client else ""
    try:
        value, session = check(login, password, address, page.request.headers.get("user-agent"))
    except SignInRefused:
        return _show(page, status=422, login=login[:LONGEST_LOGIN], error=page.say(REFUSED))
    except TooManyAttempts as error:
        said = page.say(too_many(error.seconds))
        answer = _show(page, status=429, login=login[:LONGEST_LOGIN], error=said)
        answer.headers["Retry-After"] = str(error.seconds)
        return answer
    back = paths.local(str(page.form.get("next", "")))
    fitting = back.startswith(home) and not back.startswith(f"{home}sign-in")
    return _signed_in(page, cookie, value, session, back if fitting else home)


def too_many(seconds: int) -> Wording:
    """What somebody reads who tried too often."""
    return ngettext(
        "Too many attempts. Wait {n} second and try again.",
        "Too many attempts. Wait {n} seconds and try again.",
        seconds,
        n=seconds,
    )


def _signed_in(page: Page, cookie: str, value: str, session: Session, where: str) -> Response:
    _end_former(page, cookie)
    answer = RedirectResponse(where, 303)
    cookies = page.console.cookies
    cookies.put(answer, cookie, value)
    if session.person.locale:
        cookies.put(answer, cookies.locale, session.person.locale, seconds=LOCALE_SECONDS)
    return answer


def _end_former(page: Page, cookie: str) -> None:
    """End the session whose cookie a new one takes the place of: nobody holds it any more who should."""
    value, keyring = page.request.cookies.get(cookie, ""), page.console.platform.keyring
    with suppress(NotFound), _place(page.console, value) as (place, _tenant):
        if isinstance(place, Scope):
            sessions.end_staff(place, sessions.read_staff(place, keyring, value, seen=False).id)
        else:
            sessions.end_operator(place, sessions.read_operator(place, keyring, value, seen=False).id)


@router.get("/store/{slug}")
def store(slug: str, desk: AppDesk, request: Request) -> Response:
    """A store's name alone leads to its first page."""
    return desk.read(request, slug, lambda visit: visit.redirect(visit.home))


@router.get("/operator")
def operator(desk: AppDesk, request: Request) -> Response:
    """To the operators' first page."""
    return desk.operator(request, lambda visit: visit.redirect(visit.home))


@router.post("/store/{slug}/sign-out")
def store_sign_out(request: Request, desk: AppDesk, slug: str) -> Response:
    """End this session."""

    def work(visit: Visit) -> Response:
        sessions.end_staff(visit.scope, visit.session.id)
        return _signed_out(visit, desk.console.cookies.staff, f"{visit.root}/sign-in")

    return desk.read(request, slug, work, even_suspended=True)


@router.post("/operator/sign-out")
def operator_sign_out(request: Request, desk: AppDesk) -> Response:
    """End this session."""

    def work(visit: OperatorVisit) -> Response:
        with visit.ops() as connection:
            sessions.end_operator(connection, visit.session.id)
        return _signed_out(visit, desk.console.cookies.operator, f"{visit.root}/sign-in")

    return desk.operator(request, work)


def _signed_out(visit: SignedIn, cookie: str, where: str) -> Response:
    answer = RedirectResponse(where, 303)
    cookies = visit.console.cookies
    cookies.drop(answer, cookie)
    guest = Page(console=visit.console, request=visit.request, locale=visit.locale)
    cookies.put_notice(answer, guest.who, visit.say(_("You are signed out.")), "good")
    # Whatever else the browser keeps of these pages goes, too.
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


@router.get("/welcome/{token}")
def show_welcome(request: Request, desk: AppDesk, token: str) -> Response:
    """Show whose link it is; looking at it does not use it up, as mail scanners look at every link."""
    with _place(desk.console, token) as (place, tenant):
        link = links.read(place, desk.console.platform.keyring, token)
    page = desk.page(request, tenant)
    return render(page, "welcome.html", link=link, error="")


@router.post("/welcome/{token}")
def welcome(request: Request, desk: AppDesk, token: str) -> Response:
    """Set the password of a link's person, use the link up, and sign them in."""
    page = desk.page(request)
    origin.require_ours(request, desk.console.config.public_url)
    password, agent = str(page.form.get("password", "")), request.headers.get("user-agent")
    keyring = desk.console.platform.keyring
    try:
        with _place(desk.console, token) as (place, tenant):
            about = (tenant.store.name, tenant.store.slug) if tenant else ()
            person = links.redeem(place, keyring, token, password, *about)
            value, session = (
                sessions.open_staff(place, keyring, person.id, agent)
                if isinstance(place, Scope)
                else sessions.open_operator(place, keyring, person.id, agent)
            )
    except Invalid as error:
        with _place(desk.console, token) as (place, tenant):
            link = links.read(place, keyring, token)
        page = desk.page(request, tenant)
        return render(page, "welcome.html", status=422, link=link, error=page.say(error.reason))
    cookies = desk.console.cookies
    if tenant is None:
        return _signed_in(page, cookies.operator, value, session, "/operator")
    return _signed_in(page, cookies.staff, value, session, f"/store/{tenant.store.slug}")


@contextmanager
def _place(console: Console, token: str) -> Iterator[tuple[Scope | Connection, Tenant | None]]:
    """The transaction in which a link or a cookie is read: its store's, or one of the ops role.

    Raises:
        NotFound: It does not work, and nothing says why.
    """
    database = console.platform.database
    try:
        tenant_id = opaque.parse(token).tenant_id
        if tenant_id is None:
            with database.ops.begin() as connection:
                yield connection, None
        else:
            with database.tenant(tenant_id, timeouts=console.timeouts) as scope:
                yield scope, _tenant_of(scope)
    except Denied:
        raise NotFound(OVER) from None


def _tenant_of(scope: Scope) -> Tenant:
    try:
        return tenants.by_id(scope.connection, scope.tenant_id)
    except NotFound:
        raise Denied from None
