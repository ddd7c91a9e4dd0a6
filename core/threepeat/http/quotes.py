"""`/v1/quotes`: what a basket comes to, held for an order, paid, released, and what a return is worth."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec
import structlog
from fastapi import Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from threepeat.database.sealed import sealed
from threepeat.events.context import Cause
from threepeat.events.pricing import OverpricedError
from threepeat.http.calls import AppDoor, Call, IdempotencyKey, bearer, note, once
from threepeat.http.paths import Room, SegmentRoute
from threepeat.sdk.errors import PluginError
from threepeat.sdk.events import MAX_AMOUNT
from threepeat.sdk.pricing import MAX_LINES, Applied, Basket, Checkout, LeftOut, RefundQuote, StoredQuote
from threepeat.tenancy import members, switches
from threepeat.tenancy.errors import Conflict, Invalid, NotAllowed, NotFound
from threepeat.tenancy.switches import SwitchState

T = TypeVar("T")

MAX_CHOICES = 20
NO_QUOTE = "there is no such quote"
UNAVAILABLE = "a plugin that has a part in this price cannot be asked at the moment; nothing was changed"

logger = structlog.get_logger(__name__)

router = Room(prefix="/v1/quotes", tags=["quotes"], dependencies=[Depends(bearer)], route_class=SegmentRoute)

Minor = Annotated[int, Field(ge=0, le=MAX_AMOUNT)]
Name = Annotated[str, Field(min_length=1, max_length=128)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LineRequest(_Request):
    """Some units of one thing."""

    id: Name = Field(description="The shop's name of the line, unique in the basket.")
    sku: Name
    quantity: int = Field(ge=1, le=10**9)
    unit_price: Minor = Field(description="Of one unit before any reduction, in minor units.")
    category: str = Field(default="", max_length=500)
    name: str = Field(default="", max_length=500)


class QuoteRequest(_Request):
    """What somebody is about to buy."""

    lines: list[LineRequest] = Field(min_length=1, max_length=MAX_LINES)
    shipping: Minor = Field(default=0, description="What delivery costs before any reduction.")
    choices: dict[str, Any] = Field(
        default={},
        max_length=MAX_CHOICES,
        description='What the member chose, by plugin id: `{"vouchers": ["…"], "points": 500}`.',
    )
    member: str | None = Field(
        default=None,
        max_length=members.MAX_EXTERNAL_ID,
        description="The shop's id of the member; a member token speaks for its own. Without one somebody whom"
        " nobody knows buys.",
    )


class GiftView(BaseModel):
    """Something that goes along for nothing."""

    sku: str
    quantity: int
    name: str


class AppliedView(BaseModel):
    """A reduction that counts."""

    plugin: str
    rule: str
    key: str
    title: dict[str, str] = Field(description="By language.")
    amount: int = Field(description="Off the goods, in minor units.")
    shipping: int = Field(description="Off delivery.")
    gifts: list[GiftView]


class LeftOutView(BaseModel):
    """Something that was chosen or might have counted, and does not."""

    plugin: str
    rule: str
    key: str
    title: dict[str, str]
    why: Literal["declined", "group", "stacking", "nothing-left", "failed"]
    reason: dict[str, str] = Field(description="A sentence by language, if its rule gave one.")


class ShareView(BaseModel):
    """What a reduction takes off one line."""

    plugin: str
    rule: str
    key: str
    title: dict[str, str]
    amount: int


class LineView(BaseModel):
    """A line and how its price came about."""

    id: str
    sku: str
    quantity: int
    before: int
    reductions: list[ShareView]
    after: int


class QuoteView(BaseModel):
    """What a basket comes to, and why."""

    id: str
    state: Literal["quoted", "reserved", "confirmed", "released"]
    currency: str
    lines: list[LineView]
    shipping_before: int
    shipping: int
    total: int = Field(description="What is to be paid, in minor units.")
    applied: list[AppliedView]
    left_out: list[LeftOutView]
    expires_at: datetime = Field(
        description="Until when it can be reserved; while it is reserved, until when that holds."
    )
    order_id: str | None


class ConfirmRequest(_Request):
    """Which order was paid."""

    order_id: Name


class RefundRequest(_Request):
    """What comes back now."""

    units: dict[Name, Annotated[int, Field(ge=1, le=10**9)]] = Field(
        min_length=1, max_length=MAX_LINES, description="How many units, by line id."
    )


class RefundView(BaseModel):
    """What is to be paid back."""

    model_config = ConfigDict(from_attributes=True)

    amount: int = Field(description="In minor units. All refunds of an order together are what was paid for it.")
    lines: dict[str, int]
    given_back: dict[str, int] = Field(
        description="What goes back besides money, by `{plugin}.{rule}`, in minor units of reduction."
    )


@router.post("", response_model=QuoteView, status_code=201, summary="Price a basket")
def post_quote(request: Request, door: AppDoor, wanted: QuoteRequest) -> QuoteView:
    """Nothing is held by it. Ask as often as the basket changes."""

    def work(call: Call) -> QuoteView:
        member = _buyer(call, wanted.member)
        basket = msgspec.convert(wanted.model_dump(exclude={"member"}), Basket)
        if len({line.id for line in basket.lines}) < len(basket.lines):
            raise Invalid("lines", "two lines have the same id")

        def ask(checkout: Checkout) -> StoredQuote:
            try:
                return checkout.quote(member, basket)
            except OverpricedError as error:
                raise Invalid("lines", str(error)) from None

        return _view(call, _with_checkout(call, request, ask, new=True))

    return door.buyer(request, work)


@router.get("/{quote_id}", response_model=QuoteView, summary="Read a quote")
def get_quote(request: Request, door: AppDoor, quote_id: str) -> QuoteView:
    """A quote as it stands."""
    return door.buyer(request, lambda call: _view(call, _found(call, request, quote_id)))


@router.post("/{quote_id}/reserve", response_model=QuoteView, summary="Hold a quote for an order")
def reserve(request: Request, door: AppDoor, quote_id: str, key: IdempotencyKey = None) -> Response:
    """All or nothing; twice is the same as once. Send the order's payment with this id as `reservation_id`."""

    def work(call: Call) -> Response:
        def make() -> QuoteView:
            _hold(call, request, quote_id)
            return _view(call, _with_checkout(call, request, lambda checkout: checkout.reserve(quote_id)))

        return once(call, key, {"reserve": quote_id}, make)

    return door.buyer(request, work)


