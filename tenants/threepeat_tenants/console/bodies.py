"""A submitted form: read while the event loop waits for it, taken apart in the handler's thread."""

from urllib.parse import unquote_to_bytes

from fastapi import Request
from starlette.datastructures import FormData

from threepeat.sdk.storable import storable
from threepeat.sdk.wording import _
from threepeat.tenancy.errors import Invalid

MOST_BYTES = 1024 * 1024
MOST_FIELDS = 10_000
KIND = "application/x-www-form-urlencoded"


async def receive(request: Request) -> None:
    """Keep the body for `parse`; the edge has limited its size and the time it took."""
    request.state.body = await request.body()


def parse(request: Request) -> FormData:
    """The fields of a submitted form, in the order in which they were sent.

    Raises:
        Invalid: It is no form, or too large, or a field is not text; names the field.
    """
    body: bytes = getattr(request.state, "body", b"")
    if not body:
        return FormData()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != KIND:
        raise Invalid("form", _("it was not sent as a form"))
    if len(body) > MOST_BYTES or body.count(b"&") >= MOST_FIELDS:
        raise Invalid("form", _("it has too many fields, or too much in them"))
    return FormData([_field(pair) for pair in body.split(b"&") if pair])


def _field(pair: bytes) -> tuple[str, str]:
    name, _equals, value = pair.partition(b"=")
    try:
        known = _text(name)
    except ValueError:
        raise Invalid("form", _("a field's name is not text")) from None
    try:
        return known, _text(value)
    except ValueError:
        raise Invalid(known[:100], _("holds characters that are not text")) from None


def _text(raw: bytes) -> str:
    found = unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    if not storable(found):
        raise ValueError(found)
    return found
