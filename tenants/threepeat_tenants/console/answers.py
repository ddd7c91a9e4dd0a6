"""An answer of the member API as people read it: titles, dates, money and rewards instead of JSON."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from threepeat.sdk.settings import choice_key
from threepeat.sdk.wording import _
from threepeat_tenants.console import formats
from threepeat_tenants.forms import Surroundings

MOST_ITEMS = 10
MOST_ROWS = 60
LANGUAGES = {"en", "zh"}
"""A text in both stands as a mapping."""
DEEPEST = 6
LONGEST = 300
WORD = re.compile("[a-z][a-z_]{0,39}")


@dataclass(frozen=True, slots=True)
class Shown:
    """A value with its name.

    Attributes:
        text: What it is, if it is one value.
        rows: What is in it, if it has parts.
        items: A list's entries, each with its parts.
        more: How many entries are left out.
    """

    label: str
    text: str = ""
    rows: "tuple[Shown, ...]" = ()
    items: "tuple[tuple[Shown, ...], ...]" = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class _Hints:
    unit: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)


NONE = _Hints()


def read(kind: Any, body: bytes, around: Surroundings) -> tuple[Shown, ...]:
    """The parts of an answer.

    Args:
        kind: What the handler says that it answers.
        body: JSON; what does not fit `kind` is shown as it is.
        around: The reader's language, the store, and who says the plugin's words.
    """
    try:
        value = _adapter(kind).validate_json(body)
    except Exception:  # noqa: BLE001 - a stranger's model may do anything
        value = _loaded(body)
    found = _Reading(around).value("", value, NONE, 0)
    if found.rows:
        return found.rows
    return (found,) if found.text or found.items else ()


@lru_cache(maxsize=512)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _loaded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class _Reading:
    around: Surroundings

    def value(self, label: str, value: Any, hints: _Hints, depth: int) -> Shown:
        if isinstance(value, dict) and "en" in value and value.keys() <= LANGUAGES:
            value = value.get(self.around.language) or value["en"]
        if isinstance(value, BaseModel | dict) and depth < DEEPEST:
            return self._parts(label, value, depth)
        if isinstance(value, list | tuple | set | frozenset) and depth < DEEPEST:
            return self._list(label, list(value), hints, depth)
        return Shown(label, self._text(value, hints))

    def _parts(self, label: str, value: BaseModel | dict[str, Any], depth: int) -> Shown:
        fields = {} if isinstance(value, dict) else type(value).model_fields
        given = value if isinstance(value, dict) else {name: getattr(value, name) for name in fields}
        prize = self._prize(given)
        rows = [
            self.value(self._label(str(name), fields.get(name)), inner, _hints(fields.get(name)), depth + 1)
            for name, inner in list(given.items())[:MOST_ROWS]
            if inner is not None and self._meant(name, fields.get(name))
            if not (prize and name in {"kind", "amount"})
        ]
        if prize and not rows:
            return Shown(label, prize)
        if prize:
            rows.insert(0, Shown(self.around.say(_("Reward")), prize))
        return Shown(label, rows=tuple(rows)) if rows else Shown(label, formats.NOTHING)

    def _list(self, label: str, values: list[Any], hints: _Hints, depth: int) -> Shown:
        if not values:
            return Shown(label, self.around.say(_("none")))
        shown = [self.value("", one, hints, depth + 1) for one in values[:MOST_ITEMS]]
        more = len(values) - len(shown)
        if all(one.text and not one.rows and not one.items for one in shown):
            return Shown(label, ", ".join(one.text for one in shown) + (" …" if more else ""))
        return Shown(label, items=tuple(one.rows or (one,) for one in shown), more=more)

    @staticmethod
    def _meant(name: str, field: FieldInfo | None) -> bool:
        """Whether people are meant to read it: an id is for programs, unless it has a title."""
        if field is None:
            return name != "id"
        return not _shown(field).get("programs") and (name != "id" or bool(field.title))

    def _label(self, name: str, field: FieldInfo | None) -> str:
        title = field.title if field is not None else None
        return self.around.translate(title or name.replace("_", " ").strip().capitalize())

    def _prize(self, given: Mapping[str, Any]) -> str:
        """A reward in words, if that is what the parts are."""
        kind, amount = given.get("kind"), given.get("amount")
        known = self.around.kinds.get(kind) if isinstance(kind, str) else None
        if known is None or not isinstance(amount, int):
            return ""
        title = known.title.get(self.around.language) or known.title.get("en", kind)
        return f"{self.around.number(amount)} {title}"

    def _text(self, value: Any, hints: _Hints) -> str:
        plain = value.value if isinstance(value, Enum) else value
        title = hints.titles.get(choice_key(plain)) if isinstance(plain, str | int) else None
        if title:
            return self.around.translate(title)
        match plain:
            case None:
                said = ""
            case bool():
                said = self.around.say(_("Yes") if plain else _("No"))
            case int() | float() | Decimal():
                said = self._number(plain, hints.unit)
            case datetime() if plain.tzinfo is not None:
                said = formats.moment(plain, self.around.store.timezone, self.around.locale)
            case date():
                said = formats.day(plain, self.around.locale)
            case str():
                known = self.around.kinds.get(plain)
                said = known.title.get(self.around.language, plain) if known else self._word(plain)
            case _:
                said = json.dumps(plain, ensure_ascii=False, default=str)
        return said[:LONGEST] or formats.NOTHING

    def _word(self, value: str) -> str:
        """A text, in the plugin's words if it is one of its own short ones, such as a state."""
        return self.around.translate(value) if WORD.fullmatch(value) else value

    def _number(self, value: float | Decimal, unit: str) -> str:
        if unit == "money" and isinstance(value, int):
            return formats.money(value, self.around.store, self.around.locale)
        said = self.around.number(value)
        return f"{said}%" if unit == "percent" else said


def _hints(about: FieldInfo | None) -> _Hints:
    """What `shown(…)` says of a field."""
    found = _shown(about) if about is not None else {}
    unit, titles = found.get("unit"), found.get("choices")
    known = titles.items() if isinstance(titles, dict) else ()
    return _Hints(
        unit if isinstance(unit, str) else "", {name: said for name, said in known if isinstance(said, str)}
    )


def _shown(about: FieldInfo) -> Mapping[str, Any]:
    extra = about.json_schema_extra
    found = extra.get("threepeat") if isinstance(extra, dict) else None
    return found if isinstance(found, dict) else {}
