"""What members read of series and boxes."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import Row

from threepeat.sdk import _, shown
from threepeat_blindbox import evidence, words
from threepeat_blindbox.odds import base, effective
from threepeat_blindbox.pools import Ctx, form
from threepeat_blindbox.settings import AGE_TEXT

Nonce = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32,64}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Words = Mapping[str, str]

NONCE = _("32 to 64 hexadecimal digits that the member's phone chose at random; the first for an order counts.")
PROGRAMS: dict[str, Any] = {"json_schema_extra": shown(programs=True)}
STATES = {"waiting": _("To open"), "opened": _("Opened"), "void": _("Given up")}


class Rate(BaseModel):
    """How often something comes, exactly and as people read it.

    A rate with a guarantee may need very long numbers: then the exact ones are empty.
    """

    numerator: str = Field(description="A whole number; empty if it has more than 40 digits.", **PROGRAMS)
    denominator: str = Field(description="A whole number; empty if it has more than 40 digits.", **PROGRAMS)
    percent: str = Field(title=_("Odds"), description="Rounded, such as `0.6944%`.")


class Odds(BaseModel):
    """An item of a series and how often it comes."""

    item: str = Field(title=_("Item"))
    name: str = Field(title=_("Name"))
    hidden: bool = Field(title=_("Hidden item"))
    guaranteed: bool = Field(title=_("Guaranteed"))
    value: int = Field(title=_("Worth"), json_schema_extra=shown(unit="money"))
    left: int | None = Field(title=_("Left"), description="Null is any number.")
    base: Rate = Field(title=_("Odds"), description="In one draw that no guarantee decides.")
    effective: Rate = Field(title=_("In the long run"), description="With the guarantee included.")


class SeriesView(BaseModel):
    """A series on sale."""

    id: str = Field(title=_("Series"))
    name: str = Field(title=_("Name"))
    sku: str = Field(title=_("SKU of the box"))
    price: int = Field(title=_("Price"), json_schema_extra=shown(unit="money"))
    mode: Literal["replacement", "urn"] = Field(title=_("Drawing"))
    version: str = Field(title=_("Version of the odds"), description="Send it along when you buy or draw.")
    commitment: str = Field(
        title=_("Committed to"), description="SHA-256 of the seed, which is revealed at the end."
    )
    key: str = Field(description="The store's Ed25519 key for receipts.", **PROGRAMS)
    odds: list[Odds] = Field(title=_("What boxes hold"))
    left: int | None = Field(title=_("Left"), description="Boxes that can still be had; null is any number.")
    guaranteed_with: int | None = Field(title=_("Guaranteed at the latest with draw"))
    missed: int = Field(title=_("Your draws without"), description="In a row without a guaranteed item.")
    daily_boxes: int | None = Field(title=_("Boxes in a day"))
    daily_money: int | None = Field(title=_("Money in a day"), json_schema_extra=shown(unit="money"))
    today: int = Field(title=_("Yours today"))


class Age(BaseModel):
    """What has to be confirmed before the first box."""

    confirmed: bool = Field(title=_("Confirmed"))
    text: Words = Field(title=_("What members confirm"), description="By language, `en` and `zh`.")
    text_version: str


class Shelf(BaseModel):
    """What is on sale."""

    series: list[SeriesView] = Field(title=_("Series"))
    age: Age = Field(title=_("Who may buy"))


class Declare(BaseModel):
    """A member's word."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["adult", "guardian"] = Field(
        title=_("I confirm"),
        json_schema_extra=shown(
            choices={"adult": _("I am 18 or older"), "guardian": _("I am at least 8 and my guardian agrees")}
        ),
    )
    text_version: str = Field(min_length=1, max_length=64, title=_("Version of the text"))


class GiveNonce(BaseModel):
    """A nonce for an order."""

    model_config = ConfigDict(extra="forbid")

    order_id: str = Field(min_length=1, max_length=128, title=_("Order"))
    nonce: Nonce = Field(title=_("Random number"), description=NONCE, examples=["0" * 32])


class NonceView(BaseModel):
    """The first nonce of an order."""

    nonce: str = Field(title=_("Random number"))


class Open(BaseModel):
    """A box to open."""

    model_config = ConfigDict(extra="forbid")

    box: str = Field(pattern=r"^[1-9][0-9]{0,17}$", title=_("Box"), examples=["7"])
    version: Version = Field(title=_("Version of the odds"), examples=["0" * 64])
    nonce: Nonce | None = Field(default=None, title=_("Random number"), description=NONCE)


class Decline(BaseModel):
    """A box to give up."""

    model_config = ConfigDict(extra="forbid")

    box: str = Field(pattern=r"^[1-9][0-9]{0,17}$", title=_("Box"), examples=["7"])


class Use(BaseModel):
    """A chance to use."""

    model_config = ConfigDict(extra="forbid")

    series: str = Field(pattern=r"^[1-9][0-9]{0,17}$", title=_("Series"), examples=["3"])
    version: Version = Field(title=_("Version of the odds"), examples=["0" * 64])
    nonce: Nonce | None = Field(default=None, title=_("Random number"), description=NONCE)


