"""Audiences in words: one table of phrases for each language.

A negation is carried down to the single conditions (not both is either not), so that every condition is one
phrase, and brackets stand wherever "and" and "or" meet.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple

from babel.numbers import format_currency, format_decimal, get_currency_precision

from threepeat.sdk.facts import Fact
from threepeat.sdk.wording import spoken

if TYPE_CHECKING:
    from threepeat.sdk.audience import Audience

Locale = Literal["en", "zh"]


class _Words(NamedTuple):
    """A language.

    Attributes:
        holds: How a condition is said, by op.
        fails: How its negation is said.
    """

    babel: str
    everybody: str
    members: str
    both: str
    either: str
    brackets: str
    listed: str
    quoted: str
    day: str
    days: str
    holds: Mapping[str, str]
    fails: Mapping[str, str]


def _opposed(pairs: Mapping[tuple[str, str], tuple[str, str]]) -> tuple[dict[str, str], dict[str, str]]:
    """Phrases of two ops that are each other's negation: the one holds where the other fails."""
    holds = {op: phrase for ops, phrases in pairs.items() for op, phrase in zip(ops, phrases, strict=True)}
    fails = {op: phrase for ops, phrases in pairs.items() for op, phrase in zip(ops, phrases[::-1], strict=True)}
    return holds, fails


_EN_HOLDS, _EN_FAILS = _opposed(
    {
        ("equals", "differs"): ("whose {title} is {value}", "whose {title} is not {value}"),
        ("at_least", "less_than"): ("whose {title} is at least {value}", "whose {title} is less than {value}"),
        ("at_most", "more_than"): ("whose {title} is at most {value}", "whose {title} is more than {value}"),
        ("is", "is_not"): ("whose {title} is {value}", "whose {title} is not {value}"),
        ("is_true", "is_false"): ("who {title}", "of whom it is not true that they {title}"),
        ("has", "has_not"): ("whose {title} include {value}", "whose {title} do not include {value}"),
    }
)
_ZH_HOLDS, _ZH_FAILS = _opposed(
    {
        ("equals", "differs"): ("{title}为{value}", "{title}不为{value}"),
        ("at_least", "less_than"): ("{title}不少于{value}", "{title}少于{value}"),
        ("at_most", "more_than"): ("{title}不超过{value}", "{title}超过{value}"),
        ("is", "is_not"): ("{title}为{value}", "{title}不为{value}"),
        ("is_true", "is_false"): ("{title}", "不满足“{title}”"),
        ("has", "has_not"): ("{title}包含{value}", "{title}不包含{value}"),
    }
)

_WORDS: Mapping[Locale, _Words] = {
    "en": _Words(
        babel="en",
        everybody="all members",
        members="members {whose}",
        both=" and ",
        either=" or ",
        brackets="({inner})",
        listed=", ",
        quoted="“{text}”",
        day="{number} day",
        days="{number} days",
        holds={
            **_EN_HOLDS,
            "between": "whose {title} is from {low} to {high}",
            "one_of": "whose {title} is one of {value}",
            "has_any": "whose {title} include any of {value}",
            "within_days": "whose {title} was within the last {value}",
            "more_than_days_ago": "whose {title} was more than {value} ago",
            "never": "of whom no {title} is known",
        },
        fails={
            **_EN_FAILS,
            "between": "whose {title} is not from {low} to {high}",
            "one_of": "whose {title} is none of {value}",
            "has_any": "whose {title} include none of {value}",
            "within_days": "whose {title} was not within the last {value} (or never)",
            "more_than_days_ago": "whose {title} was not more than {value} ago (or never)",
            "never": "of whom the {title} is known",
        },
    ),
    "zh": _Words(
        babel="zh_CN",
        everybody="所有会员",
        members="{whose}的会员",
        both="且",
        either="或",
        brackets="（{inner}）",
        listed="、",
        quoted="“{text}”",
        day="{number}天",
        days="{number}天",
        holds={
            **_ZH_HOLDS,
            "between": "{title}在{low}至{high}之间（含）",
            "one_of": "{title}为{value}之一",
            "has_any": "{title}包含{value}中的任意一个",
            "within_days": "{title}在最近{value}内",
            "more_than_days_ago": "距{title}已超过{value}",
            "never": "没有{title}记录",
        },
        fails={
            **_ZH_FAILS,
            "between": "{title}不在{low}至{high}之间（含）",
            "one_of": "{title}不是{value}中的任何一个",
            "has_any": "{title}不包含{value}中的任何一个",
            "within_days": "{title}不在最近{value}内（或从未发生）",
            "more_than_days_ago": "距{title}未超过{value}（或从未发生）",
            "never": "有{title}记录",
        },
    ),
}

_Said = tuple[str, Literal["one", "both", "either"]]
"""A phrase, and what joins it if it has several parts."""


def sentence(audience: "Audience", facts: Mapping[str, Fact], locale: Locale, currency: str) -> str:
    """Say whom an audience is for; the arguments are those of `Audience.sentence`."""
    words = _WORDS[locale]
    if audience.is_everybody:
        return words.everybody
    return words.members.format(whose=_say(audience, facts, words, currency, negated=False)[0])


def _say(node: "Audience", facts: Mapping[str, Fact], words: _Words, currency: str, *, negated: bool) -> _Said:
    if node.fact is not None:
        return _condition(node, facts.get(node.fact), words, currency, negated=negated), "one"
    if node.not_ is not None:
        return _say(node.not_, facts, words, currency, negated=not negated)
    kind: Literal["both", "either"] = "both" if (node.all is not None) is not negated else "either"
    said = [_say(part, facts, words, currency, negated=negated) for _, part in node.parts]
    if len(said) == 1:
        return said[0]
    joined = (words.brackets.format(inner=text) if how not in {"one", kind} else text for text, how in said)
    return (words.both if kind == "both" else words.either).join(joined), kind


def _condition(node: "Audience", known: Fact | None, words: _Words, currency: str, *, negated: bool) -> str:
    op, value = str(node.op), node.value
    phrase = (words.fails if negated else words.holds)[op]
    title = known.title["zh" if words.babel == "zh_CN" else "en"] if known else words.quoted.format(text=node.fact)
    unit = "days" if op in {"within_days", "more_than_days_ago"} else known.unit if known else ""
    said = [_value(one, unit, words, currency) for one in (value if isinstance(value, tuple) else (value,))]
    return phrase.format(title=title, value=words.listed.join(said), low=said[0], high=said[-1])


def _value(value: object, unit: str, words: _Words, currency: str) -> str:
    if not isinstance(value, int):
        return words.quoted.format(text=value)
    if unit == "money":
        amount = Decimal(value).scaleb(-get_currency_precision(currency))
        return str(format_currency(amount, currency, locale=spoken(words.babel)))
    number = str(format_decimal(value, locale=spoken(words.babel)))
    if unit == "days":
        return (words.day if value == 1 else words.days).format(number=number)
    return number
