"""Kinds of message and their texts."""

import pytest

from threepeat.sdk import PluginError, _, message_kind
from threepeat.sdk.messages import fill, placeholders


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"name": "Expiring"}, "Expiring"),
        ({"name": ""}, "must match"),
        ({"purpose": "advert"}, "advert"),
        ({"text": "   "}, "needs a text"),
        ({"text": "x" * 1001}, "needs a text"),
        ({"text": "{points} on {day}"}, "differ in day"),
        ({"text": "now"}, "differ in points"),
        ({"text": "{points.real}"}, r"\{points.real\}"),
        ({"text": "{points[0]}"}, r"\{points\[0\]\}"),
        ({"text": "{points!r}"}, r"\{points\}"),
        ({"text": "{points:>9}"}, r"\{points\}"),
        ({"text": "{}"}, r"\{\}"),
        ({"text": "{points"}, "a brace stands alone"),
        ({"text": "points}"}, "a brace stands alone"),
        ({"text": "{a.b}", "variables": {"a.b": "x"}}, "a.b"),
    ],
)
def test_a_kind_that_does_not_fit_is_refused(given, named):
    kind = {
        "name": "expiring",
        "title": "Expiring",
        "text": "{points}",
        "variables": {"points": "how many"},
        **given,
    }
    with pytest.raises(PluginError, match=named):
        message_kind(kind.pop("name"), **kind)


def test_a_text_that_is_marked_for_translation_keeps_its_placeholders():
    made = message_kind("expiring", title=_("Expiring"), text=_("{points} go"), variables={"points": _("Points")})
    assert (made.text, made.purpose, made.variables) == ("{points} go", "service", {"points": "Points"})


def test_values_are_put_in_as_they_are():
    values = {"a": "{b} {a.__class__} %s {{", "b": "}"}
    assert fill("{a}{b}{{a}}", values) == "{b} {a.__class__} %s {{}{a}"
    assert fill("no variables", values) == "no variables"
    with pytest.raises(ValueError, match="nothing is known of c"):
        fill("{a} {c}", values)
    with pytest.raises(ValueError, match="is not the name of a variable"):
        fill("{a.__class__}", values)


def test_the_variables_of_a_text():
    assert placeholders("{a} {b_2} {a} {{c}}") == {"a", "b_2"}
