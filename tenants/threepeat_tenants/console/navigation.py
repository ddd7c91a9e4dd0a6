"""What stands in the navigation: the pages that there are and that this person may open."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter
from fastapi.routing import APIRoute

from threepeat.sdk.wording import _

Wanted = Literal["read", "write", "own"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A place in the navigation.

    Attributes:
        path: Its address; `{slug}` stands for the store.
        label: A `Wording`.
        icon: Name of a symbol in `parts/icons.html`.
        wanted: What a member of staff must be allowed to do to see it.
    """

    path: str
    label: str
    icon: str
    wanted: Wanted = "read"


@dataclass(frozen=True, slots=True)
class Link:
    """A place as one person sees it on one page."""

    href: str
    label: str
    icon: str
    current: bool


STORE = (
    Entry("/store/{slug}/", _("Home"), "home"),
    Entry("/store/{slug}/tactics", _("Tactics"), "tactics"),
    Entry("/store/{slug}/members", _("Members"), "members"),
    Entry("/store/{slug}/live", _("Live"), "live"),
    Entry("/store/{slug}/preview", _("Try it"), "phone", "write"),
    Entry("/store/{slug}/connection", _("Connection"), "key"),
    Entry("/store/{slug}/people", _("Staff"), "staff", "own"),
    Entry("/store/{slug}/trail", _("History"), "history"),
    Entry("/store/{slug}/account", _("Account"), "account"),
)
OPERATOR = (
    Entry("/operator/", _("Overview"), "home"),
    Entry("/operator/stores", _("Stores"), "store"),
    Entry("/operator/letters", _("Dead letters"), "letter"),
    Entry("/operator/usage", _("Usage"), "usage"),
    Entry("/operator/plans", _("Plans"), "plan"),
    Entry("/operator/plugins", _("Plugins"), "tactics"),
    Entry("/operator/operators", _("Operators"), "staff"),
    Entry("/operator/history", _("History"), "history"),
    Entry("/operator/account", _("Account"), "account"),
)
"""As they are shown; on a phone the first four stand in the bar. What has no page is left out."""


class Navigation:
    """The entries that have a page in this app.

    Args:
        routers: All pages.
    """

    def __init__(self, routers: Iterable[APIRouter]) -> None:
        pages = {
            route.path
            for router in routers
            for route in router.routes
            if isinstance(route, APIRoute) and "GET" in (route.methods or ())
        }
        self.store = tuple(entry for entry in STORE if entry.path in pages)
        self.operator = tuple(entry for entry in OPERATOR if entry.path in pages)


def current(entries: Iterable[Entry], path: str, slug: str) -> str:
    """The entry to which a page belongs: the longest one that its address begins with."""
    fitting = [
        entry.path
        for entry in entries
        if (root := entry.path.format(slug=slug)) == path or path.startswith(root.rstrip("/") + "/")
    ]
    return max(fitting, key=len, default="")