@router.post("/{quote_id}/confirm", response_model=QuoteView, summary="Say that a quote was paid")
def confirm(
    request: Request, door: AppDoor, quote_id: str, wanted: ConfirmRequest, key: IdempotencyKey = None
) -> Response:
    """The event `order.paid` with the `reservation_id` does the same; this is for shops that want the answer."""

    def work(call: Call) -> Response:
        def make() -> QuoteView:
            _hold(call, request, quote_id)
            return _view(
                call, _with_checkout(call, request, lambda checkout: checkout.confirm(quote_id, wanted.order_id))
            )

        return once(call, key, {"confirm": quote_id, "order": wanted.order_id}, make)

    return door.server(request, work)


@router.post("/{quote_id}/release", response_model=QuoteView, summary="Let a quote go")
def release(request: Request, door: AppDoor, quote_id: str, key: IdempotencyKey = None) -> Response:
    """The order will not be paid; what was held is free again."""

    def work(call: Call) -> Response:
        def make() -> QuoteView:
            _hold(call, request, quote_id)
            return _view(call, _with_checkout(call, request, lambda checkout: checkout.release(quote_id)))

        return once(call, key, {"release": quote_id}, make)

    return door.buyer(request, work)


@router.post("/{quote_id}/refund", response_model=RefundView, summary="What a return is worth")
def refund(request: Request, door: AppDoor, quote_id: str, wanted: RefundRequest) -> RefundQuote:
    """What to pay back if these units come back now. It changes nothing: `order.refunded` does."""

    def work(call: Call) -> RefundQuote:
        _found(call, request, quote_id)
        return _with_checkout(call, request, lambda checkout: checkout.refund(quote_id, wanted.units))

    return door.server(request, work)


