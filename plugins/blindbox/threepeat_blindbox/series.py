"""Series as a merchant manages them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Row

from threepeat.sdk import Item, Query, Refused, _, action, collection, download, item_number
from threepeat_blindbox import closing, evidence, pools, words
from threepeat_blindbox.form import SeriesForm
from threepeat_blindbox.pools import Ctx, form

STANDS = _(
    "The series is on sale: price, drawing, guarantee and limits stand. Change the name, add items, or raise their"
    " number; for anything else make a new series."
)


def find(ctx: Ctx, query: Query) -> Sequence[Item[SeriesForm]]:
    """Series, newest first."""
    rows = ctx.sql("series_find", state=query.state, search=query.search, before=query.before, most=query.limit)
    return [_item(row) for row in rows]


def read(ctx: Ctx, item: str) -> Item[SeriesForm] | None:
    """One series, with what became of its boxes."""
    rows = ctx.sql("series_read", id=item_number(item))
    if not rows:
        return None
    row = rows[0]
    figures: dict[str, int | str] = {_("Opened"): row.draws, _("Held or unopened"): row.held}
    if row.state != "draft":
        figures[_("Version of the odds")] = row.version
        figures[_("Committed to")] = row.commitment
        if row.room is not None:
            figures[_("Left")] = row.room
    return _item(row, figures)


def create(ctx: Ctx, given: SeriesForm) -> str:
    """Keep a draft."""
    return str(ctx.sql("series_add", **_columns(given))[0].id)


def update(ctx: Ctx, item: str, revision: int, given: SeriesForm) -> bool:
    """Save a series; on sale items can only be added to, and that is a new version of the odds.

    Raises:
        Refused: Something was changed that stands.
    """
    rows = ctx.sql("series_read", id=item_number(item))
    if not rows:
        return False
    if rows[0].state == "draft":
        return bool(ctx.sql("series_save", id=item_number(item), revision=revision, **_columns(given)))
    return _add_to(ctx, item_number(item), revision, given)


def put_on_sale(ctx: Ctx, item: str, revision: int) -> bool:
    """Commit to a seed, publish the odds, and let boxes be bought.

    Raises:
        Refused: The rules are against it, or another series is sold under the same SKU.
    """
    rows = ctx.sql("series_read", id=item_number(item))
    if not rows:
        return False
    given = _checked(ctx, rows[0])
    signer = _signer(ctx)
    if ctx.sql("series_sold_as", sku=given.sku):
        raise Refused(_("another series on sale has the SKU {sku}", sku=given.sku), code="sku-taken")
    seed = evidence.new_secret()
    standing = pools.Standing(rows[0].id, evidence.commitment(bytes.fromhex(seed)), signer, pool="")
    opened = ctx.sql(
        "series_open",
        id=standing.id,
        revision=revision,
        commitment=standing.commitment,
        sealed=ctx.seal(seed, place="seed"),
    )
    if not opened:
        return False
    left = {one.sku: one.stock for one in given.items}
    made = pools.publish(ctx, standing, given, left, number=1, after=0, why="opened")
    pools.keep(ctx, [made])
    ctx.sql("stock_put", series=standing.id, items=list(left), puts=list(left.values()))
    _show(ctx, made, left)
    return True


def close(ctx: Ctx, item: str, revision: int) -> bool:
    """Sell no more; once nothing is held or waits, reveal the seed."""
    ended = ctx.sql("series_end", id=item_number(item), revision=revision)
    closing.reveal(ctx, [row.id for row in ended])
    return bool(ended)


def file(ctx: Ctx, item: str) -> Mapping[str, Any]:
    """The evidence of a closed series."""
    return closing.document(ctx, item_number(item))


SERIES = collection(
    "series",
    SeriesForm,
    title=_("Blind box series"),
    singular=_("series"),
    summary=_("What boxes hold, how they are drawn, and what is published about it."),
    states={"draft": _("Draft"), "on_sale": _("On sale"), "ending": _("Ending"), "closed": _("Closed")},
    editable={"draft", "on_sale"},
    find=find,
    read=read,
    create=create,
    update=update,
    actions=[
        action(
            "publish",
            put_on_sale,
            title=_("Put on sale"),
            states={"draft"},
            confirm=_("From now on price, odds and limits stand, and the odds are published."),
        ),
        action(
            "close",
            close,
            title=_("Close"),
            states={"on_sale"},
            confirm=_(
                "No box is sold any more, for good. Boxes that wait can still be opened, then the seed is revealed"
                " and everybody can check."
            ),
            always=True,
        ),
    ],
    download=download(file, title=_("Evidence as a file"), states={"closed"}, kind="json"),
)


def _checked(ctx: Ctx, row: Row[Any]) -> SeriesForm:
    """What is about to go on sale, held against the rules as they are now.

    Raises:
        Refused: They are against it; the sentence names the field.
    """
    try:
        given = SeriesForm.model_validate(row.form)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Refused(_("{field}: {reason}", field=where, reason=first["msg"]), code="not-allowed") from None
    most = ctx.settings.most_price
    if most is not None and given.price > most:
        raise Refused(_("price: a box may cost {most} at most here", most=ctx.tenant.money(most)), code="too-dear")
    if words.over_prize(given, ctx.tenant):
        raise Refused(
            _(
                "items: what is drawn may be worth {most} at most",
                most=ctx.tenant.money(words.TOP_PRIZE * ctx.tenant.minor_units),
            ),
            code="prize-too-dear",
        )
    return given


def _signer(ctx: Ctx) -> str:
    """The store's public key; it is made with the first series. Whoever publishes waits for the others."""
    rows = ctx.sql("signer_lock")
    if not rows:
        private = evidence.new_secret()
        sealed = ctx.seal(private, place="signer")
        ctx.sql("signer_add", public_key=evidence.Signer(private).public, sealed=sealed)
        rows = ctx.sql("signer_lock")
    return str(rows[0].public_key)


