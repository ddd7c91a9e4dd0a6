"""One server with two stores for all tests of the consoles, and browsers that are signed in there."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from fastapi import APIRouter, Request, Response
from psycopg import errors
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.http.config import HttpConfig
from threepeat.sdk.wording import _
from threepeat.tenancy.errors import Conflict, Invalid
from threepeat.tenancy.keyring import new_line
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import serving
from threepeat_tenants.accounts import operators, sessions, staff
from threepeat_tenants.accounts.sessions import Session
from threepeat_tenants.console import app, origin
from threepeat_tenants.console.desk import AppDesk

toys = APIRouter()
CALLS: list[str] = []
"""What the toy pages were let do."""


@toys.api_route("/store/{slug}/toy/{what}", methods=["GET", "POST"])
def toy(request: Request, desk: AppDesk, slug: str, what: str) -> Response:
    def work(visit):
        CALLS.append(what)
        if what == "invalid":
            raise Invalid("budget", _("choose one of the languages"))
        if what == "conflict":
            raise Conflict("toy", "it cannot be <b>done</b>")
        if what == "broken":
            raise RuntimeError("secret detail")
        if what == "deadlock" and CALLS.count("deadlock") == 1:
            raise OperationalError("", {}, errors.DeadlockDetected())
        if what == "after":
            return Response(str(visit.scope.connection.closed), media_type="text/plain")
        if what == "notice":
            return visit.redirect(f"{visit.root}/account", notice=_("You are signed out."))
        return Response(f"{visit.by} {visit.form.getlist('a')}", media_type="text/plain")

    return getattr(desk, what if what in {"write", "own", "after"} else "read")(request, slug, work)


@toys.get("/operator/toy")
def operator_toy(request: Request, desk: AppDesk) -> Response:
    def work(visit):
        with visit.ops() as ops:
            limit = ops.execute(text("SHOW statement_timeout")).scalar()
        with visit.inside("coffee") as (tenant, scope):
            return Response(f"{limit} {tenant.id == scope.tenant_id}", media_type="text/plain")

    return desk.operator(request, work)


@dataclass
class Browser:
    """What a browser sends: cookies, and where its requests come from."""

    http: httpx2.Client
    cookies: dict[str, str] = field(default_factory=dict)
    session: Session | None = None

    def get(self, path, **headers):
        return self._send("GET", path, None, headers)

    def post(self, path, data=None, *, csrf=True, **headers):
        data = dict(data or {})
        if csrf and self.session:
            data["csrf"] = origin.mask(self.session.csrf)
        return self._send("POST", path, data, {"Sec-Fetch-Site": "same-origin", **headers})

    def _send(self, method, path, data, headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        if self.cookies:
            sent = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            headers["Cookie"] = sent.encode("latin-1")
        answer = self.http.request(method, path, data=data, headers=headers)
        for line in answer.headers.get_list("set-cookie"):
            name, _equals, value = line.partition(";")[0].partition("=")
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer


@dataclass
class Consoles:
    """A served platform with the stores tea and coffee."""

    platform: Platform
    http: httpx2.Client
    tea: Tenant
    coffee: Tenant
    count: int = 0

    def guest(self) -> Browser:
        return Browser(self.http)

    def staff(self, tenant=None, role="owner", **person) -> Browser:
        """A browser of a new person who is signed in."""
        self.count += 1
        tenant = tenant or self.tea
        person = {"name": "Ann", "email": f"ann{self.count}@example.com", "phone": None, **person}
        with self.platform.database.tenant(tenant.id) as scope:
            made = staff.add(scope, role=role, by="test", **person)
            return self.enter(scope, made.id)

    def enter(self, scope, staff_id) -> Browser:
        cookie, session = sessions.open_staff(scope, self.platform.keyring, staff_id, "test")
        return Browser(self.http, {"__Host-threepeat-staff": cookie}, session)

    def operator(self) -> Browser:
        self.count += 1
        with self.platform.database.ops.begin() as ops:
            made = operators.add(ops, login=f"op{self.count}", name="Olga", by="test")
            cookie, session = sessions.open_operator(ops, self.platform.keyring, made.id, "test")
        return Browser(self.http, {"__Host-threepeat-operator": cookie}, session)


@pytest.fixture(scope="session")
def served(cluster):
    pages = app.PAGES
    with cluster.database() as name, tempfile.TemporaryDirectory() as folder:
        config = cluster.config(name, Path(folder))
        platform = Platform.open(config, keys=KeyConfig(keys=new_line()), upgrade=True)
        app.PAGES = (*pages, toys)
        try:
            with (
                serving(platform, HttpConfig(page_requests=0)) as url,
                httpx2.Client(base_url=url, timeout=30) as http,
            ):
                tea, coffee = (
                    open_store(platform, slug, name=slug.title(), by="test") for slug in ("tea", "coffee")
                )
                yield Consoles(platform, http, tea, coffee)
        finally:
            app.PAGES = pages
            platform.database.dispose()


@pytest.fixture
def consoles(served):
    CALLS.clear()
    return served
