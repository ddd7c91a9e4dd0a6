"""Campaigns as a merchant manages them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Context, Item, Query, Refused, _, action, collection, item_number
from threepeat_groupbuy.form import Campaign
from threepeat_groupbuy.settings import GroupbuySettings

Ctx = Context[GroupbuySettings]

END = "end"
"""The timer with which a campaign takes its open groups along."""
STANDS = _(
    "Groups may be open already, so what they cost and how many they take stands. Change the name, the last day,"
    " the limits or the places, or make a new group buy."
)
SHORTER = _("Groups may be open already that end with this campaign: the last day can only be put off.")


def find(ctx: Ctx, query: Query) -> Sequence[Item[Campaign]]:
    """Campaigns, newest first."""
    rows = ctx.sql("campaign_find", state=query.state, search=query.search, before=query.before, most=query.limit)
    return [_item(row) for row in rows]


def read(ctx: Ctx, item: str) -> Item[Campaign] | None:
    """One campaign, with what became of its groups."""
    rows = ctx.sql("campaign_read", id=item_number(item))
    if not rows:
        return None
    row = rows[0]
    figures: dict[str, int | str] = {
        _("Open groups"): row.open,
        _("Groups that succeeded"): row.succeeded,
        _("Groups that failed"): row.failed,
        _("Paid seats"): row.seats,
    }
    return _item(row, figures)


def create(ctx: Ctx, given: Campaign) -> str:
    """Keep a draft."""
    return str(ctx.sql("campaign_add", **_columns(given))[0].id)


def update(ctx: Ctx, item: str, revision: int, given: Campaign) -> bool:
    """Save a campaign; once groups may be open, nothing that would make one worse.

    Raises:
        Refused: It would.
    """
    rows = ctx.sql("campaign", id=item_number(item))
    if not rows:
        return False
    state, before = rows[0].state, form(rows[0])
    if state != "draft":
        if given.fixed() != before.fixed():
            raise Refused(STANDS, code="terms-stand")
        if given.ends_open_groups and _sooner(given, before):
            raise Refused(SHORTER, code="terms-stand")
    return bool(ctx.sql("campaign_save", id=item_number(item), revision=revision, state=state, **_columns(given)))


def activate(ctx: Ctx, item: str, revision: int) -> bool:
    """Let groups be opened from now on.

    Raises:
        Refused: Its last day is over.
    """
    rows = ctx.sql("campaign", id=item_number(item))
    if not rows:
        return False
    last = form(rows[0]).last_day
    if last is not None and last < ctx.now.astimezone(ctx.tenant.timezone).date():
        raise Refused(_("The last day is over: choose a later one first."), code="over")
    return _step(ctx, item, revision, ["draft", "paused"], "active")


def pause(ctx: Ctx, item: str, revision: int) -> bool:
    """Let none be opened for a while; those that are open go on."""
    return _step(ctx, item, revision, ["active"], "paused")


def end(ctx: Ctx, item: str, revision: int) -> bool:
    """Let none be opened any more; those that are open go on, or end, as the campaign says."""
    if not _step(ctx, item, revision, ["active", "paused"], "ended"):
        return False
    rows = ctx.sql("campaign", id=item_number(item))
    if rows and form(rows[0]).ends_open_groups:
        ctx.later(END, item, ctx.now)
    return True


CAMPAIGNS = collection(
    "campaigns",
    Campaign,
    title=_("Group buys"),
    singular=_("group buy"),
    summary=_("What is sold in groups, at what price, and how long a group has."),
    states={"draft": _("Draft"), "active": _("Active"), "paused": _("Paused"), "ended": _("Ended")},
    editable=("draft", "active", "paused"),
    find=find,
    read=read,
    create=create,
    update=update,
    actions=[
        action(
            "activate",
            activate,
            title=_("Activate"),
            states={"draft"},
            confirm=_("From now on prices, people and time stand; limits and places can be changed."),
        ),
        action("resume", activate, title=_("Go on"), states={"paused"}),
        action("pause", pause, title=_("Pause"), states={"active"}, always=True),
        action(
            "end",
            end,
            title=_("End"),
            states={"active", "paused"},
            confirm=_("No group can be opened any more, for good. Groups that are open are kept as promised."),
            always=True,
        ),
    ],
)


def form(row: Row[Any]) -> Campaign:
    """What was filled in of a campaign's row."""
    return Campaign.model_validate(row.form)


def _sooner(given: Campaign, before: Campaign) -> bool:
    return given.last_day is not None and (before.last_day is None or given.last_day < before.last_day)


def _step(ctx: Ctx, item: str, revision: int, states: list[str], into: str) -> bool:
    return bool(ctx.sql("campaign_step", id=item_number(item), revision=revision, states=states, into=into))


def _columns(given: Campaign) -> dict[str, object]:
    return {"name": given.name, "sku": given.sku, "form": given.model_dump_json()}


def _item(row: Row[Any], figures: Mapping[str, int | str] = MappingProxyType({})) -> Item[Campaign]:
    return Item(str(row.id), row.state, form(row), row.revision, row.name, row.changed_at, figures)
