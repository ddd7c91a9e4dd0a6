"""Batches of bearer codes: made by a timer in parts, written again from their secret when somebody asks."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from sqlalchemy import Row

from threepeat.sdk import Due, Item, ItemModel, Query, Refused, _, action, collection, download, item_number, shown
from threepeat_vouchers import codes
from threepeat_vouchers.templates import Ctx, form, over

MAKE = "make_codes"
PART = 5_000
"""Codes that one turn of the timer makes."""
MOST_CODES = 100_000


class Batch(ItemModel):
    """What a merchant fills in."""

    name: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        min_length=1,
        max_length=60,
        title=_("Name"),
        description=_("For you and your staff, such as where the codes go."),
    )
    template: str = Field(
        min_length=1,
        max_length=80,
        title=_("Voucher"),
        description=_("An active template."),
        json_schema_extra=shown(items="vouchers"),
    )
    size: int = Field(
        ge=1,
        le=MOST_CODES,
        title=_("How many codes"),
        description=_(
            "Each is good for one voucher, for whoever enters it first. They count toward the number in all."
        ),
    )


def find(ctx: Ctx, query: Query) -> Sequence[Item[Batch]]:
    """Batches, newest first."""
    rows = ctx.sql("batch_find", state=query.state, search=query.search, before=query.before, most=query.limit)
    return [_item(row, {_("Made"): _progress(row)}) for row in rows]


def read(ctx: Ctx, item: str) -> Item[Batch] | None:
    """One batch, with how many of its codes were entered."""
    rows = ctx.sql("batch_read", id=item_number(item))
    if not rows:
        return None
    figures: dict[str, int | str] = {
        _("Template"): rows[0].template,
        _("Made"): _progress(rows[0]),
        _("Entered"): rows[0].entered,
        _("Used"): rows[0].used,
    }
    return _item(rows[0], figures)


def create(ctx: Ctx, given: Batch) -> str:
    """Take the codes out of the template's number, and have them made.

    Raises:
        Refused: The template is not active or over, or has too few left.
    """
    each = item_number(given.template)
    rows = ctx.sql("templates", ids=[each])
    if not rows or rows[0].state != "active":
        raise Refused(_("Choose a template that is active."), code="not-active")
    if over(ctx, form(rows[0])):
        raise Refused(_("The last day of this template is over."), code="over")
    if form(rows[0]).total is not None and not ctx.sql("template_count", ids=[each], numbers=[given.size]):
        left = max(rows[0].left_over or 0, 0)
        raise Refused(_("The template has only {n} left: raise its number first.", n=left), code="none-left")
    secret = codes.new_secret()
    made = ctx.sql("batch_add", name=given.name, template=each, size=given.size, secret=_seal(ctx, secret))
    ctx.later(MAKE, str(made[0].id), ctx.now)
    return str(made[0].id)


def update(ctx: Ctx, item: str, revision: int, given: Batch) -> bool:
    """Rename it; what the codes are for and how many there are stands.

    Raises:
        Refused: Something else was changed.
    """
    rows = ctx.sql("batch_read", id=item_number(item))
    if rows and (str(rows[0].template_id), rows[0].size) != (given.template, given.size):
        raise Refused(_("The codes are made: only the name can be changed."), code="terms-stand")
    return bool(ctx.sql("batch_name", id=item_number(item), revision=revision, name=given.name))


def void(ctx: Ctx, item: str, revision: int) -> bool:
    """Let no code of it be entered any more; what members have of it stays theirs."""
    return bool(ctx.sql("batch_void", id=item_number(item), revision=revision))


def file(ctx: Ctx, item: str) -> Sequence[Sequence[str | int]]:
    """All codes of a batch, written again from its secret."""
    (row,) = ctx.sql("batch_read", id=item_number(item))
    made = codes.derive(ctx.unseal(row.secret, place="batch"), 1, row.made)
    rows: list[Sequence[str | int]] = [(_("Number"), _("Code"))]
    rows += [(place, codes.shown(code)) for place, code in enumerate(made, 1)]
    return rows


def make(ctx: Ctx, dues: list[Due]) -> None:
    """Make the next part of each batch, and come again for the rest."""
    for due in dues:
        rows = ctx.sql("batch_lock", id=item_number(due.key))
        if not rows:
            continue
        first, last = rows[0].made + 1, min(rows[0].made + PART, rows[0].size)
        secret = ctx.unseal(rows[0].secret, place="batch")
        hashes = [codes.hashed(ctx.tenant.id, code) for code in codes.derive(secret, first, last)]
        ctx.sql("batch_make", id=rows[0].id, first=first, last=last, hashes=hashes)
        if last < rows[0].size:
            ctx.later(MAKE, due.key, ctx.now)


BATCHES = collection(
    "batches",
    Batch,
    title=_("Codes"),
    singular=_("batch of codes"),
    summary=_("Codes to print or send, each good for one voucher, for whoever enters it first."),
    states={"making": _("Being made"), "ready": _("Ready"), "void": _("Void")},
    editable={"making", "ready"},
    find=find,
    read=read,
    create=create,
    update=update,
    actions=[
        action(
            "void",
            void,
            title=_("Void what is left"),
            states={"ready"},
            confirm=_("No code of this batch can be entered any more, for good. What members have stays theirs."),
            always=True,
        )
    ],
    download=download(file, title=_("All codes as a file"), states={"ready", "void"}),
)


def _seal(ctx: Ctx, secret: str) -> str:
    return ctx.seal(secret, place="batch")


def _progress(row: Row[Any]) -> str:
    return _("{made} of {size}", made=row.made, size=row.size)


def _item(row: Row[Any], figures: Mapping[str, int | str] = MappingProxyType({})) -> Item[Batch]:
    values = Batch(name=row.name, template=str(row.template_id), size=row.size)
    return Item(str(row.id), row.state, values, row.revision, row.name, row.changed_at, figures)
