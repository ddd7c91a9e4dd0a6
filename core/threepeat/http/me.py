"""`/v1/me`: what a member sees, and the routes that plugins mount there."""

import inspect
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from threepeat.database.sealed import sealed
from threepeat.events.context import Cause
from threepeat.http.calls import MAX_KEY, AppDoor, Call, Door, bearer, note, once
from threepeat.http.paths import Room
from threepeat.plugins import Installed
from threepeat.sdk.errors import PluginError, Refused
from threepeat.sdk.records import Route
from threepeat.tenancy import switches
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.switches import SwitchState

router = Room(prefix="/v1/me", tags=["member"], dependencies=[Depends(bearer)])


class TacticCard(BaseModel):
    """A tactic that is on."""

    id: str
    title: str


class Me(BaseModel):
    """The calling member."""

    external_id: str
    store: str
    currency: str
    tactics: list[TacticCard]


@router.get("", response_model=Me, summary="Who am I")
def get_me(request: Request, door: AppDoor) -> Me:
    """The calling member, the store and the tactics that are on."""

    def work(call: Call) -> Me:
        on = switches.activations(call.scope)
        return Me(
            external_id=call.caller.external_id or "",
            store=call.tenant.store.name,
            currency=call.tenant.store.currency,
            tactics=[
                TacticCard(id=plugin.id, title=str(plugin.manifest.title))
                for plugin in call.platform.registry
                if plugin.manifest.kind == "tactic"
                and plugin.id in on
                and on[plugin.id].state is SwitchState.ENABLED
            ],
        )

    return door.member(request, work)


def mount(into: APIRouter, plugin: Installed) -> None:
    """Mount a plugin's member routes under its id.

    The plugin hands over records, not a router, so that no route of its can come to stand outside the
    gate and the transaction.

    Raises:
        PluginError: A handler is asynchronous or its path does not begin with a slash.
    """
    for route in plugin.routes:
        if inspect.iscoroutinefunction(route.handler):
            raise PluginError(f"the handler of {route.path} must be a plain def")
        if not route.path.startswith("/"):
            raise PluginError(f"the path {route.path!r} must begin with a slash")
        into.add_api_route(
            f"/{plugin.id}{route.path}",
            _endpoint(plugin, route),
            methods=[route.method],
            summary=route.summary,
            tags=[plugin.id],
            response_model=inspect.signature(route.handler, eval_str=True).return_annotation,
            operation_id=f"{plugin.id}_{route.method}_{route.path}".lower(),
        )


def _endpoint(plugin: Installed, route: Route) -> Callable[..., Response]:
    command = route.method == "POST"

    def endpoint(request: Request, door: Door, idempotency_key: str | None = None, **values: Any) -> Response:
        note(request, plugin=plugin.id)

        def work(call: Call) -> Response:
            if not command:
                return JSONResponse(jsonable_encoder(_handle(call, plugin, route, None, values)))
            asked = {"route": f"{plugin.id}{route.path}", "values": jsonable_encoder(values)}
            return once(
                call, idempotency_key, asked, lambda: _handle(call, plugin, route, idempotency_key, values)
            )

        return door.member(request, work)

    own = list(inspect.signature(route.handler, eval_str=True).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    head = [
        inspect.Parameter("request", keyword, annotation=Request),
        inspect.Parameter("door", keyword, annotation=AppDoor),
    ]
    if command:
        header = Header(alias="Idempotency-Key", max_length=MAX_KEY, min_length=1)
        head.append(inspect.Parameter("idempotency_key", keyword, annotation=str, default=header))
    endpoint.__signature__ = inspect.Signature([*head, *(p.replace(kind=keyword) for p in own)])  # type: ignore[attr-defined]
    endpoint.__doc__ = inspect.getdoc(route.handler)
    return endpoint


def _handle(call: Call, plugin: Installed, route: Route, key: str | None, values: dict[str, Any]) -> Any:
    opened = call.opened
    state = opened.state(plugin.id)
    if state is SwitchState.OFF:
        raise NotFound("this store does not have that")
    member = call.caller.member_id
    assert member is not None  # noqa: S101 - Door.member saw to it
    if not route.always and (state is not SwitchState.ENABLED or not opened.gate(plugin.id)(member)):
        raise Refused("this is not offered to you at the moment", code="not-offered")
    context = opened.context(plugin, cause=Cause(f"{call.caller.principal}:{key or ''}"), member=member)
    with sealed(call.scope.connection):
        answer = route.handler(context, **values)
    context.finish()
    return answer
