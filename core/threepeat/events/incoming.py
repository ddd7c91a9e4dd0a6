"""Reads what senders post: envelopes and data, each item with its own verdict."""

import re
from codecs import getincrementaldecoder
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from threepeat.sdk.events import Event, Sender

MAX_DATA = 256 * 1024
UTF8 = getincrementaldecoder("utf-8")
CHUNK = 256 * 1024
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=10)
MEMBER_BEHIND = timedelta(days=7)

# A backslash-u escape may hide a NUL or half a surrogate pair; PostgreSQL refuses both.
ESCAPE = b"\\u"


class Verdict(StrEnum):
    """What became of one item."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    INVALID = "invalid"


class CloudEvent(Struct, frozen=True, gc=False):
    """A CloudEvents 1.0 envelope in its JSON format.

    `subject` is the shop's own id of the member. Without `time` the moment of arrival counts.
    """

    specversion: Annotated[str, Meta(pattern="^1\\.0$")]
    id: Annotated[str, Meta(min_length=1, max_length=256)]
    source: Annotated[str, Meta(min_length=1, max_length=256)]
    type: Annotated[str, Meta(min_length=1, max_length=128)]
    data: Raw
    subject: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    time: Annotated[datetime, Meta(tz=True)] | None = None
    datacontenttype: Annotated[str, Meta(max_length=256)] = "application/json"
    dataschema: Annotated[str, Meta(max_length=2048)] | None = None


class Malformed(ValueError):  # noqa: N818 - an answer, not a programming error
    """The body as a whole cannot be read, so nothing in it has a verdict."""


@dataclass(slots=True)
class Item:
    """One item of a batch on its way into the log.

    Attributes:
        index: Its place in the batch, from 0.
        reason: Why it is invalid or in conflict, for people; begins with the field.
        timed: The sender gave the time; without one, a retry cannot repeat it.
        position: Where it stands in the log.
        first: The earlier item of its batch under the same key, which it was judged by.
    """

    index: int
    verdict: Verdict = Verdict.ACCEPTED
    reason: str = ""
    id: str = ""
    source: str = ""
    type: str = ""
    subject: str | None = None
    occurred_at: datetime = EARLIEST
    timed: bool = True
    data: str = "{}"
    position: int | None = None
    first: "Item | None" = None

    def refuse(self, verdict: Verdict, reason: str) -> "Item":
        """Give it a verdict other than accepted."""
        self.verdict, self.reason = verdict, reason
        return self


def _number(digits: str) -> Decimal | str:
    """Keep numbers whole that a float cannot hold; those that Decimal cannot hold stay text."""
    try:
        return Decimal(digits)
    except ArithmeticError:
        return digits


_item = msgspec.json.Decoder(Raw)
_envelope = msgspec.json.Decoder(CloudEvent)
_anything = msgspec.json.Decoder(float_hook=_number)


class Catalogue:
    """Every event class by type, with a decoder that was built once."""

    def __init__(self, classes: Mapping[str, type[Event]]) -> None:
        self.classes = dict(classes)
        self.decoders = {name: msgspec.json.Decoder(event) for name, event in classes.items()}


def split(body: bytes, *, batch: bool, most: int) -> list[Raw]:
    """Take a body apart without reading the items yet.

    Args:
        body: JSON text.
        batch: It is an array of events, not one event.
        most: How many items a batch may have.

    Raises:
        Malformed: It is no UTF-8 JSON of that form.
    """
    try:
        _check_encoding(body)
        items = _items(most, body) if batch else [_item.decode(body)]
    except UnicodeDecodeError:
        raise Malformed("the body is not UTF-8") from None
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise Malformed(f"the body is not {'a JSON array of events' if batch else 'JSON'}: {error}") from None
    if len(items) > most:
        raise Malformed(f"a batch may hold {most} events, this one holds {len(items)} or more")
    if not items:
        raise Malformed("the batch is empty")
    return items


def _check_encoding(body: bytes) -> None:
    """See that a body is UTF-8; piece by piece, because as a text it would take up to four times its size."""
    decoder = UTF8()
    for start in range(0, len(body), CHUNK):
        decoder.decode(body[start : start + CHUNK])
    decoder.decode(b"", final=True)


def _items(most: int, body: bytes) -> list[Raw]:
    """The items of an array, at most one more than allowed: four million numbers are not kept to be counted."""
    return [item for item in msgspec.structs.astuple(_array(most).decode(body)) if item is not None]


@lru_cache
def _array(most: int) -> msgspec.json.Decoder[Any]:
    fields = [(f"item{number}", Raw, None) for number in range(most + 1)]
    return msgspec.json.Decoder(msgspec.defstruct("Items", fields, array_like=True))


def read(
    raws: Iterable[Raw],
    catalogue: Catalogue,
    *,
    sender: Sender,
    currency: str,
    now: datetime,
    subject: str | None = None,
) -> list[Item]:
    """Check each item of a batch by itself.

    Args:
        raws: What `split` returned.
        catalogue: The known event classes.
        sender: Who sends; decides which types are open.
        currency: The tenant's currency; money of another one is refused.
        now: The moment of arrival.
        subject: The calling member's external id, which every item's subject is set to.
    """
    items: list[Item] = []
    for index, raw in enumerate(raws):
        item = Item(index)
        items.append(item)
        try:
            _read_one(item, raw, catalogue, sender, currency, now, subject)
        except RecursionError:
            item.refuse(Verdict.INVALID, "data: nested too deeply")
        except msgspec.DecodeError as error:
            item.refuse(Verdict.INVALID, _where(str(error), item))
    _judge_repeats(items)
    return items


def _judge_repeats(items: Iterable[Item]) -> None:
    """Judge each accepted item by the first that has its key."""
    seen: dict[tuple[str, str], Item] = {}
    for item in items:
        if item.verdict is Verdict.ACCEPTED:
            first = seen.setdefault((item.source, item.id), item)
            if first is not item:
                item.first = first
                judge(item, first, same_data=_same_json(item.data, first.data))


def reopen(items: Iterable[Item]) -> list[Item]:
    """Accept again what was judged by an item of its batch that did not get into the log itself.

    Returns:
        What now wants to be appended: all repeats of an event that the log already had, which it will judge,
        and of each key that it has not the first repeat.
    """
    again = [item for item in items if item.first is not None and item.first.verdict is not Verdict.ACCEPTED]
    unknown = [item for item in again if item.first is not None and item.first.position is None]
    for item in again:
        item.verdict, item.reason, item.first = Verdict.ACCEPTED, "", None
    _judge_repeats(unknown)
    return [item for item in again if item.verdict is Verdict.ACCEPTED]


def judge(item: Item, first: Item, *, same_data: bool) -> None:
    """Say whether an item that came under a taken key repeats the first or contradicts it."""
    same = (
        item.type == first.type
        and item.subject == first.subject
        and (item.occurred_at == first.occurred_at or not item.timed)
        and same_data
    )
    if same:
        item.refuse(Verdict.DUPLICATE, "")
    else:
        item.refuse(Verdict.CONFLICT, "id: another event came first under this source and id, and stands")


def _same_json(one: str, other: str) -> bool:
    """Whether two texts mean the same JSON, as PostgreSQL's jsonb would say: 1 is 1.0, but not true."""
    if one == other:
        return True
    try:
        waiting: list[tuple[Any, Any]] = [(_anything.decode(one), _anything.decode(other))]
    except (ValueError, RecursionError):
        return False
    while waiting:
        mine, its = waiting.pop()
        if isinstance(mine, dict) and isinstance(its, dict) and mine.keys() == its.keys():
            waiting += [(mine[key], its[key]) for key in mine]
        elif isinstance(mine, list) and isinstance(its, list) and len(mine) == len(its):
            waiting += zip(mine, its, strict=True)
        elif mine != its or isinstance(mine, bool) is not isinstance(its, bool) or isinstance(mine, dict | list):
            return False
    return True


