"""Groups as a merchant sees them; members make them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Item, ItemModel, Query, _, collection, item_number
from threepeat_groupbuy.campaigns import Ctx

STATES = {"open": _("Open"), "succeeded": _("Succeeded"), "failed": _("Failed")}
WHY = {"expired": _("Its time was over"), "dissolved": _("Everybody left")}


class Group(ItemModel):
    """Nothing is filled in: members open groups."""


def find(ctx: Ctx, query: Query) -> Sequence[Item[Group]]:
    """Groups, newest first."""
    rows = ctx.sql("team_find", state=query.state, search=query.search, before=query.before, most=query.limit)
    return [_item(ctx, row) for row in rows]


def read(ctx: Ctx, item: str) -> Item[Group] | None:
    """One group."""
    rows = ctx.sql("team_read", id=item_number(item))
    return _item(ctx, rows[0]) if rows else None


GROUPS = collection(
    "groups",
    Group,
    title=_("Groups"),
    singular=_("group"),
    summary=_("The groups of your group buys, and how they stand."),
    states=STATES,
    find=find,
    read=read,
)


def _item(ctx: Ctx, row: Row[Any]) -> Item[Group]:
    def when(moment: Any) -> str:
        return f"{moment.astimezone(ctx.tenant.timezone):%Y-%m-%d %H:%M}"

    figures: dict[str, int | str] = {
        _("Paid seats"): row.joined,
        _("People in a group"): row.least,
        _("Held for unpaid orders"): row.taken - row.joined,
        _("Ends"): when(row.expires_at),
    }
    if row.virtual:
        figures[_("Virtual seats")] = row.virtual
    if row.why:
        figures[_("Why")] = WHY[row.why]
    if row.pickup:
        figures[_("Pickup point")] = row.pickup
    if row.slot:
        figures[_("Delivery time")] = row.slot
    title = f"{row.name} · {row.id}"
    return Item(str(row.id), row.state, Group(), row.joins, title, row.done_at or row.opened_at, figures)
