"""Drawing: the next number of a series, the item that the seed leads to, and a receipt, in one transaction."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Notice
from threepeat_blindbox import closing, evidence, odds, pools
from threepeat_blindbox.events import BoxOpened
from threepeat_blindbox.odds import PoolItem
from threepeat_blindbox.pools import Ctx, Published, Standing, form


@dataclass(frozen=True, slots=True)
class Waiting:
    """A box that is to be drawn for.

    Attributes:
        id: Of its row, which is locked.
        pool: The version of the odds that its buyer saw, by its hash; None if the buyer saw none.
        nonce: The first that the buyer gave for the order; None if there is none.
    """

    id: int
    member: int
    series: int
    order: str
    ordinal: int
    pool: str | None
    nonce: str | None
    source: str = "order"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What became of a box."""

    box: Waiting
    draw_no: int
    version: int
    item: PoolItem
    tag: str
    order_hash: str
    nonce: str
    derived: bool
    before: int
    after: int
    body: str
    hash: str
    previous: str
    signature: str


@dataclass(slots=True)
class Buyer:
    """A member in a series, as receipts know the member."""

    tag: str
    salt: str
    misses: int


@dataclass
class Course:
    """A locked series while boxes are drawn from it.

    Attributes:
        row: The series as it was locked.
        beside: The pool on sale, what is left, and the store's key, as they were read after it.
    """

    ctx: Ctx
    row: Row[Any]
    beside: Row[Any]
    drawn: list[Drawn] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)

    def __post_init__(self) -> None:
        row, beside = self.row, self.beside
        self.pool, self.version, self.hash = evidence.read_pool(beside.body), row.version, row.pool
        self.draws, self.head = row.draws, row.head
        self.left = dict(beside.remaining)
        self.room = self.pool.room(self.left)
        self._seed = bytes.fromhex(self.ctx.unseal(row.sealed, place="seed"))
        self._signer = evidence.Signer(self.ctx.unseal(beside.signer, place="signer"))

    def draw(self, box: Waiting, buyer: Buyer) -> bool:
        """Draw for one box; False if its buyer has not seen the odds as they are now, or nothing is left."""
        if box.pool != self.hash or self.room == 0:
            return False
        nonce = box.nonce or evidence.derived_nonce(buyer.salt, box.order)
        order = evidence.order_hash(nonce, box.order)
        draw_no, misses = self.draws + 1, buyer.misses
        store, series = self.ctx.tenant.id, self.row.id
        told = evidence.message(store, series, self.version, draw_no, order, box.ordinal)
        item = odds.draw(self.pool, self.left, misses, self._seed, told)
        buyer.misses = self.pool.misses(misses, item)
        facts = {
            "store": str(store),
            "series": str(series),
            "version": self.version,
            "pool": self.hash,
            "commitment": self.row.commitment,
            "draw": draw_no,
            "order": order,
            "ordinal": box.ordinal,
            "derived": box.nonce is None,
            "buyer": buyer.tag,
            "pity": [misses, buyer.misses],
            "item": item.item,
            "hidden": item.hidden,
            "previous": self.head,
        }
        body = evidence.receipt(facts, self.ctx.now)
        made = Drawn(
            box=box,
            draw_no=draw_no,
            version=self.version,
            item=item,
            tag=buyer.tag,
            order_hash=order,
            nonce=nonce,
            derived=box.nonce is None,
            before=misses,
            after=buyer.misses,
            body=body,
            hash=evidence.hashed(body),
            previous=self.head,
            signature=self._signer.sign(body),
        )
        self.drawn.append(made)
        self.draws, self.head = draw_no, made.hash
        self._take(item)
        return True

    def _take(self, item: PoolItem) -> None:
        """One piece less; with fixed odds the last one of an item is the end of these odds."""
        left = self.left[item.item]
        if left is None:
            return
        self.left[item.item] = left - 1
        self.room = self.pool.room(self.left)
        last = left == 1 and self.pool.mode == "replacement"
        if not last or not any(self.left[one.item] != 0 for one in self.pool.items):
            return
        made = pools.publish(
            self.ctx,
            Standing(self.row.id, self.row.commitment, self.beside.public_key, self.hash),
            form(self.row),
            {one.item: self.left[one.item] for one in self.pool.items},
            number=self.version + 1,
            after=self.draws,
            why="sold_out",
        )
        self.published.append(made)
        self.pool, self.version, self.hash = made.pool, made.number, made.hash
        self.room = self.pool.room(self.left)


def lock(ctx: Ctx, series: Iterable[int]) -> dict[int, Course]:
    """Lock series that are on sale or ending, one after another by id; whoever draws has the members before."""
    ids = sorted(set(series))
    if not ids:
        return {}
    rows = [row for row in ctx.sql("series_lock", ids=ids) if row.state in {"on_sale", "ending"}]
    if not rows:
        return {}
    beside = {row.id: row for row in ctx.sql("series_pools", ids=[row.id for row in rows])}
    return {row.id: Course(ctx, row, beside[row.id]) for row in rows}


