"""What messages say, as a merchant manages it: one item for each kind that the store's plugins send."""

from collections import Counter
from collections.abc import Sequence
from string import Formatter
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from threepeat.sdk import Item, ItemModel, Query, Refused, Spoken, _, action, collection, shown
from threepeat.sdk.messages import MAX_TEXT, placeholders
from threepeat_messages import kinds
from threepeat_messages.channels import CHANNELS, Ctx
from threepeat_messages.kinds import Kind
from threepeat_messages.routes import PURPOSES

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_TEXT)]
OWN_TEXT = _(
    "Leave it empty for the text that comes with it. Each variable stands in braces, as it stands there, and every"
    " one of them has to be in the text."
)


MOST_TIMES = 3
"""How often a text may say a variable, which may be as long as a text itself."""


class Template(ItemModel):
    """What a merchant fills in."""

    text_zh: Text = Field(
        default="", title=_("Chinese text"), description=OWN_TEXT, json_schema_extra=shown(long=True)
    )
    text_en: Text = Field(
        default="", title=_("English text"), description=OWN_TEXT, json_schema_extra=shown(long=True)
    )
    channel: Literal["inbox", "log"] = Field(
        default="inbox",
        title=_("Channel"),
        json_schema_extra=shown(choices={name: one.title for name, one in CHANNELS.items()}),
    )


def find(ctx: Ctx, query: Query) -> Sequence[Item[Template]]:
    """Every kind, in the order of the plugins."""
    found = [_item(one) for one in kinds.every(ctx).values()]
    if query.after is not None:
        ids = [one.id for one in found]
        found = found[ids.index(query.after) + 1 :] if query.after in ids else []
    needle = query.search.casefold()
    return [
        one
        for one in found
        if query.state in {None, one.state} and any(needle in said.casefold() for said in _titles(one))
    ][: query.limit]


def read(ctx: Ctx, item: str) -> Item[Template] | None:
    """One kind."""
    found = _kind(ctx, item)
    return _item(found) if found is not None else None


def update(ctx: Ctx, item: str, revision: int, given: Template) -> bool:
    """Save what it says and where.

    Raises:
        Refused: A text names a variable that there is not, leaves one out or says it too often, or the channel is
            not there.
    """
    found = _kind(ctx, item)
    if found is None:
        return False
    _require_fitting(found, "text_zh", given.text_zh)
    _require_fitting(found, "text_en", given.text_en)
    if not CHANNELS[given.channel].ready(ctx):
        raise Refused(_("Switch it on in the settings first."), code="no-channel", field="channel")
    return _save(
        ctx,
        found,
        revision,
        enabled=found.enabled,
        channel=given.channel,
        text_zh=given.text_zh or None,
        text_en=given.text_en or None,
    )


def switch_on(ctx: Ctx, item: str, revision: int) -> bool:
    """Send this kind again, from now on."""
    return _switch(ctx, item, revision, enabled=True)


def switch_off(ctx: Ctx, item: str, revision: int) -> bool:
    """Send none of this kind; what comes up is kept with the reason."""
    return _switch(ctx, item, revision, enabled=False)


TEMPLATES = collection(
    "templates",
    Template,
    title=_("Message templates"),
    singular=_("message template"),
    summary=_("What members are told by your tactics and services, in your words, and what they are not told."),
    states={"on": _("On"), "off": _("Off")},
    editable={"on", "off"},
    find=find,
    read=read,
    update=update,
    actions=[
        action("switch_on", switch_on, title=_("Switch on"), states={"off"}),
        action("switch_off", switch_off, title=_("Switch off"), states={"on"}),
    ],
)


def _require_fitting(kind: Kind, field: str, text: str) -> None:
    if not text:
        return
    variables = kind.known.variables
    try:
        named = placeholders(text)
    except ValueError:
        raise Refused(
            _("Only names of variables may stand in braces. For a brace that members read, write two of them."),
            code="bad-braces",
            field=field,
        ) from None
    known = ", ".join(f"{{{name}}}" for name in variables) or "–"
    for name in sorted(named - variables.keys()):
        reason = _("There is no variable {name}. There are: {known}.", name=f"{{{name}}}", known=known)
        raise Refused(reason, code="unknown-variable", field=field)
    for name in sorted(variables.keys() - named):
        raise Refused(_("{name} is missing.", name=f"{{{name}}}"), code="missing-variable", field=field)
    for name, times in Counter(part[1] for part in Formatter().parse(text) if part[1]).items():
        if times > MOST_TIMES:
            reason = _("Use {name} {most} times at most.", name=f"{{{name}}}", most=MOST_TIMES)
            raise Refused(reason, code="repeated-variable", field=field)


def _switch(ctx: Ctx, item: str, revision: int, *, enabled: bool) -> bool:
    found = _kind(ctx, item)
    if found is None:
        return False
    texts = {f"text_{language}": found.texts.get(language) for language in ("zh", "en")}
    return _save(ctx, found, revision, enabled=enabled, channel=found.channel, **texts)


def _save(ctx: Ctx, kind: Kind, revision: int, **columns: object) -> bool:
    known = kind.known
    return bool(ctx.sql("template_save", plugin=known.plugin, kind=known.name, revision=revision, **columns))


def _kind(ctx: Ctx, item: str) -> Kind | None:
    plugin, _separator, name = item.partition("-")
    return kinds.every(ctx).get((plugin, name))


def _item(kind: Kind) -> Item[Template]:
    known = kind.known
    title = {language: f"{known.owner[language]} · {known.title[language]}" for language in known.title}
    figures: dict[str, int | str] = {
        _("Purpose"): PURPOSES[known.purpose],
        _("Text that comes with it"): Spoken(known.text),
    }
    if known.variables:
        said = {
            language: ", ".join(f"{{{name}}} {titles[language]}" for name, titles in known.variables.items())
            for language in known.title
        }
        figures[_("Variables")] = Spoken(said)
    values = Template(
        text_zh=kind.texts.get("zh", ""),
        text_en=kind.texts.get("en", ""),
        channel="log" if kind.channel == "log" else "inbox",
    )
    return Item(
        f"{known.plugin}-{known.name}",
        "on" if kind.enabled else "off",
        values,
        kind.revision,
        Spoken(title),
        kind.changed_at,
        figures,
    )


def _titles(item: Item[Template]) -> Sequence[str]:
    return list(item.title.titles.values()) if isinstance(item.title, Spoken) else [item.title]
