"""Export and erasure over HTTP: for the shop's server, and each member's own way out."""

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO, Annotated, Any

import structlog
from fastapi import Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from threepeat.database.redact import brief
from threepeat.events import erasure, receipts
from threepeat.events.export import Form, MemberExport
from threepeat.http.calls import AppDoor, Call, Door, bearer
from threepeat.http.paths import Room, SegmentRoute
from threepeat.http.problems import busy
from threepeat.tenancy import audit, members
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.tenants import Tenant

CHUNK = 256 * 1024
MEDIA = {"json": "application/json", "csv": "application/zip"}
NAMES = {"json": "member-export.json", "csv": "member-export.zip"}
FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A JSON object, or a zip with a CSV file for each table.",
        "content": {"application/json": {}, "application/zip": {}},
    }
}

logger = structlog.get_logger(__name__)

router = Room(prefix="/v1", tags=["privacy"], route_class=SegmentRoute)
guarded = [Depends(bearer)]

ExportForm = Annotated[Form, Query(alias="format", description="`json`, or `csv` for a zip of CSV files.")]


class ErasureView(BaseModel):
    """An erasure as it stands."""

    id: str
    requested_at: datetime
    requested_by: str = Field(description="A role: `member`, `operator` or `key:{id}`.")
    completed_at: datetime | None = Field(description="Seconds later as a rule, a day later at most.")
    outstanding: list[str] = Field(description="Schemas and plugins that could not be erased yet.")
    receipt: str | None = Field(description="What was done, as a JSON Web Signature; see `/v1/receipt-keys`.")


class ReceiptKeys(BaseModel):
    """A JSON Web Key Set."""

    keys: list[dict[str, str]]


@router.delete(
    "/members/{external_id}",
    status_code=202,
    response_model=ErasureView,
    dependencies=guarded,
    summary="Erase a member",
)
def delete_member(request: Request, door: AppDoor, external_id: str) -> Response:
    """Erase everything about a member.

    From the answer on nothing is done with the member's data, and its ids are refused; what is stored goes
    within a day, in seconds as a rule. Repeating it answers with the same erasure.
    """

    def work(call: Call) -> tuple[Tenant, str]:
        try:
            member_id = members.find(call.scope, external_id)
        except NotFound:
            buried = erasure.of_identity(call.platform, call.scope, members.SHOP, external_id)
            if buried is None:
                raise
            return call.tenant, buried
        return call.tenant, erasure.request(call.platform, call.scope, member_id, by=call.caller.principal)

    return _accepted(door, *door.manage(request, work))


@router.delete("/me", status_code=202, response_model=ErasureView, dependencies=guarded, summary="Erase me")
def delete_me(request: Request, door: AppDoor) -> Response:
    """Erase everything about the calling member; its token is void from the answer on."""

    def work(call: Call) -> tuple[Tenant, str]:
        return call.tenant, erasure.request(call.platform, call.scope, _me(call), by="member")

    return _accepted(door, *door.member(request, work, hold=False))


@router.get(
    "/erasures/{erasure_id}", response_model=ErasureView, dependencies=guarded, summary="How an erasure stands"
)
def get_erasure(request: Request, door: AppDoor, erasure_id: str) -> ErasureView:
    """An erasure with its signed receipt, once it is complete."""
    return door.manage(request, lambda call: _view(erasure.status(call.scope, erasure_id)))


@router.get("/receipt-keys", response_model=ReceiptKeys, summary="Public keys of the receipts")
def get_receipt_keys(door: AppDoor) -> ReceiptKeys:
    """The keys that verify receipts, the newest first. Keep a copy: a receipt can be checked with it alone."""
    return ReceiptKeys.model_validate(receipts.public_keys(door.platform.keyring))


@router.get(
    "/members/{external_id}/export",
    response_class=StreamingResponse,
    responses=FILES,
    dependencies=guarded,
    summary="Export a member",
)
def export_member(request: Request, door: AppDoor, external_id: str, form: ExportForm = "json") -> Response:
    """Everything that is stored about a member, from every plugin: to hand over when the member asks."""

    def whom(call: Call) -> int:
        member_id = members.find(call.scope, external_id)
        audit.record(call.scope, call.caller.principal, "member.exported", f"member:{member_id}", format=form)
        return member_id

    return _export(request, door.manage, form, whom)


@router.get(
    "/me/export",
    response_class=StreamingResponse,
    responses=FILES,
    dependencies=guarded,
    summary="Export my data",
)
def export_me(request: Request, door: AppDoor, form: ExportForm = "json") -> Response:
    """Everything that is stored about the calling member, from every plugin."""
    return _export(request, door.member, form, _me)


def _me(call: Call) -> int:
    assert call.caller.member_id is not None  # noqa: S101 - Door.member saw to it
    return call.caller.member_id


def _accepted(door: Door, tenant: Tenant, erasure_id: str) -> Response:
    """List the erasure beside the database, then say that it was accepted."""
    try:
        erasure.announce(door.platform, tenant, erasure_id)
    except OSError as error:
        logger.error("erasure not listed", tenant=tenant.store.slug, erasure=erasure_id, error=brief(error))
        return busy("the erasure stands, but it cannot be listed for a restore yet: ask again")
    with door.platform.database.tenant(tenant.id) as scope:
        view = _view(erasure.status(scope, erasure_id))
    headers = {"Location": f"/v1/erasures/{erasure_id}"}
    return Response(view.model_dump_json(), 202, media_type="application/json", headers=headers)


def _view(found: erasure.Erasure) -> ErasureView:
    return ErasureView(
        id=found.id,
        requested_at=found.requested_at,
        requested_by=found.requested_by,
        completed_at=found.completed_at,
        outstanding=list(found.outstanding),
        receipt=found.receipt,
    )


def _export(
    request: Request,
    enter: Callable[[Request, Callable[[Call], None]], None],
    form: Form,
    whom: Callable[[Call], int],
) -> Response:
    """Write the export to a nameless file inside the transaction, and send it when that is over.

    So a slow reader holds no connection, and the data is in memory only a little at a time.
    """
    file = TemporaryFile()  # noqa: SIM115 - it is closed when it was sent

    def work(call: Call) -> None:
        file.seek(0)
        file.truncate()
        MemberExport(call.platform, call.scope, call.tenant, whom(call)).write(file, form)

    try:
        enter(request, work)
    except BaseException:
        file.close()
        raise
    return download(file, form)


def download(file: IO[bytes], form: Form) -> Response:
    """Send what was written to a file, and close it."""
    file.flush()
    headers = {
        "Content-Disposition": f'attachment; filename="{NAMES[form]}"',
        "Content-Length": str(os.fstat(file.fileno()).st_size),
        "Cache-Control": "no-store",
    }
    return StreamingResponse(_sent(file), media_type=MEDIA[form], headers=headers)


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while chunk := file.read(CHUNK):
            yield chunk