def _add_to(ctx: Ctx, series: int, revision: int, given: SeriesForm) -> bool:
    rows = ctx.sql("series_lock", ids=[series])
    if not rows or rows[0].state != "on_sale" or rows[0].revision != revision:
        return False
    row, before = rows[0], form(rows[0])
    if given.terms() != before.terms():
        raise Refused(STANDS, code="terms-stand")
    known = {one.sku: one for one in given.items}
    for one in before.items:
        now = known.get(one.sku)
        same = now is not None and all(
            getattr(now, name) == getattr(one, name) for name in ("weight", "hidden", "floor", "value")
        )
        if now is None or not same or _fewer(one.stock, now.stock):
            raise Refused(
                _(
                    "The series is on sale: {item} keeps its place, weight, worth and marks, and its number can"
                    " only be raised.",
                    item=one.name,
                ),
                code="terms-stand",
            )
    ctx.sql("stock_put", series=series, items=list(known), puts=[one.stock for one in given.items])
    if _pool_facts(given) != _pool_facts(before):
        (beside,) = ctx.sql("series_pools", ids=[series])
        left = dict(beside.remaining)
        standing = pools.Standing(series, row.commitment, beside.public_key, row.pool)
        made = pools.publish(ctx, standing, given, left, number=row.version + 1, after=row.draws, why="changed")
        pools.keep(ctx, [made])
        _show(ctx, made, left)
    ctx.sql("series_renew", id=series, name=given.name, form=given.model_dump_json())
    return True


def _show(ctx: Ctx, made: pools.Published, left: Mapping[str, int | None]) -> None:
    """Put a version on sale."""
    room = made.pool.room(left)
    ctx.sql("series_show", id=made.series, version=made.number, pool=made.hash, room=room)


def _pool_facts(given: SeriesForm) -> object:
    return given.model_dump(include={"items": {"__all__": {"sku", "name", "stock", "weight"}}})


def _fewer(before: int | None, now: int | None) -> bool:
    return now is not None and (before is None or now < before)


def _columns(given: SeriesForm) -> dict[str, object]:
    return {
        "name": given.name,
        "form": given.model_dump_json(),
        "sku": given.sku,
        "price": given.price,
        "daily_boxes": given.daily_boxes,
        "daily_money": given.daily_money,
    }


def _item(row: Row[Any], figures: Mapping[str, int | str] = MappingProxyType({})) -> Item[SeriesForm]:
    return Item(str(row.id), row.state, form(row), row.revision, row.name, row.changed_at, figures)
