"""`/v1/plugins`: what the merchant's server manages in the plugins of its store."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from threepeat.events import collections
from threepeat.events.collections import Managed, Page
from threepeat.events.items import MAX_REVISION
from threepeat.events.opened import OpenTenant
from threepeat.http.calls import AppDoor, Call, IdempotencyKey, bearer, note, once
from threepeat.http.paths import Room
from threepeat.plugins import Installed
from threepeat.sdk import collections as sdk
from threepeat.sdk.collections import CollectionOf, Item

router = Room(prefix="/v1/plugins", tags=["collections"], dependencies=[Depends(bearer)])

PAGE = 50
MEDIA = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
"""What a file is, by its kind."""
FILES: Mapping[str, Any] = {
    "csv": {"text/csv": {"schema": {"type": "string"}}},
    "json": {"application/json": {"schema": {"type": "object"}}},
}

V = TypeVar("V")


class ActionView(BaseModel):
    """A step that can be taken with an item."""

    name: str
    title: str
    states: list[str] = Field(description="The states in which it can be taken.")
    confirm: str = Field(description="What a person is asked first; empty if it can be taken back.")


class CollectionView(BaseModel):
    """Something that is managed besides settings."""

    plugin: str
    name: str
    title: str
    summary: str
    open: bool = Field(description="Whether items can be made and saved; false while the plugin is closing.")
    states: dict[str, str] = Field(description="What each state is called.")
    editable: list[str] = Field(description="The states in which an item can be saved.")
    actions: list[ActionView]
    file: str = Field(description="What the file of an item is called; empty if there is none.")
    values_schema: dict[str, Any] = Field(description="JSON schema of an item's values.")


class CollectionList(BaseModel):
    """The collections of the plugins that are on."""

    collections: list[CollectionView]


class ItemView(BaseModel, Generic[V]):
    """An item as it stands."""

    id: str
    title: str
    state: str
    values: V
    revision: int = Field(description="Name it when you change the item.")
    changed_at: datetime | None
    figures: dict[str, int | str] = Field(description="What is known of it besides.")
    once: dict[str, str] = Field(
        default_factory=dict,
        description="Shown this once, such as a new secret. Nothing keeps it: a repeated request has none.",
    )
    editable: bool = Field(description="Whether it can be saved now.")
    actions: list[str] = Field(description="The steps that can be taken now.")


class ItemPage(BaseModel, Generic[V]):
    """A part of a list."""

    items: list[ItemView[V]]
    next: str | None = Field(description="Pass it as `after` for what follows; null at the end.")


class NewItem(BaseModel, Generic[V]):
    """An item to be made."""

    model_config = ConfigDict(extra="forbid")

    values: V


class ItemChange(BaseModel, Generic[V]):
    """The whole values of an item."""

    model_config = ConfigDict(extra="forbid")

    values: V
    revision: int = Field(ge=1, le=MAX_REVISION, description="The revision that you read.")


class Step(BaseModel):
    """A step to be taken."""

    model_config = ConfigDict(extra="forbid")

    revision: int = Field(ge=1, le=MAX_REVISION, description="The revision that you read.")


@router.get("", response_model=CollectionList, summary="List the collections")
def list_collections(request: Request, door: AppDoor) -> CollectionList:
    """What can be managed in the plugins that are on or closing, with the schema of each form."""

    def work(call: Call) -> CollectionList:
        return CollectionList(collections=[_collection(one) for one in collections.everything(_opened(call))])

    return door.read(request, work)


def mount(into: APIRouter, plugin: Installed) -> None:
    """Mount the routes of a plugin's collections, typed by their models.

    Raises:
        PydanticInvalidForJsonSchema: A model has a field that no schema can tell: no form could show it.
    """
    for declared in plugin.collections.values():
        declared.model.model_json_schema()
        path = f"/{plugin.id}/{declared.name}"
        item, one = f"{path}/{{item}}", declared.singular
        view, page = ItemView[declared.model], ItemPage[declared.model]  # type: ignore[name-defined]
        for name, method, place, endpoint, summary, answer in (
            ("list", "GET", path, _list(plugin, declared), f"List the {declared.title.lower()}", page),
            ("create", "POST", path, _create(plugin, declared), f"Make a {one}", view),
            ("read", "GET", item, _read(plugin, declared), f"Read a {one}", view),
            ("update", "PUT", item, _update(plugin, declared), f"Save a {one}", view),
            *(
                (
                    f"do_{step}",
                    "POST",
                    f"{item}/{step}",
                    _act(plugin, declared, step),
                    f"{act.title} a {one}",
                    view,
                )
                for step, act in declared.actions.items()
            ),
        ):
            into.add_api_route(
                place,
                endpoint,
                methods=[method],
                summary=summary,
                tags=[plugin.id],
                response_model=answer,
                operation_id=f"{plugin.id}_{declared.name}_{name}",
            )
        if declared.download is not None:
            into.add_api_route(
                f"{item}/file",
                _download(plugin, declared),
                methods=["GET"],
                summary=str(declared.download.title),
                tags=[plugin.id],
                response_class=Response,
                responses={200: {"content": FILES[declared.download.kind]}},
                operation_id=f"{plugin.id}_{declared.name}_file",
            )


def _list(plugin: Installed, declared: CollectionOf[Any]) -> Callable[..., Response]:
    def endpoint(
        request: Request,
        door: AppDoor,
        state: Annotated[str | None, Query(description="Only those in this state.")] = None,
        search: Annotated[
            str, Query(max_length=collections.MAX_SEARCH, description="Only those whose title contains this.")
        ] = "",
        after: Annotated[str | None, Query(max_length=80, description="The `next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=sdk.MAX_PAGE)] = PAGE,
    ) -> Response:
        note(request, plugin=plugin.id)
        query = sdk.Query(state, search, after, limit)

        def work(call: Call) -> Response:
            opened = _opened(call)
            found = collections.managed(opened, plugin.id, declared.name)
            return _page(found, collections.find(opened, plugin.id, declared.name, query))

        return door.read(request, work)

    states = Literal[tuple(declared.states)]  # type: ignore[valid-type]
    endpoint.__annotations__["state"] = Annotated[states | None, Query(description="Only those in this state.")]
    endpoint.__doc__ = f"{declared.summary} In the collection's own order, a page at a time."
    return endpoint


def _read(plugin: Installed, declared: CollectionOf[Any]) -> Callable[..., Response]:
    def endpoint(request: Request, door: AppDoor, item: str) -> Response:
        note(request, plugin=plugin.id)

        def work(call: Call) -> Response:
            opened = _opened(call)
            found = collections.managed(opened, plugin.id, declared.name)
            return _answer(_view(found, collections.read(opened, plugin.id, declared.name, item)))

        return door.read(request, work)

    endpoint.__doc__ = "Read one item, with what is known of it besides and the steps that can be taken now."
    return endpoint


def _create(plugin: Installed, declared: CollectionOf[Any]) -> Callable[..., Response]:
    def endpoint(request: Request, door: AppDoor, wanted: NewItem[Any], key: IdempotencyKey = None) -> Response:
        note(request, plugin=plugin.id)

        def work(call: Call) -> Response:
            asked = {"create": f"{plugin.id}/{declared.name}", "values": _plain(wanted.values)}

            def make(opened: OpenTenant) -> Item[Any]:
                by = call.caller.principal
                return collections.create(opened, plugin.id, declared.name, wanted.values, by=by)

            return _once(call, key, asked, plugin, declared, make)

        return door.manage(request, work)

    endpoint.__annotations__["wanted"] = NewItem[declared.model]  # type: ignore[name-defined]
    endpoint.__doc__ = "Make an item; it is in the collection's first state."
    return endpoint


def _update(plugin: Installed, declared: CollectionOf[Any]) -> Callable[..., Response]:
    def endpoint(request: Request, door: AppDoor, item: str, wanted: ItemChange[Any]) -> Response:
        note(request, plugin=plugin.id)

        def work(call: Call) -> Response:
            opened, by = _opened(call), call.caller.principal
            saved = collections.update(
                opened, plugin.id, declared.name, item, wanted.values, revision=wanted.revision, by=by
            )
            return _answer(_view(collections.managed(opened, plugin.id, declared.name), saved))

        return door.manage(request, work)

    endpoint.__annotations__["wanted"] = ItemChange[declared.model]  # type: ignore[name-defined]
    endpoint.__doc__ = "Save the whole values of an item, as somebody read it: `revision` says which."
    return endpoint


def _act(plugin: Installed, declared: CollectionOf[Any], action: str) -> Callable[..., Response]:
    def endpoint(request: Request, door: AppDoor, item: str, wanted: Step, key: IdempotencyKey = None) -> Response:
        note(request, plugin=plugin.id)

        def work(call: Call) -> Response:
            place = f"{plugin.id}/{declared.name}/{item}/{action}"

            def make(opened: OpenTenant) -> Item[Any]:
                revision, by = wanted.revision, call.caller.principal
                return collections.act(opened, plugin.id, declared.name, item, action, revision=revision, by=by)

            return _once(call, key, {"act": place, "revision": wanted.revision}, plugin, declared, make)

        return door.manage(request, work)

    step = declared.actions[action]
    endpoint.__doc__ = step.confirm or f"Possible in the state {' or '.join(sorted(step.states))}."
    return endpoint


def _download(plugin: Installed, declared: CollectionOf[Any]) -> Callable[..., Response]:
    def endpoint(request: Request, door: AppDoor, item: str) -> Response:
        note(request, plugin=plugin.id)

        def work(call: Call) -> Response:
            by = call.caller.principal
            return file(declared, collections.download(_opened(call), plugin.id, declared.name, item, by=by), item)

        return door.manage(request, work)

    said = "JSON" if declared.download is not None and declared.download.kind == "json" else "CSV in UTF-8"
    endpoint.__doc__ = f"The item's file as {said}. That it was taken stands in the audit trail."
    return endpoint


def file(declared: CollectionOf[Any], content: bytes, name: str) -> Response:
    """An item's file as a browser keeps it; nobody else does."""
    kind = declared.download.kind if declared.download is not None else "csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"', "Cache-Control": "no-store"}
    return Response(content, media_type=MEDIA[kind], headers=headers)


