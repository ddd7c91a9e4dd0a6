"""`POST /v1/events`: the shop's server and its members send events."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from fastapi import Depends, Request, Response
from msgspec import Struct
from prometheus_client import Counter
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from threepeat.database.asynchronous import in_tenant
from threepeat.database.engine import Timeouts
from threepeat.events.incoming import Verdict, read, split
from threepeat.events.ingest import append, plain
from threepeat.events.platform import Platform
from threepeat.events.refusals import Refusals
from threepeat.http.callers import Known, charge
from threepeat.http.calls import Caller, bearer, note, presented, require
from threepeat.http.paths import Room
from threepeat.http.problems import Problem, problem
from threepeat.sdk.events import Sender
from threepeat.tenancy import keys, members
from threepeat.tenancy.errors import NotAllowed
from threepeat.tenancy.keys import Denied, KeyScope, MemberToken, ParsedKey

MOST = 1000
BATCH = "application/cloudevents-batch+json"

TENANT = "SELECT currency, slug, suspended_at FROM core.tenant WHERE id = %s"
KEY = "SELECT secret_hash, scopes FROM core.api_key WHERE tenant_id = %s AND id = %s AND revoked_at IS NULL"
MEMBER = plain(members.STANDS_FOR)

RECEIVED = Counter("threepeat_events_received_total", "Items that were posted, by verdict.", ["verdict"])

router = Room(prefix="/v1/events", tags=["events"], dependencies=[Depends(bearer)])


class ItemVerdict(Struct, frozen=True, omit_defaults=True):
    """What became of one item.

    Attributes:
        index: Its place in the request, from 0.
        verdict: `accepted`, `duplicate` (the same event is there already), `conflict` (another event came
            first under this source and id, and stands) or `invalid`.
        position: Where it stands in the tenant's log, for accepted and known ones.
        reason: What is wrong, beginning with the field.
    """

    index: int
    verdict: str
    id: str = ""
    position: int | None = None
    reason: str = ""


class Receipt(Struct, frozen=True):
    """The verdicts of a request, in its order. What is `accepted` is durable."""

    accepted: int
    duplicate: int
    conflict: int
    invalid: int
    items: list[ItemVerdict]


_encode = msgspec.json.Encoder().encode


@router.post(
    "",
    summary="Send one event or a batch",
    response_class=Response,
    responses={
        200: {
            "description": "Every item is accepted or was there already.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Receipt"}}},
        },
        207: {
            "description": "Some items of the batch are invalid or in conflict; the others are accepted.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Receipt"}}},
        },
        400: {"description": "The body cannot be read.", "model": Problem},
        401: {"description": "The credential is not valid.", "model": Problem},
        403: {"description": "The credential may not send events.", "model": Problem},
        409: {"description": "The single event is in conflict.", "model": Problem},
        413: {"description": "The body is too large.", "model": Problem},
        422: {"description": "The single event is invalid.", "model": Problem},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {"schema": {"$ref": "#/components/schemas/CloudEvent"}},
                BATCH: {
                    "schema": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": MOST,
                        "items": {"$ref": "#/components/schemas/CloudEvent"},
                    }
                },
            },
        }
    },
)
async def post_events(request: Request) -> Response:
    """Append CloudEvents 1.0 to the store's log.

    An API key with the scope `ingest` may send value and behaviour events; a member token may send
    behaviour events about itself. Sending the same event again is harmless.
    """
    platform: Platform = request.app.state.platform
    pool: AsyncConnectionPool[AsyncConnection[Any]] = request.app.state.pool
    refusals: Refusals = request.app.state.refusals
    shown = presented(request, platform.keyring)
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    batch = kind == BATCH or (kind == "application/json" and body.lstrip()[:1] == b"[")
    raws = split(body, batch=batch, most=MOST)
    known: Known = request.scope["threepeat.known"]
    timeouts = request.app.state.door.timeouts
    charge(known.events, len(raws) - 1)  # the edge has charged the first, whatever the body holds
    async with pool.connection() as connection:
        tenant_id, slug, currency, caller = await _authenticate(platform, connection, shown, timeouts)
        note(request, tenant=slug)
        sender = Sender.SERVER if caller.member_id is None else Sender.MEMBER
        items = read(
            raws,
            platform.catalogue,
            sender=sender,
            currency=currency,
            now=datetime.now(UTC),
            subject=caller.external_id,
        )
        appended = await append(connection, platform.keyring, tenant_id, items, timeouts)
        await refusals.note(connection, tenant_id, items, timeouts)
    counts = {verdict: appended.count(verdict) for verdict in Verdict}
    for verdict, count in counts.items():
        if count:
            RECEIVED.labels(verdict).inc(count)
    if not batch and items[0].verdict in {Verdict.INVALID, Verdict.CONFLICT}:
        conflict = items[0].verdict is Verdict.CONFLICT
        field, _, detail = items[0].reason.partition(": ")
        return problem(
            409 if conflict else 422,
            items[0].verdict,
            "The event is in conflict" if conflict else "The event is invalid",
            items[0].reason,
            errors=[{"field": field, "detail": detail}] if detail else [],
        )
    receipt = Receipt(
        counts[Verdict.ACCEPTED],
        counts[Verdict.DUPLICATE],
        counts[Verdict.CONFLICT],
        counts[Verdict.INVALID],
        [ItemVerdict(item.index, item.verdict, item.id, item.position, item.reason) for item in items],
    )
    refused = counts[Verdict.INVALID] or counts[Verdict.CONFLICT]
    return Response(_encode(receipt), 207 if refused else 200, media_type="application/json")


async def _authenticate(
    platform: Platform, connection: AsyncConnection[Any], shown: ParsedKey | MemberToken, timeouts: Timeouts
) -> tuple[int, str, str, Caller]:
    tenant_id = shown.tenant_id
    async with in_tenant(connection, tenant_id, timeouts):
        found = await connection.execute(TENANT, (tenant_id,))
        if isinstance(shown, MemberToken):
            stored = await connection.execute(MEMBER, {"tenant": tenant_id, "id": shown.member_id})
        else:
            stored = await connection.execute(KEY, (tenant_id, shown.id))
        tenant = await found.fetchone()
        known = await stored.fetchone()
    if tenant is None:
        raise Denied
    currency, slug, suspended_at = tenant
    if isinstance(shown, ParsedKey):
        keys.prove(platform.keyring, shown, bytes(known[0]) if known else None)
        scopes = frozenset(KeyScope(scope) for scope in known[1]) if known else frozenset()
        caller = Caller(f"key:{shown.id}", scopes)
        require(caller, frozenset({KeyScope.INGEST}))
    else:
        if known is None:
            raise Denied
        caller = Caller(f"member:{known[0]}", frozenset(), known[0], shown.external_id)
    if suspended_at is not None:
        raise NotAllowed("this store is suspended; ask the operator")
    return tenant_id, slug, currency, caller
