"""`/store/{slug}/tactics/{plugin}/collections/{name}`: what is managed in a plugin besides its settings."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response

from threepeat.events import collections
from threepeat.events.collections import MAX_SEARCH, VALUES, Managed
from threepeat.http.collections import file
from threepeat.sdk.collections import Item, Query
from threepeat.sdk.errors import Refused
from threepeat.sdk.wording import _
from threepeat.tenancy.errors import Conflict, Invalid, NotFound, Stale
from threepeat_tenants.console import once
from threepeat_tenants.console.desk import AppDesk, Desk
from threepeat_tenants.console.page import Visit
from threepeat_tenants.console.pages import around, beside
from threepeat_tenants.console.pages.beside import Difference
from threepeat_tenants.console.rendering import render
from threepeat_tenants.forms import Form, Submitted, examples, parse

router = APIRouter()

PAGE = 30
ROOT = "/store/{slug}/tactics/{plugin}/collections/{name}"
STALE = _("Somebody else changed it in between. Look at it as it stands now.")
OFF = _("It is off in your store: switch it on first.")
NO_ITEM = _("There is no such item.")
CLOSING = _("It is closing and takes nothing new.")
NOT_NOW = _("As it stands now, this cannot be done any more.")
Answer = Callable[[Visit], Response]


@router.get(ROOT)
def show_list(request: Request, desk: AppDesk, slug: str, plugin: str, name: str) -> Response:
    """A list with a tab for each state, and a search."""

    def work(visit: Visit) -> Response:
        found = _managed(visit, plugin, name)
        asked = visit.request.query_params
        state = asked.get("state") or None
        if state not in found.declared.states:
            state = None
        search = asked.get("search", "")
        query = Query(state, search.strip(), asked.get("after") or None, PAGE)
        wrong = ""
        try:
            page = collections.find(around.inside(visit), plugin, name, query)
        except Invalid as error:
            wrong = visit.say(error.reason) if error.field == "search" else ""
            page = collections.find(around.inside(visit), plugin, name, Query(state, limit=PAGE))
        return render(
            visit,
            "collections/list.html",
            **_common(visit, found),
            items=page.items,
            after=_address(_root(visit, plugin, name), state=state, search=search, after=page.next),
            first=_address(_root(visit, plugin, name), state=state, search=search) if query.after else "",
            more=page.next is not None,
            state=state or "",
            search=search[:MAX_SEARCH],
            wrong=wrong,
            most=MAX_SEARCH,
        )

    return desk.read(request, slug, work)


@router.get(ROOT + "/new")
def ask_new(request: Request, desk: AppDesk, slug: str, plugin: str, name: str) -> Response:
    """An empty form."""
    return desk.write(request, slug, lambda visit: _new(visit, _managed(visit, plugin, name)))


@router.post(ROOT + "/new")
def create(request: Request, desk: AppDesk, slug: str, plugin: str, name: str) -> Response:
    """Make an item."""

    def work(visit: Visit) -> Response:
        found = _managed(visit, plugin, name)
        typed = _typed(visit, found, {})
        if not typed.ok:
            return _new(visit, found, typed)
        item = collections.create(around.inside(visit), plugin, name, typed.values, by=visit.by)
        notice = _("{item} is made.", item=item.title[:200])
        return _show_once(visit, found, item, visit.redirect(_item_path(visit, found, item.id), notice=notice))

    def again(visit: Visit, error: Exception) -> Response:
        found = _managed(visit, plugin, name)
        typed = _typed(visit, found, {})
        if isinstance(error, Invalid):
            return _new(visit, found, typed.refused(error))
        return _new(visit, found, typed, wrong=_reason(visit, found, error))

    return _twice(desk, request, slug, work, again)


@router.get(ROOT + "/items/{item}")
def show_item(request: Request, desk: AppDesk, slug: str, plugin: str, name: str, item: str) -> Response:
    """An item: its form, its figures, and the steps that can be taken."""

    def work(visit: Visit) -> Response:
        found = _managed(visit, plugin, name)
        return once.forget(visit, _show(visit, found, _read(visit, found, item)))

    return desk.read(request, slug, work)


@router.post(ROOT + "/items/{item}")
def save(request: Request, desk: AppDesk, slug: str, plugin: str, name: str, item: str) -> Response:
    """Save an item's form."""

    def work(visit: Visit) -> Response:
        found = _managed(visit, plugin, name)
        before = _read(visit, found, item)
        typed = _typed(visit, found, _values(before))
        if not typed.ok:
            return _show(visit, found, before, typed)
        saved = collections.update(
            around.inside(visit), plugin, name, item, typed.values, revision=_revision(visit), by=visit.by
        )
        notice = _("{item} is saved.", item=saved.title[:200])
        return visit.redirect(_item_path(visit, found, item), notice=notice)

    def again(visit: Visit, error: Exception) -> Response:
        found = _managed(visit, plugin, name)
        now = _read(visit, found, item)
        typed = _typed(visit, found, _values(now))
        if isinstance(error, Invalid):
            return _show(visit, found, now, typed.refused(error))
        if isinstance(error, Stale) and found.editable(now):
            if typed.ok and typed.values == _values(now):
                return visit.redirect(_item_path(visit, found, item), notice=_("Nothing was left to save."))
            return _show(visit, found, now, typed, wrong=STALE, overtaken=True)
        notice = _reason(visit, found, error)
        return visit.redirect(_item_path(visit, found, item), notice=notice, kind="bad")

    return _twice(desk, request, slug, work, again)