def _read_one(
    item: Item,
    raw: Raw,
    catalogue: Catalogue,
    sender: Sender,
    currency: str,
    now: datetime,
    subject: str | None,
) -> None:
    envelope = _envelope.decode(raw)
    item.id, item.source, item.type = envelope.id, envelope.source, envelope.type
    item.subject = subject or envelope.subject
    event_class = catalogue.classes.get(envelope.type)
    if event_class is None:
        item.refuse(Verdict.INVALID, f"type: there is no event type {envelope.type!r}")
        return
    if sender not in event_class.senders:
        item.refuse(Verdict.INVALID, f"type: a {sender} may not send {envelope.type}")
        return
    if item.subject is None and event_class.about_member:
        item.refuse(Verdict.INVALID, f"subject: {envelope.type} is about a member, and none is named")
        return
    if len(envelope.data) > MAX_DATA:
        item.refuse(Verdict.INVALID, f"data: more than {MAX_DATA} bytes")
        return
    event = catalogue.decoders[envelope.type].decode(envelope.data)
    if getattr(event, "currency", currency) != currency:
        item.refuse(Verdict.INVALID, f"data.currency: this store's money is {currency}")
        return
    item.data = bytes(envelope.data).decode()
    item.timed = envelope.time is not None
    moment = now if envelope.time is None else envelope.time
    earliest = now - MEMBER_BEHIND if sender is Sender.MEMBER else EARLIEST
    if not earliest <= moment <= now + AHEAD:
        item.refuse(Verdict.INVALID, f"time: must lie between {earliest:%Y-%m-%d} and ten minutes from now")
        return
    # Only now: the edges of the calendar have no UTC.
    item.occurred_at = moment.astimezone(UTC)
    if ESCAPE in bytes(raw) or "\0" in item.data:
        _refuse_unstorable(item, _anything.decode(raw))


def _refuse_unstorable(item: Item, value: Any) -> None:
    """Find a NUL in any string or key; half surrogate pairs already failed to decode."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            if "\0" in value:
                item.refuse(Verdict.INVALID, f"{path.lstrip('.')}: holds a NUL character")
                return
        elif isinstance(value, dict):
            waiting += [(f"{path} key", key) for key in value]
            waiting += [(f"{path}.{key}", inner) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{path}[{number}]", inner) for number, inner in enumerate(value)]


def _where(message: str, item: Item) -> str:
    """Turn msgspec's message into one that begins with the field."""
    match = re.fullmatch(r"(.*?)(?: - at `\$\.?(.*)`)?", message, re.DOTALL)
    if match is None:  # pragma: no cover - the pattern matches every text
        return message
    reason, path = match[1], match[2] or ""
    missing = re.fullmatch(r"Object missing required field `(.*)`", reason)
    if missing is not None:
        reason, path = "this field is required", f"{path}.{missing[1]}".lstrip(".")
    if item.type:
        path = f"data.{path}" if path else "data"
    return f"{path}: {reason}" if path else reason