def _buyer(call: Call, named: str | None) -> int | None:
    """Who buys.

    Raises:
        NotAllowed: A member names somebody.
        NotFound: There is no such member.
    """
    if call.caller.member_id is not None:
        if named is not None:
            raise NotAllowed("a member token speaks for its own member: leave `member` out")
        return call.caller.member_id
    return members.find(call.scope, named, hold=True) if named is not None else None


def _found(call: Call, request: Request, quote_id: str) -> StoredQuote:
    """A quote that the caller may see.

    Raises:
        NotFound: There is none, or it is somebody else's.
    """
    found = _with_checkout(call, request, lambda checkout: checkout.read(quote_id))
    mine = call.caller.member_id
    if found is None or (mine is not None and found.member != mine):
        raise NotFound(NO_QUOTE)
    return found


def _hold(call: Call, request: Request, quote_id: str) -> None:
    """Begin a command for the member of a quote, as a member's own call has begun already.

    Raises:
        NotFound: There is no such quote, it is somebody else's, or its member is being erased.
    """
    found = _found(call, request, quote_id)
    if call.caller.member_id is None:
        switches.stand_still(call.scope)
        if found.member is not None and members.current(call.scope, found.member, hold=True) is None:
            raise NotFound(NO_QUOTE)


def _with_checkout(call: Call, request: Request, work: Callable[[Checkout], T], *, new: bool = False) -> T:
    provider = call.platform.registry.provider(Checkout)
    state = call.opened.state(provider[0].id) if provider is not None else SwitchState.OFF
    if provider is None or state is SwitchState.OFF or (new and state is not SwitchState.ENABLED):
        raise NotFound("this store has no checkout")
    plugin, provided = provider
    note(request, plugin=plugin.id)
    context = call.opened.context(plugin, cause=Cause(f"checkout:{secrets.token_hex(16)}"))
    try:
        with sealed(call.scope.connection):
            answer = work(cast("Checkout", provided.factory(context)))
    except PluginError as error:
        logger.error("checkout failed", tenant=call.tenant.store.slug, plugin=plugin.id, reason=str(error))
        raise Conflict("plugin-unavailable", UNAVAILABLE) from error
    context.finish()
    return answer


def _view(call: Call, stored: StoredQuote) -> QuoteView:
    quote = stored.quote
    after = quote.lines
    return QuoteView(
        id=stored.id,
        state=stored.state,
        currency=call.tenant.store.currency,
        lines=[
            LineView(
                id=line.id,
                sku=line.sku,
                quantity=line.quantity,
                before=line.amount,
                reductions=[_share(one, line.id) for one in quote.applied if one.shares.get(line.id)],
                after=after[line.id],
            )
            for line in quote.basket.lines
        ],
        shipping_before=quote.basket.shipping,
        shipping=quote.shipping,
        total=quote.total,
        applied=[_applied(one) for one in quote.applied],
        left_out=[_left_out(one) for one in quote.left_out],
        expires_at=stored.expires_at,
        order_id=stored.order_id,
    )


def _share(one: Applied, line: str) -> ShareView:
    return ShareView(plugin=one.plugin, rule=one.rule, key=one.key, title=one.title, amount=one.shares[line])


def _applied(one: Applied) -> AppliedView:
    return AppliedView(
        plugin=one.plugin,
        rule=one.rule,
        key=one.key,
        title=one.title,
        amount=one.amount,
        shipping=one.shipping,
        gifts=[GiftView(sku=gift.sku, quantity=gift.quantity, name=gift.name) for gift in one.gifts],
    )


def _left_out(one: LeftOut) -> LeftOutView:
    return LeftOutView(
        plugin=one.plugin, rule=one.rule, key=one.key, title=one.title, why=one.why, reason=one.reason
    )
