"""Endpoints as a merchant manages them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Row

from threepeat.sdk import (
    Context,
    Due,
    Item,
    ItemModel,
    Once,
    Query,
    Refused,
    _,
    action,
    collection,
    item_number,
    shown,
)
from threepeat.sdk.settings import EVENT_TYPES
from threepeat_webhooks import addresses, signing
from threepeat_webhooks.addresses import Forbidden
from threepeat_webhooks.delivering import SECRET
from threepeat_webhooks.events import Tested
from threepeat_webhooks.settings import WebhooksSettings

Ctx = Context[WebhooksSettings]

MOST_ENDPOINTS = 20
"""Endpoints that a store may have on: each takes its share of every event."""
RETIRE = "retire_secret"
OLD_FOR = timedelta(hours=24)
HEADING = _("Signing secret")
STATES = {"active": _("On"), "off": _("Off"), "disabled": _("Disabled")}
REASONS = {
    "gone": _("It answered that it wants nothing more."),
    "failing": _("Nothing has arrived there for five days."),
}
TOO_MANY = _("At most {n} endpoints can be on: switch another one off first.", n=MOST_ENDPOINTS)


class Endpoint(ItemModel):
    """What a merchant fills in."""

    name: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        min_length=1,
        max_length=60,
        title=_("Name"),
        description=_("For you and your staff, such as what it is for."),
        json_schema_extra=shown(placeholder=_("Order system")),
    )
    url: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        title=_("Address"),
        description=_("Where the events are sent to; it begins with https://."),
        max_length=addresses.MAX_URL,
        json_schema_extra=shown(placeholder="https://shop.example.com/webhooks"),
    )
    which: Literal["all", "chosen"] = Field(
        default="all",
        title=_("Events"),
        json_schema_extra=shown(
            choices={"all": _("All, also those that come to be later"), "chosen": _("Only those ticked below")}
        ),
    )
    types: tuple[str, ...] = Field(
        default=(),
        max_length=200,
        validate_default=True,
        title=_("Which events"),
        json_schema_extra=shown(items=EVENT_TYPES),
    )

    @field_validator("url")
    @classmethod
    def _reachable(cls, url: str) -> str:
        try:
            addresses.target(url, loopback=addresses.loopback_allowed())
        except Forbidden as error:
            raise PydanticCustomError("webhook_address", error.args[0]) from None
        return url

    @field_validator("types")
    @classmethod
    def _some(cls, types: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("which") == "chosen" and not types:
            raise PydanticCustomError("webhook_no_types", _("tick at least one"))
        return tuple(dict.fromkeys(types))


def find(ctx: Ctx, query: Query) -> Sequence[Item[Endpoint]]:
    """Endpoints, newest first."""
    rows = ctx.sql("endpoint_find", state=query.state, search=query.search, before=query.before, most=query.limit)
    return [_item(row) for row in rows]


def read(ctx: Ctx, item: str) -> Item[Endpoint] | None:
    """One endpoint, with how it stands."""
    rows = ctx.sql("endpoint_read", id=item_number(item))
    if not rows:
        return None
    row = rows[0]
    figures: dict[str, int | str] = {_("Waiting"): row.waiting}
    if row.reason:
        figures[_("Why it is disabled")] = REASONS[row.reason]
    if row.arrived_at is not None:
        figures[_("Last arrived")] = moment(ctx, row.arrived_at)
    if row.failing_since is not None:
        figures[_("Failing since")] = moment(ctx, row.failing_since)
    if row.rests_until is not None:
        figures[_("Nothing is tried until")] = moment(ctx, row.rests_until)
    if row.old_until is not None:
        figures[_("The secret before signs too until")] = moment(ctx, row.old_until)
    return _item(row, figures)


def create(ctx: Ctx, given: Endpoint) -> Once:
    """Keep an endpoint; its secret is made here and shown this once.

    Raises:
        Refused: The store has as many as it may have.
    """
    _require_room(ctx)
    secret = signing.new_secret()
    made = ctx.sql("endpoint_add", secret=ctx.seal(secret, place=SECRET), **_columns(given))
    return Once(str(made[0].id), {HEADING: secret})


def update(ctx: Ctx, item: str, revision: int, given: Endpoint) -> bool:
    """Save it; what waits goes to the new address."""
    return bool(ctx.sql("endpoint_save", id=item_number(item), revision=revision, **_columns(given)))


def test(ctx: Ctx, item: str, revision: int) -> bool:
    """Send a test event on the road that all events go."""
    if not ctx.sql("endpoint_touch", id=item_number(item), revision=revision):
        return False
    ctx.emit(Tested(endpoint=item), member=None)
    return True


def rotate(ctx: Ctx, item: str, revision: int) -> bool | Once:
    """Make a new secret; the old one signs beside it for a day."""
    secret, until = signing.new_secret(), ctx.now + OLD_FOR
    sealed = ctx.seal(secret, place=SECRET)
    if not ctx.sql("endpoint_rotate", id=item_number(item), revision=revision, secret=sealed, until=until):
        return False
    ctx.later(RETIRE, item, until)
    return Once(item, {HEADING: secret})


def retire(ctx: Ctx, dues: list[Due]) -> None:
    """Forget old secrets whose day is over."""
    ctx.sql("retire", ids=[item_number(due.key) for due in dues])


def switch_off(ctx: Ctx, item: str, revision: int) -> bool:
    """Send nothing more there; what waits is stopped."""
    if not ctx.sql("endpoint_step", id=item_number(item), revision=revision, states=["active"], into="off"):
        return False
    ctx.sql("stop", endpoint=item_number(item))
    return True


def switch_on(ctx: Ctx, item: str, revision: int) -> bool:
    """Send what happens from now on.

    Raises:
        Refused: The store has as many as it may have.
    """
    _require_room(ctx)
    states = ["off", "disabled"]
    return bool(ctx.sql("endpoint_step", id=item_number(item), revision=revision, states=states, into="active"))


def moment(ctx: Ctx, instant: datetime) -> str:
    """An instant as the store's clock shows it."""
    return f"{instant.astimezone(ctx.tenant.timezone):%Y-%m-%d %H:%M}"


