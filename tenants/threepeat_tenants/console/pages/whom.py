"""What the pages about members share: whom an address names, and what things are called."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from threepeat.plugins.translations import titled
from threepeat.sdk.facts import Fact
from threepeat.sdk.wording import _
from threepeat.tenancy import members
from threepeat.tenancy.audit import Entry
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.members import Member
from threepeat_tenants.console import deeds, formats
from threepeat_tenants.console.page import Page, Visit
from threepeat_tenants.console.pages import around

GONE = _("There is no such member. They may have been erased.")
ABOUT = ("order_id", "name", "sku", "query", "page", "purpose", "title")
"""Which of an event's fields tells what it is about: the first of these that is there."""
LONGEST = 5000
"""Of what was typed that is shown again."""


def whom(visit: Visit, number: str, *, hold: bool = False) -> Member:
    """The member that an address names, or the one that they were merged into.

    Args:
        hold: For a change: merges and erasures of the member wait until it is done.

    Raises:
        NotFound: There is none, or they are being erased.
    """
    known = number.isascii() and number.isdigit() and len(number) < 19
    member_id = members.current(visit.scope, int(number), hold=hold) if known else None
    if member_id is None:
        raise NotFound(GONE)
    return members.read(visit.scope, member_id)


def address(visit: Visit, member_id: int, more: str = "") -> str:
    """Where a member's page is. Core's number names them: addresses are written to logs."""
    return f"{visit.root}/members/{member_id}{more}"


def typed(page: Page, *names: str) -> dict[str, str]:
    """What was typed into fields of a form, without the space around it, as far as it is shown again."""
    return {name: str(page.form.get(name, "")).strip()[:LONGEST] for name in names}


def fact(page: Page, one: Fact) -> str:
    """What a fact is called, as a heading."""
    title = titled(one.title, page.locale)
    return title[:1].upper() + title[1:]


def value(visit: Visit, one: Fact, given: Any) -> str:
    """What is known of a member, in the reader's language."""
    store, locale = visit.tenant.store, visit.locale
    if given is None:
        return formats.NOTHING
    if one.kind == "flag":
        return visit.say(_("Yes") if given else _("No"))
    if one.kind == "instant":
        return formats.moment(given, store.timezone, locale)
    if one.kind == "tags":
        return ", ".join(sorted(given)) or formats.NOTHING
    if one.kind == "number":
        return formats.figure(given, one.unit, store, locale)
    return str(given)


def told(visit: Visit, entry: Entry, names: Mapping[str, str]) -> deeds.Told:
    """A change in words; an adjustment says how much of what, a suspension until when."""
    said = deeds.told(visit, entry, names)
    given, reason = entry.details, visit.say(_("reason"))
    if entry.action == "member.adjusted":
        amount = formats.number(given["amount"], visit.locale)
        shown = f"+{amount}" if given["amount"] > 0 else amount
        details = [(around.kind_or_fact(visit, given["kind"]), shown), (reason, str(given["reason"]))]
        return replace(said, details=details)
    if entry.action == "member.suspended":
        until = formats.moment(datetime.fromisoformat(given["until"]), visit.tenant.store.timezone, visit.locale)
        return replace(said, details=[(visit.say(_("until")), until)])
    # That there is no date any more says nothing.
    return replace(said, details=[(name, value) for name, value in said.details if value != formats.NOTHING])


def gist(visit: Visit, data: Mapping[str, Any], *, about: bool = True) -> str:
    """What an event's data comes to, in a few words.

    Args:
        about: Say what it is about, too, and not only how much.
    """
    store, locale = visit.tenant.store, visit.locale
    said: list[str] = []
    money = data.get("total", data.get("amount"))
    if type(money) is int and "currency" in data:
        said.append(formats.money(money, store, locale))
    said.extend(
        f"{formats.number(amount, locale)} {around.kind_or_fact(visit, name)}"
        for name, amount in data.items()
        if type(amount) is int and visit.platform.registry.keeper(name)
    )
    if about:
        given = (data.get(name) for name in ABOUT)
        said.extend([one[:60] for one in given if isinstance(one, str) and one][:1])
    return " · ".join(said)
