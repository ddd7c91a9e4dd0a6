"""Puts the consoles into the app that serves the API."""

from fastapi import Depends, FastAPI

from threepeat.events.platform import Platform
from threepeat.http.config import HttpConfig
from threepeat_tenants.console import account, assets, bodies, csp, entry
from threepeat_tenants.console.config import ConsoleConfig
from threepeat_tenants.console.cookies import Cookies
from threepeat_tenants.console.desk import Desk
from threepeat_tenants.console.edge import PageEdge
from threepeat_tenants.console.navigation import Navigation
from threepeat_tenants.console.page import Console
from threepeat_tenants.console.pages import (
    collections,
    connection,
    home,
    letters,
    live,
    member_changes,
    member_privacy,
    members,
    operator,
    people,
    preview,
    tactics,
    trail,
)
from threepeat_tenants.console.pages import settings as tactic_settings

PAGES = (
    entry.router,
    account.router,
    tactics.router,
    tactic_settings.router,
    collections.router,
    letters.router,
    home.router,
    members.router,
    member_changes.router,
    member_privacy.router,
    people.router,
    trail.router,
    live.router,
    preview.router,
    connection.router,
    *operator.ROUTERS,
)
"""All pages; one that is missing here is not served, nor named in the navigation."""


def mount(app: FastAPI, platform: Platform, config: HttpConfig) -> None:
    """Add the consoles to an app that is otherwise complete: errors of all else become pages here.

    Args:
        app: The app; its middleware ends up behind ours.
        platform: What serves.
        config: How long a transaction may take.
    """
    settings = ConsoleConfig()
    console = Console(
        platform=platform,
        config=settings,
        cookies=Cookies(settings, platform.keyring),
        timeouts=config.timeouts,
        navigation=Navigation(PAGES),
    )
    app.state.desk = Desk(console)
    for router in PAGES:
        app.include_router(router, dependencies=[Depends(bodies.receive)], include_in_schema=False)
    for router in (assets.router, csp.router):
        app.include_router(router, include_in_schema=False)
    app.add_middleware(PageEdge, desk=app.state.desk)
