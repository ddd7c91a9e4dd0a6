"""A page about to be answered: who looks at it, in which language, and what it may ask for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection, text
from starlette.datastructures import FormData

from threepeat.database.engine import Scope, Timeouts
from threepeat.events.platform import Platform
from threepeat.tenancy import tenants
from threepeat.tenancy.tenants import Tenant
from threepeat_tenants.accounts.people import Person
from threepeat_tenants.accounts.sessions import Session
from threepeat_tenants.console import bodies, navigation, paths, translations
from threepeat_tenants.console.config import ConsoleConfig
from threepeat_tenants.console.cookies import Cookies, NoticeKind
from threepeat_tenants.console.navigation import Link, Navigation

TIMEOUTS = text("""
    SELECT set_config('statement_timeout', :statement, true), set_config('lock_timeout', :lock, true),
           set_config('idle_in_transaction_session_timeout', :idle, true)
""")
GUEST = "guest"


@dataclass(frozen=True)
class Console:
    """What all pages of an app share."""

    platform: Platform
    config: ConsoleConfig
    cookies: Cookies
    timeouts: Timeouts
    navigation: Navigation


@dataclass(kw_only=True)
class Page:
    """A page for anybody: signing in, a one-time link, an error.

    Attributes:
        locale: The language it speaks.
        tenant: The store that it is about, if there is one.
    """

    console: Console
    request: Request
    locale: str
    tenant: Tenant | None = None

    @property
    def platform(self) -> Platform:
        """What serves."""
        return self.console.platform

    @property
    def who(self) -> str:
        """Whose notices it shows."""
        return GUEST

    @property
    def home(self) -> str:
        """Where its name leads."""
        return f"/store/{self.tenant.store.slug}/sign-in" if self.tenant else "/"

    @property
    def language_path(self) -> str:
        """Where the language is switched."""
        return "/language"

    @cached_property
    def form(self) -> FormData:
        """The submitted fields.

        Raises:
            Invalid: A field is not text; names it.
        """
        return bodies.parse(self.request)

    def say(self, wording: str) -> str:
        """One of our own texts in the page's language."""
        return translations.wording(wording, self.locale)

    def say_plugin(self, plugin_id: str, wording: str) -> str:
        """A plugin's text in the page's language."""
        return translations.say(self.platform.registry, plugin_id, wording, self.locale)

    def redirect(self, path: str, *, notice: str = "", kind: NoticeKind = "good") -> Response:
        """Go to another page of ours.

        Args:
            path: Its address; something else than one of ours leads home.
            notice: A `Wording` that the next page shows once.
            kind: `good`, `note` or `bad`.
        """
        answer = RedirectResponse(paths.local(path) or self.home, 303)
        if notice:
            self.console.cookies.put_notice(answer, self.who, self.say(notice), kind)
        return answer


@dataclass(kw_only=True)
class SignedIn(Page):
    """A page for somebody who is signed in."""

    person: Person
    session: Session

    @property
    def by(self) -> str:
        """Who is named in the audit trail."""
        return self.person.by

    @property
    def root(self) -> str:
        """What all addresses of its console begin with."""
        raise NotImplementedError

    @property
    def entries(self) -> tuple[navigation.Entry, ...]:
        """What may stand in its navigation."""
        raise NotImplementedError

    @property
    def links(self) -> list[Link]:
        """Its navigation."""
        slug = self.tenant.store.slug if self.tenant else ""
        here = navigation.current(self.entries, self.request.url.path, slug)
        return [
            Link(entry.path.format(slug=slug), self.say(entry.label), entry.icon, entry.path == here)
            for entry in self.entries
        ]

    @property
    def home(self) -> str:
        """The first page of its navigation."""
        return self.links[0].href

    @property
    def language_path(self) -> str:
        """Where the language is switched and remembered."""
        return f"{self.root}/language"


@dataclass(kw_only=True)
class Visit(SignedIn):
    """A page of a store, inside its open transaction.

    Attributes:
        scope: The transaction; it commits before the answer leaves.
    """

    tenant: Tenant
    scope: Scope

    @property
    def who(self) -> str:
        """Whose notices it shows."""
        return f"{self.tenant.id}:{self.by}"

    @property
    def root(self) -> str:
        """What all addresses of the store begin with."""
        return f"/store/{self.tenant.store.slug}"

    @property
    def entries(self) -> tuple[navigation.Entry, ...]:
        """The store's pages that this person may open."""
        role = self.person.role
        may = {"read"}
        if role is not None and role.may_write:
            may.add("write")
        if role is not None and role.may_own:
            may.add("own")
        return tuple(entry for entry in self.console.navigation.store if entry.wanted in may)


@dataclass(kw_only=True)
class OperatorVisit(SignedIn):
    """A page of the operators' console; it opens its transactions itself."""

    @property
    def who(self) -> str:
        """Whose notices it shows."""
        return self.by

    @property
    def root(self) -> str:
        """What all addresses of the console begin with."""
        return "/operator"

    @property
    def entries(self) -> tuple[navigation.Entry, ...]:
        """The operators' pages."""
        return self.console.navigation.operator

    @contextmanager
    def ops(self) -> Iterator[Connection]:
        """A transaction of the ops role, which sees every store. Open one at a time: there are few."""
        with self.platform.database.ops.begin() as connection:
            connection.execute(TIMEOUTS, self.console.timeouts.binds())
            yield connection

    @contextmanager
    def inside(self, slug: str) -> Iterator[tuple[Tenant, Scope]]:
        """A transaction inside a store.

        Raises:
            NotFound: There is no such store.
        """
        with self.platform.database.directory() as connection:
            tenant = tenants.by_slug(connection, slug)
        with self.platform.database.tenant(
            tenant.id, clock_offset=tenant.clock_offset, timeouts=self.console.timeouts
        ) as scope:
            yield tenant, scope


def public_address(page: Page, path: str) -> str:
    """A path with the host where people reach the console, for links that are sent."""
    base = page.console.config.public_url
    if not base:
        parts = urlsplit(str(page.request.base_url))
        base = f"{parts.scheme}://{parts.netloc}"
    return base + path