class Receipt(BaseModel):
    """What a buyer keeps. With the evidence of the closed series it proves the draw."""

    body: str = Field(description="Word for word as it is signed.")
    signature: str = Field(description="Ed25519, by the store's key.")
    nonce: str = Field(description="Only the buyer has it: it binds the receipt to the order.")
    order_id: str


class BoxView(BaseModel):
    """A box of the member."""

    id: str = Field(title=_("Box"))
    series: str = Field(title=_("Series"))
    name: str = Field(title=_("Name"))
    state: Literal["waiting", "opened", "void"] = Field(title=_("State"), json_schema_extra=shown(choices=STATES))
    returned: bool = Field(title=_("Came back"))
    version: str = Field(title=_("Version of the odds"), description="Of now; a box that waits is opened with it.")
    item: str | None = Field(title=_("Item"))
    item_name: str | None = Field(title=_("Name"))
    hidden: bool | None = Field(title=_("Hidden item"))
    guide: str = Field(title=_("Pairing guide"))
    draw_no: int | None = Field(title=_("Draw"))
    missed: list[int] | None = Field(
        description="Draws in a row without a guaranteed item, before and after.", **PROGRAMS
    )
    receipt: Receipt | None = Field(description="Kept by whoever wants to verify the draw.", **PROGRAMS)
    paid_at: datetime = Field(title=_("Paid at"))
    opened_at: datetime | None = Field(title=_("Opened at"))


class Boxes(BaseModel):
    """The member's boxes."""

    boxes: list[BoxView] = Field(title=_("Boxes"))
    next: int | None = Field(description="Pass it as `before` for what follows; null at the end.")


class ChanceView(BaseModel):
    """Chances in a series."""

    series: str = Field(title=_("Series"))
    name: str = Field(title=_("Name"))
    chances: int = Field(title=_("Chances"))
    first_ends: datetime = Field(title=_("The first ends at"))


class Chances(BaseModel):
    """The member's chances to draw."""

    chances: list[ChanceView] = Field(title=_("Chances"))


class Evidence(BaseModel):
    """What anybody needs to draw a closed series again."""

    format: str = Field(**PROGRAMS)
    store: str = Field(**PROGRAMS)
    series: str = Field(**PROGRAMS)
    name: str = Field(title=_("Name"))
    key: str = Field(**PROGRAMS)
    commitment: str = Field(title=_("Committed to"))
    seed: str = Field(title=_("Seed"))
    draws: int = Field(title=_("Opened"))
    head: str = Field(**PROGRAMS)
    versions: list[str] = Field(**PROGRAMS)
    receipts: list[dict[str, str]] = Field(**PROGRAMS)
    next: int | None = Field(description="Pass it as `after` for further receipts; null at the end.")


class Verifier(BaseModel):
    """The verifiers, to be kept as files."""

    page: str = Field(description="One page for a browser, which needs no network.", **PROGRAMS)
    python: str = Field(description="One file for Python 3.9 or newer, which needs nothing else.", **PROGRAMS)


def series(row: Row[Any]) -> SeriesView:
    """A series with the odds of the pool that draws now."""
    given, pool, left = form(row), evidence.read_pool(row.body), dict(row.remaining)
    names = {one.sku: one for one in given.items}
    plain, real = base(pool, left), effective(pool, left)
    return SeriesView(
        id=str(row.id),
        name=row.name,
        sku=row.sku,
        price=row.price,
        mode=given.mode,
        version=row.pool,
        commitment=row.commitment,
        key=row.public_key,
        odds=[
            Odds(
                item=one.item,
                name=names[one.item].name,
                hidden=one.hidden,
                guaranteed=one.floor,
                value=names[one.item].value,
                left=left[one.item],
                base=rate(plain[one.item]),
                effective=rate(real[one.item]),
            )
            for one in pool.items
        ],
        left=None if row.room is None else max(row.room - row.held, 0),
        guaranteed_with=given.pity,
        missed=row.misses,
        daily_boxes=row.daily_boxes,
        daily_money=row.daily_money,
        today=row.today,
    )


def rate(exact: Fraction) -> Rate:
    """A rate for people and for programs."""
    short = len(str(exact.denominator)) <= 40
    return Rate(
        numerator=str(exact.numerator) if short else "",
        denominator=str(exact.denominator) if short else "",
        percent=words.percent(exact),
    )


def age(ctx: Ctx, *, confirmed: bool) -> Age:
    """What has to be confirmed."""
    own = ctx.settings.age_text
    text = {"en": own, "zh": own} if own else ctx.said(AGE_TEXT)
    return Age(confirmed=confirmed, text=text, text_version=ctx.settings.text_version)


def box(row: Row[Any]) -> BoxView:
    """A box of the member who asks."""
    drawn = row.draw_no is not None
    return BoxView(
        id=str(row.id),
        series=str(row.series_id),
        name=row.name,
        state=row.state,
        returned=row.returned,
        version=row.version,
        item=row.item,
        item_name=row.item_name,
        hidden=row.hidden,
        guide=row.guide or "",
        draw_no=row.draw_no,
        missed=[row.misses_before, row.misses_after] if drawn else None,
        receipt=Receipt(body=row.body, signature=row.signature, nonce=row.nonce, order_id=row.order_id)
        if drawn
        else None,
        paid_at=row.paid_at,
        opened_at=row.opened_at,
    )