ENDPOINTS = collection(
    "endpoints",
    Endpoint,
    title=_("Endpoints"),
    singular=_("endpoint"),
    summary=_("Addresses of your own servers that are told what happens in the store."),
    states=STATES,
    editable=set(STATES),
    find=find,
    read=read,
    create=create,
    update=update,
    actions=[
        action("test", test, title=_("Send a test event"), states={"active"}),
        action(
            "rotate",
            rotate,
            title=_("Make a new secret"),
            states=set(STATES),
            confirm=_(
                "The new secret is shown once. For 24 hours each event is signed with both, then with the new one"
                " only. A secret from an earlier change stops counting at once."
            ),
        ),
        action("on", switch_on, title=_("Switch on"), states={"off", "disabled"}),
        action(
            "off",
            switch_off,
            title=_("Switch off"),
            states={"active"},
            confirm=_("What waits to be sent is stopped. You can have it sent again later."),
        ),
    ],
)


def _require_room(ctx: Ctx) -> None:
    ctx.sql("endpoint_queue")
    # A statement of its own: only one that begins after the wait sees what the others have made.
    if ctx.sql("endpoint_count")[0].active >= MOST_ENDPOINTS:
        raise Refused(TOO_MANY, code="too-many")


def _columns(given: Endpoint) -> dict[str, object]:
    every = given.which == "all"
    return {"name": given.name, "url": given.url, "every": every, "types": [] if every else list(given.types)}


def _item(row: Row[Any], figures: Mapping[str, int | str] = MappingProxyType({})) -> Item[Endpoint]:
    # Not checked again: what may be saved has changed, perhaps, and this was saved before.
    values = Endpoint.model_construct(
        name=row.name, url=row.url, which="all" if row.every else "chosen", types=tuple(row.types)
    )
    return Item(str(row.id), row.state, values, row.revision, row.name, row.changed_at, figures)
