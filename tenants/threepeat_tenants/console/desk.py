"""One request to a page: who it is, in one tenant's transaction, allowed and asked for by our own page."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request, Response
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from threepeat.database.engine import SET_TENANT, Scope
from threepeat.http import faults
from threepeat.http.calls import note
from threepeat.sdk.wording import _
from threepeat.tenancy import tenants
from threepeat.tenancy.errors import NotAllowed, NotFound, TenancyError
from threepeat.tenancy.keys import Denied
from threepeat.tenancy.tenants import Tenant
from threepeat_tenants.accounts import sessions
from threepeat_tenants.accounts.people import Person
from threepeat_tenants.console import origin, translations
from threepeat_tenants.console.page import Console, OperatorVisit, Page, SignedIn, Visit
from threepeat_tenants.console.rendering import render

REASON = text("SELECT suspended_reason FROM core.tenant WHERE id = :tenant")

ANALYST = _("Your role may look at this and change nothing. Ask an owner of this store.")
OWNERS_ONLY = _("Only an owner of this store may do this.")
NO_STORE = _("There is no store with this name. Look at the link that you were sent.")


@dataclass
class Seen:
    """What is known of a request by the time it is answered, for the page that says that it failed.

    Attributes:
        error: Why it was refused; its text can still be said in another language.
    """

    page: Page | None = None
    error: TenancyError | None = None


@contextmanager
def watched(request: Request) -> Iterator[None]:
    """Remember why a request is refused."""
    try:
        yield
    except TenancyError as error:
        _seen(request).error = error
        raise


def _seen(request: Request) -> Seen:
    return cast("Seen", request.scope.setdefault("threepeat.seen", Seen()))


class Desk:
    """Runs the handlers of pages; the app has one.

    Args:
        console: What all pages share.
    """

    def __init__(self, console: Console) -> None:
        self.console = console

    def read(
        self, request: Request, slug: str, work: Callable[[Visit], Response], *, even_suspended: bool = False
    ) -> Response:
        """Run work for anybody of a store's staff; what changes only their own account is done here, too.

        Args:
            work: Takes a `Visit` with the open transaction and returns the answer.
            even_suspended: Do it for a suspended store, too.
        """
        return self._staff(request, slug, _anybody, work, even_suspended=even_suspended)

    def write(self, request: Request, slug: str, work: Callable[[Visit], Response]) -> Response:
        """Run work for an owner or an operator of a store."""
        return self._staff(request, slug, _require_writer, work)

    def own(self, request: Request, slug: str, work: Callable[[Visit], Response]) -> Response:
        """Run work for an owner of a store."""
        return self._staff(request, slug, _require_owner, work)

    def after(self, request: Request, slug: str, work: Callable[[Visit], Response]) -> Response:
        """Run work for anybody of a store's staff when the transaction that proved them is over.

        For what opens its transactions itself, or takes long: the visit's scope is closed.
        """
        proved: list[Visit] = []

        def prove(visit: Visit) -> Response:
            proved.append(visit)
            return Response()

        answer = self._staff(request, slug, _anybody, prove)
        return work(proved[-1]) if proved else answer

    def operator(self, request: Request, work: Callable[[OperatorVisit], Response]) -> Response:
        """Run work for one who runs the installation; it opens its transactions itself."""
        console = self.console
        cookie = self._cookie(request, console.cookies.operator)
        with console.platform.database.ops.begin() as connection:
            session = sessions.read_operator(connection, console.platform.keyring, cookie, seen=_somebody(request))
        visit = OperatorVisit(
            console=console,
            request=request,
            locale=self._locale(request, session.person),
            person=session.person,
            session=session,
        )
        with watched(request):
            self._check(visit)
            return work(visit)

    def page(self, request: Request, tenant: Tenant | None = None) -> Page:
        """A page for somebody who is not signed in."""
        return Page(console=self.console, request=request, locale=self._locale(request), tenant=tenant)

    def store_page(self, request: Request, slug: str) -> Page:
        """A page of a store for somebody who is not signed in.

        Raises:
            NotFound: There is no such store.
        """
        try:
            with self.console.platform.database.directory() as connection:
                tenant = tenants.by_slug(connection, slug)
        except NotFound:
            raise NotFound(NO_STORE) from None
        return self.page(request, tenant)

    def _staff(
        self,
        request: Request,
        slug: str,
        require: Callable[[Person], None],
        work: Callable[[Visit], Response],
        *,
        even_suspended: bool = False,
    ) -> Response:
        """Run work in a transaction, and once more if it met another one and was undone."""

        def attempt() -> Response:
            return self._attempt(request, slug, require, work, even_suspended=even_suspended)

        try:
            return attempt()
        except OperationalError as error:
            if not isinstance(error.orig, faults.UNLUCKY):
                raise
            note(request, repeated=type(error.orig).__name__)
        return attempt()

    def _attempt(
        self,
        request: Request,
        slug: str,
        require: Callable[[Person], None],
        work: Callable[[Visit], Response],
        *,
        even_suspended: bool,
    ) -> Response:
        console = self.console
        cookie = self._cookie(request, console.cookies.staff)
        tenant_id = sessions.parse(cookie).tenant_id
        if tenant_id is None:
            raise Denied
        with console.platform.database.tenant(tenant_id, timeouts=console.timeouts) as scope:
            tenant = _tenant(scope)
            session = sessions.read_staff(scope, console.platform.keyring, cookie, seen=_somebody(request))
            # Somebody else's store looks the same as one that is not there: sign in.
            if tenant.store.slug != slug:
                raise Denied
            note(request, tenant=slug)
            visit = Visit(
                console=console,
                request=request,
                locale=self._locale(request, session.person),
                tenant=tenant,
                person=session.person,
                session=session,
                scope=scope,
            )
            with watched(request):
                self._check(visit)
            if tenant.suspended_at is not None and not even_suspended:
                reason = scope.connection.execute(REASON, {"tenant": tenant_id}).scalar()
                return render(visit, "suspended.html", status=403, reason=reason)
            with watched(request):
                require(session.person)
                return work(visit)

    def _check(self, visit: SignedIn) -> None:
        """Remember whose request it is, and see that our own page sent it."""
        _seen(visit.request).page = visit
        if visit.request.method not in origin.SAFE:
            origin.require_ours(visit.request, self.console.config.public_url)
            given = visit.form.get(origin.FIELD, "")
            origin.require_token(visit.request, visit.session.csrf, str(given))

    def _cookie(self, request: Request, name: str) -> str:
        found = request.cookies.get(name)
        if not found:
            raise Denied
        return found

    def _locale(self, request: Request, person: Person | None = None) -> str:
        wanted = person.locale if person else None
        return translations.choose(request, wanted, request.cookies.get(self.console.cookies.locale))


def _tenant(scope: Scope) -> Tenant:
    """The tenant of a scope; its clock is set in the transaction."""
    try:
        tenant = tenants.by_id(scope.connection, scope.tenant_id)
    except NotFound:
        raise Denied from None
    if tenant.clock_offset:
        offset = f"{tenant.clock_offset.total_seconds()} seconds"
        scope.connection.execute(SET_TENANT, {"tenant": str(tenant.id), "offset": offset})
    return tenant


def _somebody(request: Request) -> bool:
    """Whether a person asks, not a page by itself."""
    return "threepeat-unattended" not in request.headers


def _anybody(_person: Person) -> None:
    pass


def _require_writer(person: Person) -> None:
    if person.role is None or not person.role.may_write:
        raise NotAllowed(ANALYST)


def _require_owner(person: Person) -> None:
    if person.role is None or not person.role.may_own:
        raise NotAllowed(OWNERS_ONLY)


async def desk(request: Request) -> Desk:
    """The app's desk; asynchronous, or a thread would be asked for it."""
    return cast("Desk", request.app.state.desk)


AppDesk = Annotated[Desk, Depends(desk)]