def buyers(ctx: Ctx, wanted: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Buyer]:
    """What receipts call members in series, by member and series; new ones get a tag and a salt."""
    pairs = sorted(set(wanted))
    known = _lock_buyers(ctx, pairs)
    if len(known) < len(pairs):
        missing = [pair for pair in pairs if pair not in known]
        ctx.sql(
            "buyers_add",
            tags=[secrets.token_hex(12) for _ in missing],
            salts=[secrets.token_hex(16) for _ in missing],
            **_places(missing),
        )
        known |= _lock_buyers(ctx, missing)
    return known


def _lock_buyers(ctx: Ctx, pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Buyer]:
    rows = ctx.sql("buyers_lock", **_places(pairs)) if pairs else ()
    return {(row.member_id, row.series_id): Buyer(row.tag, row.salt, row.misses) for row in rows}


def _places(pairs: Sequence[tuple[int, int]]) -> dict[str, list[int]]:
    return {"members": [member for member, _ in pairs], "series": [series for _, series in pairs]}


def draw(
    ctx: Ctx, courses: Mapping[int, Course], known: Mapping[tuple[int, int], Buyer], boxes: Sequence[Waiting]
) -> list[Drawn]:
    """Draw for boxes of locked series, in their order, and keep it; boxes that cannot be drawn for wait on."""
    for box in boxes:
        course = courses.get(box.series)
        if course is not None:
            course.draw(box, known[box.member, box.series])
    drawn = [one for course in courses.values() for one in course.drawn]
    if drawn:
        _keep(ctx, courses, drawn)
        _tell(ctx, courses, drawn)
    return drawn


def _keep(ctx: Ctx, courses: Mapping[int, Course], drawn: Sequence[Drawn]) -> None:
    pools.keep(ctx, [made for course in courses.values() for made in course.published])
    used = [course for course in courses.values() if course.drawn]
    (kept,) = ctx.sql(
        "draws_keep",
        boxes=[one.box.id for one in drawn],
        members=[one.box.member for one in drawn],
        series=[one.box.series for one in drawn],
        numbers=[one.draw_no for one in drawn],
        versions=[one.version for one in drawn],
        items=[one.item.item for one in drawn],
        hidden=[one.item.hidden for one in drawn],
        tags=[one.tag for one in drawn],
        orders=[one.order_hash for one in drawn],
        nonces=[one.nonce for one in drawn],
        derived=[one.derived for one in drawn],
        ordinals=[one.box.ordinal for one in drawn],
        befores=[one.before for one in drawn],
        afters=[one.after for one in drawn],
        bodies=[one.body for one in drawn],
        hashes=[one.hash for one in drawn],
        previous=[one.previous for one in drawn],
        signatures=[one.signature for one in drawn],
        ids=[course.row.id for course in used],
        draws=[course.draws for course in used],
        heads=[course.head for course in used],
        currents=[course.version for course in used],
        pools=[course.hash for course in used],
        rooms=[course.room for course in used],
        opened=[len(course.drawn) for course in used],
    )
    if (kept.boxes, kept.pieces) != (len(drawn), len(drawn)):
        raise RuntimeError(f"{len(drawn)} locked boxes were drawn for, and cannot be kept so")
    closing.reveal(ctx, [course.row.id for course in used if course.row.state == "ending"])


def _tell(ctx: Ctx, courses: Mapping[int, Course], drawn: Sequence[Drawn]) -> None:
    orders: dict[tuple[int, int, str], list[Drawn]] = {}
    for one in drawn:
        series, cause = one.box.series, f"draw:{one.box.series}:{one.draw_no}"
        told = BoxOpened(
            series=str(series),
            item=one.item.item,
            hidden=one.item.hidden,
            draw_no=one.draw_no,
            order_id=one.box.order if one.box.source == "order" else None,
        )
        ctx.emit(told, member=one.box.member, cause=cause)
        orders.setdefault((one.box.member, series, one.box.order), []).append(one)
    names = {
        series: {one["sku"]: one["name"] for one in course.row.form["items"]} for series, course in courses.items()
    }
    single, several = [], []
    for (member, series, _), boxes in orders.items():
        cause, name = f"draw:{series}:{boxes[0].draw_no}", courses[series].row.name
        if len(boxes) == 1:
            single.append(Notice(member, cause, {"series": name, "item": names[series][boxes[0].item.item]}))
        else:
            several.append(Notice(member, cause, {"series": name, "n": len(boxes)}))
    ctx.message("opened", single)
    ctx.message("opened_several", several)
