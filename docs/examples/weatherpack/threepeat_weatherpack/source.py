"""Where warnings come from: an address of the operator's choice, asked over HTTP."""

import os
from datetime import datetime
from typing import Annotated, Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import msgspec

from threepeat.sdk import Call, GiveUp, RetryAfter
from threepeat_weatherpack.settings import WeatherpackSettings

SOURCE = "WEATHERPACK_SOURCE"
SECONDS = 10
MOST_BYTES = 64 * 1024
LOCAL = {"127.0.0.1", "localhost", "::1"}


class StormWarning(msgspec.Struct, frozen=True):
    """A warning for a city."""

    id: Annotated[str, msgspec.Meta(pattern=r"^[\w.:-]{1,100}$")]
    kind: str
    begins_at: Annotated[datetime, msgspec.Meta(tz=True)]
    ends_at: Annotated[datetime, msgspec.Meta(tz=True)]


class Forecast(msgspec.Struct, frozen=True):
    """What a source answers."""

    warnings: Annotated[list[StormWarning], msgspec.Meta(max_length=20)]


def fetch(settings: WeatherpackSettings, call: Call) -> list[dict[str, Any]]:
    """Ask the source for the city's storms."""
    del settings  # the city may have changed since the call was asked for
    source = os.environ.get(SOURCE)
    if not source:
        raise GiveUp(f"no source of warnings: set {SOURCE}")
    url = source.replace("{city}", quote(call.payload["city"], safe=""))
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOCAL):
        raise GiveUp(f"{SOURCE} has to be an https address")
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310 - the scheme was looked at
    try:
        with urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            body = answer.read(MOST_BYTES + 1)
    except HTTPError as error:
        if error.code == 429:
            raise RetryAfter(600, "the source asks for patience") from error
        raise
    if len(body) > MOST_BYTES:
        raise GiveUp("the source answers more than 64 KB")
    try:
        forecast = msgspec.json.decode(body, type=Forecast)
    except msgspec.DecodeError as error:
        raise GiveUp(f"the source's answer cannot be read: {error}") from error
    return [{"id": one.id, "ends_at": one.ends_at.isoformat()} for one in forecast.warnings if one.kind == "storm"]
