"""What was not sent, and why: for the merchant to look at."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Item, ItemModel, Query, Spoken, _, collection, item_number
from threepeat_messages import kinds
from threepeat_messages.channels import Ctx
from threepeat_messages.kinds import Kind

REASONS = {
    "off": _("It is switched off"),
    "no_channel": _("Its channel is not there"),
    "not_taking_part": _("The member is in the tactic's comparison group, or suspended"),
    "too_old": _("It came too late"),
    "suspended": _("The member is suspended"),
    "no_consent": _("The member has not agreed to marketing"),
    "cap": _("The member had enough marketing for the day or the week"),
    "no_permission": _("The member has not allowed one more message"),
    "outdated": _("Its text has other variables since it waits"),
    "refused": _("The member took the consent back while it waited"),
}


class Unsent(ItemModel):
    """Nobody fills it in."""


def find(ctx: Ctx, query: Query) -> Sequence[Item[Unsent]]:
    """What was not sent, newest first; the search is for a kind, by its name or title."""
    known = kinds.every(ctx)
    after = query.before
    found = [one for one in known.values() if _named(one, query.search)]
    rows = ctx.sql(
        "unsent",
        state=query.state,
        every=not query.search,
        plugins=[one.known.plugin for one in found],
        kinds=[one.known.name for one in found],
        before=after,
        most=query.limit,
    )
    return [_item(row, known) for row in rows]


def read(ctx: Ctx, item: str) -> Item[Unsent] | None:
    """One of them."""
    rows = ctx.sql("unsent_one", id=item_number(item))
    return _item(rows[0], kinds.every(ctx)) if rows else None


UNSENT = collection(
    "unsent",
    Unsent,
    title=_("Not sent"),
    singular=_("message that was not sent"),
    summary=_("Messages that members did not get, each with the reason."),
    states={"held": _("Kept back"), "withdrawn": _("Withdrawn")},
    find=find,
    read=read,
)


def _named(kind: Kind, search: str) -> bool:
    needle, known = search.casefold(), kind.known
    return any(needle in one.casefold() for one in (known.name, *known.title.values(), *known.owner.values()))


def _item(row: Row[Any], known: Mapping[tuple[str, str], Kind]) -> Item[Unsent]:
    kind = known.get((row.plugin, row.kind))
    if kind is None:
        title = f"{row.plugin} · {row.kind}"
    else:
        owner, said = kind.known.owner, kind.known.title
        title = Spoken({language: f"{owner[language]} · {said[language]}" for language in said})
    figures: dict[str, int | str] = {
        _("Why"): REASONS[row.reason],
        _("Member number"): str(row.member_id),
    }
    return Item(str(row.id), row.state, Unsent(), 1, title, row.settled_at, figures)
