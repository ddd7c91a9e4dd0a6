"""What is wrong with a value, in the reader's language, from pydantic's type of the error."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import core_schema

from threepeat.sdk.wording import Wording, _, ngettext
from threepeat_tenants.forms.leaves import Secret, Text
from threepeat_tenants.forms.shapes import Shape
from threepeat_tenants.forms.surroundings import Surroundings

Limit = Callable[[str], str]
"""A bound from the error's context, by its name, as it is said."""

BUILT_IN = frozenset(core_schema.ErrorType.__args__)  # type: ignore[attr-defined]
"""The types of error that pydantic itself raises; the others come from a plugin."""

SPOKEN = frozenset({"value_error", "assertion_error"})
"""Types whose reason is what a plugin's validator said."""

PLAIN: Mapping[str, Wording] = {
    "missing": _("Fill this in."),
    "extra_forbidden": _("There is no such field."),
    "string_type": _("Enter a text."),
    "string_unicode": _("This holds characters that cannot be stored."),
    "string_pattern_mismatch": _("This does not have the form that is expected here."),
    "bool_type": _("Choose yes or no."),
    "bool_parsing": _("Choose yes or no."),
    "int_type": _("Enter a whole number."),
    "int_parsing": _("Enter a whole number."),
    "int_from_float": _("Enter a whole number."),
    "int_parsing_size": _("This number is too large."),
    "float_type": _("Enter a number."),
    "float_parsing": _("Enter a number."),
    "finite_number": _("Enter a number."),
    "decimal_type": _("Enter a number."),
    "decimal_parsing": _("Enter a number."),
    "date_type": _("Enter a date."),
    "date_parsing": _("Enter a date."),
    "date_from_datetime_parsing": _("Enter a date."),
    "date_from_datetime_inexact": _("Enter a date."),
    "date_past": _("Choose a date in the past."),
    "date_future": _("Choose a date in the future."),
    "time_type": _("Enter a time."),
    "time_parsing": _("Enter a time."),
    "datetime_type": _("Enter a date and a time."),
    "datetime_parsing": _("Enter a date and a time."),
    "datetime_from_date_parsing": _("Enter a date and a time."),
    "datetime_past": _("Choose a time in the past."),
    "datetime_future": _("Choose a time in the future."),
    "enum": _("Choose one of these."),
    "literal_error": _("Choose one of these."),
    "list_type": _("Enter a list."),
    "set_type": _("Enter a list."),
    "tuple_type": _("Enter a list."),
    "dict_type": _("Enter an object."),
    "model_type": _("Enter an object."),
    "model_attributes_type": _("Enter an object."),
    "url_parsing": _("Enter an address, such as https://example.com."),
    "url_type": _("Enter an address, such as https://example.com."),
    "url_scheme": _("Enter an address, such as https://example.com."),
    "url_syntax_violation": _("Enter an address, such as https://example.com."),
    "url_too_long": _("This address is too long."),
    "recursion_loop": _("This nests too deep."),
}


def _at_least(limit: Limit) -> Wording:
    return _("Enter at least {limit}.", limit=limit("ge"))


def _at_most(limit: Limit) -> Wording:
    return _("Enter at most {limit}.", limit=limit("le"))


def _more_than(limit: Limit) -> Wording:
    return _("Enter more than {limit}.", limit=limit("gt"))


def _less_than(limit: Limit) -> Wording:
    return _("Enter less than {limit}.", limit=limit("lt"))


def _multiple_of(limit: Limit) -> Wording:
    return _("Enter a multiple of {limit}.", limit=limit("multiple_of"))


LIMITED: Mapping[str, Callable[[Limit], Wording]] = {
    "greater_than_equal": _at_least,
    "less_than_equal": _at_most,
    "greater_than": _more_than,
    "less_than": _less_than,
    "multiple_of": _multiple_of,
}


def _characters_at_least(n: int) -> Wording:
    return ngettext("Enter at least {n} character.", "Enter at least {n} characters.", n, n=n)


def _characters_at_most(n: int) -> Wording:
    return ngettext("Enter at most {n} character.", "Enter at most {n} characters.", n, n=n)


def _entries_at_least(n: int) -> Wording:
    return ngettext("Give at least {n} entry.", "Give at least {n} entries.", n, n=n)


def _entries_at_most(n: int) -> Wording:
    return ngettext("Give at most {n} entry.", "Give at most {n} entries.", n, n=n)


def _digits_at_most(n: int) -> Wording:
    return ngettext("Use at most {n} digit.", "Use at most {n} digits.", n, n=n)


def _decimals_at_most(n: int) -> Wording:
    return ngettext("Use at most {n} decimal.", "Use at most {n} decimals.", n, n=n)


def _before_the_point(n: int) -> Wording:
    return ngettext("Use at most {n} digit before the point.", "Use at most {n} digits before the point.", n, n=n)


COUNTED: Mapping[str, tuple[str, Callable[[int], Wording]]] = {
    "string_too_short": ("min_length", _characters_at_least),
    "string_too_long": ("max_length", _characters_at_most),
    "too_short": ("min_length", _entries_at_least),
    "too_long": ("max_length", _entries_at_most),
    "decimal_max_digits": ("max_digits", _digits_at_most),
    "decimal_max_places": ("decimal_places", _decimals_at_most),
    "decimal_whole_digits": ("whole_digits", _before_the_point),
}


def message(kind: str, context: Mapping[str, Any], reason: str, shape: Shape, around: Surroundings) -> str:
    """What to change about a value.

    Args:
        kind: Pydantic's type of the error; empty if core found it.
        context: What the error is about, by pydantic's names.
        reason: Pydantic's or core's English sentence.
        shape: The field's, which says bounds as they are entered.
    """
    if kind in SPOKEN:
        spoken = getattr(context.get("error"), "args", ())
        said = spoken[0] if spoken and isinstance(spoken[0], str) else reason
        return around.translate(said) or around.say(_("This is not accepted."))
    if kind and kind not in BUILT_IN:
        return around.translate(reason)
    found = _known(kind, context, shape, around)
    return around.say(found if found is not None else _("This is not accepted: {reason}", reason=reason))


def _known(kind: str, context: Mapping[str, Any], shape: Shape, around: Surroundings) -> Wording | None:
    if kind in LIMITED:
        return LIMITED[kind](lambda name: shape.limit(context.get(name), around))
    if kind in {"too_short", "too_long"} and isinstance(shape, Secret | Text):
        kind = f"string_{kind}"
    name, count = COUNTED.get(kind, ("", None))
    if count is not None and isinstance(context.get(name), int):
        return count(context[name])
    return PLAIN.get(kind)