@router.post(ROOT + "/items/{item}/~file")
def download(request: Request, desk: AppDesk, slug: str, plugin: str, name: str, item: str) -> Response:
    """Send the file of an item."""

    def work(visit: Visit) -> Response:
        found = _managed(visit, plugin, name)
        opened = around.inside(visit)
        content = collections.download(opened, plugin, name, item, by=visit.by, locale=visit.locale)
        return file(found.declared, content, item)

    def again(visit: Visit, error: Exception) -> Response:
        found = _managed(visit, plugin, name)
        return visit.redirect(_item_path(visit, found, item), notice=_reason(visit, found, error), kind="bad")

    return _twice(desk, request, slug, work, again)


@router.post(ROOT + "/items/{item}/{action}")
def act(request: Request, desk: AppDesk, slug: str, plugin: str, name: str, item: str, action: str) -> Response:
    """Take a step with an item, such as publish."""

    def work(visit: Visit) -> Response:
        found = _managed(visit, plugin, name)
        _read(visit, found, item)
        step = found.declared.actions.get(action)
        if step is None:
            raise NotFound(NO_ITEM)
        after = collections.act(
            around.inside(visit), plugin, name, item, action, revision=_revision(visit), by=visit.by
        )
        state = visit.say_plugin(plugin, found.declared.states[after.state])
        notice = _("{item}: {state}", item=after.title[:200], state=state)
        return _show_once(visit, found, after, visit.redirect(_item_path(visit, found, item), notice=notice))

    def again(visit: Visit, error: Exception) -> Response:
        if isinstance(error, Invalid) and error.field != "revision":
            raise error
        found = _managed(visit, plugin, name)
        notice = _reason(visit, found, error)
        return visit.redirect(_item_path(visit, found, item), notice=notice, kind="bad")

    return _twice(desk, request, slug, work, again)


def _show_once(visit: Visit, found: Managed, item: Item[Any], answer: Response) -> Response:
    """Leave what is shown once for the item's page, where an answer leads."""
    if not item.once:
        return answer
    return once.leave(visit, answer, _item_path(visit, found, item.id), item.once)


def _twice(
    desk: Desk, request: Request, slug: str, work: Answer, again: Callable[[Visit, Exception], Response]
) -> Response:
    """Do it; if it is refused all of it is undone, and the answer is made in a transaction of its own."""
    try:
        return desk.write(request, slug, work)
    except (Invalid, Stale, Conflict, Refused) as error:
        refused = error
    return desk.write(request, slug, lambda visit: again(visit, refused))


def _managed(visit: Visit, plugin: str, name: str) -> Managed:
    """The collection.

    Raises:
        NotFound: There is none, or its plugin is off.
    """
    known = around.installed(visit, plugin)
    if name not in known.collections:
        raise NotFound(around.NO_TACTIC)
    try:
        return collections.managed(around.inside(visit), plugin, name)
    except NotFound:
        raise NotFound(OFF) from None