def _opened(call: Call) -> OpenTenant:
    return call.opened


def _once(
    call: Call,
    key: str | None,
    asked: Mapping[str, Any],
    plugin: Installed,
    declared: CollectionOf[Any],
    make: Callable[[OpenTenant], Item[Any]],
) -> Response:
    """Do it once per idempotency key; what is kept for a repeat is without what is shown once."""
    made: list[tuple[Managed, Item[Any]]] = []

    def work() -> BaseModel:
        opened = _opened(call)
        item = make(opened)
        made.append((collections.managed(opened, plugin.id, declared.name), item))
        return _view(made[0][0], replace(item, once={}))

    answer = once(call, key, asked, work)
    return _answer(_view(*made[0])) if made and made[0][1].once else answer


def _plain(values: BaseModel) -> str:
    """What was asked for, to tell a repeat from another request."""
    return values.model_dump_json(exclude_unset=True)


def _answer(view: BaseModel) -> Response:
    return JSONResponse(jsonable_encoder(view))


def _page(found: Managed, page: Page) -> Response:
    views = [_view(found, item) for item in page.items]
    return _answer(ItemPage[Any](items=views, next=page.next))


def _view(found: Managed, item: Item[Any]) -> ItemView[Any]:
    return ItemView[Any](
        id=item.id,
        title=str(item.title),
        state=item.state,
        values=item.values,
        revision=item.revision,
        changed_at=item.changed_at,
        figures=dict(item.figures),
        once=dict(item.once),
        editable=found.editable(item),
        actions=[step.name for step in found.actions(item)],
    )


def _collection(found: Managed) -> CollectionView:
    declared = found.declared
    return CollectionView(
        plugin=found.plugin.id,
        name=declared.name,
        title=str(declared.title),
        summary=str(declared.summary),
        open=found.open,
        states=dict(declared.states),
        editable=sorted(declared.editable),
        actions=[
            ActionView(name=one.name, title=str(one.title), states=sorted(one.states), confirm=str(one.confirm))
            for one in declared.actions.values()
        ],
        file=str(declared.download.title) if declared.download is not None else "",
        values_schema=declared.model.model_json_schema(),
    )
