"""Pages from templates: escaped, in the reader's language, with figures and times as the store writes them."""

from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from threepeat.sdk.context import Store
from threepeat.sdk.metrics import Figure, MetricUnit
from threepeat_tenants.console import assets, formats, origin, paths, vocabulary
from threepeat_tenants.console.page import Page, SignedIn
from threepeat_tenants.console.translations import LOCALES, catalogue

TEMPLATES = Path(__file__).parent / "templates"

_page: ContextVar[Page] = ContextVar("page")
"""The page that is being rendered in this thread; macros see it, too."""


def render(page: Page, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """Answer with a page.

    Args:
        page: Who looks at it.
        template: Path below `templates/`.
        status: 422 for a form with errors.
        values: What the template shows. A name that it uses and that is missing is an error.
    """
    cookies = page.console.cookies
    values.setdefault("notice", cookies.notice(page.request, page.who))
    answer = HTMLResponse(fragment(page, template, **values), status)
    if cookies.has_notice(page.request):
        cookies.drop_notice(answer)
    return answer


def fragment(page: Page, template: str, **values: object) -> str:
    """Render a template without an answer around it, such as a part that a live view swaps in."""
    token = _page.set(page)
    try:
        return environment().get_template(template).render(**values)
    finally:
        _page.reset(token)


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates, compiled when first used."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    made.install_gettext_callables(_gettext, _ngettext, newstyle=True)  # type: ignore[attr-defined]
    made.filters.update(
        money=_money,
        number=_number,
        percent=_percent,
        figure=_figure,
        day=_day,
        moment=_moment,
        ago=_ago,
        clock=_clock,
    )
    made.globals.update(
        here=_page.get,
        path=_path,
        asset=assets.installed().address,
        csrf_field=_csrf_field,
        csrf_token=_csrf_token,
        say=_say,
        say_plugin=_say_plugin,
        event_words=_event_words,
        languages=LOCALES,
        signed_in=_signed_in,
    )
    return made


def _gettext(message: str) -> str:
    return catalogue(_page.get().locale).gettext(message)


def _ngettext(one: str, many: str, number: int) -> str:
    return catalogue(_page.get().locale).ngettext(one, many, number)


def _say(wording: str) -> str:
    return _page.get().say(wording)


def _say_plugin(plugin_id: str, wording: str) -> str:
    return _page.get().say_plugin(plugin_id, wording)


def _event_words(kind: str) -> str:
    return vocabulary.event(_page.get(), kind)


def _path() -> str:
    """The address of this page, if it was read and not sent to."""
    request = _page.get().request
    return paths.here(request) if request.method in {"GET", "HEAD"} else paths.before(request)


def _signed_in() -> bool:
    return isinstance(_page.get(), SignedIn)


def _csrf_token() -> str:
    page = _page.get()
    return origin.mask(page.session.csrf) if isinstance(page, SignedIn) else ""


def _csrf_field() -> Markup:
    """The hidden field of every form that changes something."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(origin.FIELD, _csrf_token())


def _store(store: Store | None) -> Store:
    page = _page.get()
    if store is None and page.tenant is None:
        raise LookupError("a page of no store has to name the store whose money or days it shows")
    return store or page.tenant.store  # type: ignore[union-attr]


def _zone(store: Store | None) -> tzinfo:
    page = _page.get()
    found = store or (page.tenant.store if page.tenant else None)
    return found.timezone if found else UTC


def _money(minor: int | None, store: Store | None = None) -> str:
    return formats.NOTHING if minor is None else formats.money(minor, _store(store), _page.get().locale)


def _number(value: float | None) -> str:
    return formats.NOTHING if value is None else formats.number(value, _page.get().locale)


def _percent(hundredths: float | None) -> str:
    return formats.NOTHING if hundredths is None else formats.percent(hundredths, _page.get().locale)


def _figure(value: Figure, unit: MetricUnit = "", store: Store | None = None) -> str:
    return formats.figure(value, unit, _store(store), _page.get().locale)


def _day(value: date | datetime | None, store: Store | None = None) -> str:
    if value is None:
        return formats.NOTHING
    local = value.astimezone(_zone(store)).date() if isinstance(value, datetime) else value
    return formats.day(local, _page.get().locale)


def _moment(value: datetime | None, store: Store | None = None) -> Markup | str:
    return formats.NOTHING if value is None else _time(value, store, formats.moment)


def _ago(value: datetime | None, store: Store | None = None, now: datetime | None = None) -> Markup | str:
    if value is None:
        return formats.NOTHING

    def shown(instant: datetime, zone: tzinfo, locale: str) -> str:
        return formats.ago(instant, now or datetime.now(UTC), zone, locale)

    return _time(value, store, shown)


def _clock(value: datetime, store: Store | None = None) -> Markup:
    def shown(instant: datetime, zone: tzinfo, locale: str) -> str:
        return formats.clock(instant, datetime.now(UTC), zone, locale)

    return _time(value, store, shown)


def _time(value: datetime, store: Store | None, shown: Any) -> Markup:
    """An instant that a program can read, too."""
    zone, locale = _zone(store), _page.get().locale
    values: Mapping[str, str] = {
        "at": value.astimezone(UTC).isoformat(timespec="seconds"),
        "exact": formats.moment(value, zone, locale),
        "shown": shown(value, zone, locale),
    }
    return Markup('<time datetime="{at}" title="{exact}">{shown}</time>').format(**values)