def _read(visit: Visit, found: Managed, item: str) -> Item[Any]:
    try:
        return collections.read(around.inside(visit), found.plugin.id, found.declared.name, item)
    except NotFound:
        raise NotFound(NO_ITEM) from None


def _values(item: Item[Any]) -> dict[str, Any]:
    values: dict[str, Any] = item.values.model_dump(mode="json")
    return values


def _typed(visit: Visit, found: Managed, values: dict[str, Any]) -> Submitted:
    pairs = [(name, str(value)) for name, value in visit.form.multi_items()]
    surroundings = around.around(visit, around.inside(visit), found.plugin)
    return parse(found.declared.model, pairs, surroundings, prefix=VALUES, values=values)


def _revision(visit: Visit) -> int:
    given = str(visit.form.get("revision", ""))
    if not given.isascii() or not given.isdecimal() or len(given) > 18:
        raise Invalid("revision", STALE)
    return int(given)


def _form(visit: Visit, found: Managed, values: dict[str, Any] | None, typed: Submitted | None = None) -> Form:
    surroundings = around.around(visit, around.inside(visit), found.plugin)
    return Form.of(found.declared.model, surroundings, prefix=VALUES, values=values, submitted=typed)


def _new(visit: Visit, found: Managed, typed: Submitted | None = None, *, wrong: str = "") -> Response:
    if not found.open:
        raise Conflict("closing", CLOSING)
    if found.declared.create is None:
        raise NotFound(NO_ITEM)
    failed = wrong or (typed is not None and not typed.stepped)
    form = _form(visit, found, None, typed)
    return render(
        visit,
        "collections/new.html",
        status=422 if failed else 200,
        **_common(visit, found),
        form=form,
        wrong=wrong,
    )


def _show(
    visit: Visit,
    found: Managed,
    item: Item[Any],
    typed: Submitted | None = None,
    *,
    wrong: str = "",
    overtaken: bool = False,
) -> Response:
    failed = wrong or (typed is not None and not typed.stepped)
    values = _values(item)
    form = _form(visit, found, values, typed)
    differences: list[Difference] = []
    if overtaken:
        differences = beside.differences(_form(visit, found, values), form, visit)
    kept = typed is not None and not overtaken
    return render(
        visit,
        "collections/item.html",
        status=422 if failed else 200,
        **_common(visit, found),
        item=item,
        once=once.read(visit, _item_path(visit, found, item.id)),
        form=form,
        revision=str(visit.form.get("revision", ""))[:20] if kept else item.revision,
        editable=found.editable(item),
        actions=found.actions(item),
        has_file=found.has_file(item),
        worked=examples(found.declared.model, values, around.around(visit, around.inside(visit), found.plugin)),
        address=_item_path(visit, found, item.id),
        wrong=visit.say(wrong),
        differences=differences,
    )


def _common(visit: Visit, found: Managed) -> dict[str, Any]:
    declared, plugin = found.declared, found.plugin.id
    return {
        "declared": declared,
        "root": _root(visit, plugin, declared.name),
        "plugin": plugin,
        "owner": around.title(visit, plugin),
        "open": found.open,
        "makes": found.makes,
        "badge": lambda state: "accent" if state in declared.editable else "plain",
        "may_write": visit.person.role is not None and visit.person.role.may_write,
    }


def _reason(visit: Visit, found: Managed, error: Exception) -> str:
    """Why it was refused: the plugin's reason, or ours."""
    if isinstance(error, Refused):
        return visit.say_plugin(found.plugin.id, error.reason)
    if isinstance(error, Conflict):
        return visit.say(CLOSING if error.code == "closing" else NOT_NOW)
    return visit.say(STALE)


def _root(visit: Visit, plugin: str, name: str) -> str:
    return f"{visit.root}/tactics/{plugin}/collections/{name}"


def _item_path(visit: Visit, found: Managed, item: str) -> str:
    return f"{_root(visit, found.plugin.id, found.declared.name)}/items/{quote(item, safe='')}"


def _address(root: str, **query: str | None) -> str:
    given = {name: value for name, value in query.items() if value}
    return f"{root}?{urlencode(given)}" if given else root
