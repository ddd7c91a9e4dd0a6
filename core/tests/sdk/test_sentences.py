"""Audiences in words, phrase by phrase; core/tests/events/test_audiences.py reads whole sentences back."""

import pytest
from core.tests.sdk.known import BUYER, FACTS, GOLD, Json, ask, nothing

from threepeat.sdk import Audience, fact

LATELY = ask("orders.last_at", "within_days", 30)
FOLLOWER = ask("wx.follows", "is_true")


@pytest.mark.parametrize(
    ("given_", "english", "chinese"),
    [
        ({}, "all members", "所有会员"),
        (BUYER, "members whose number of orders is at least 3", "累计订单数不少于3的会员"),
        ({"not": BUYER}, "members whose number of orders is less than 3", "累计订单数少于3的会员"),
        ({"not": {"not": BUYER}}, "members whose number of orders is at least 3", "累计订单数不少于3的会员"),
        (
            {"all": [BUYER, {"not": LATELY}]},
            (
                "members whose number of orders is at least 3"
                " and whose last order was not within the last 30 days (or never)"
            ),
            "累计订单数不少于3且最近一次下单不在最近30天内（或从未发生）的会员",
        ),
        (
            {"all": [{"any": [BUYER, GOLD]}, LATELY]},
            (
                "members (whose number of orders is at least 3 or whose tier is “gold”)"
                " and whose last order was within the last 30 days"
            ),
            "（累计订单数不少于3或等级为“gold”）且最近一次下单在最近30天内的会员",
        ),
        (
            {"any": [BUYER, {"all": [GOLD, LATELY]}]},
            (
                "members whose number of orders is at least 3"
                " or (whose tier is “gold” and whose last order was within the last 30 days)"
            ),
            "累计订单数不少于3或（等级为“gold”且最近一次下单在最近30天内）的会员",
        ),
        (
            {"all": [BUYER, {"all": [GOLD, {"any": [LATELY]}]}]},
            (
                "members whose number of orders is at least 3 and whose tier is “gold”"
                " and whose last order was within the last 30 days"
            ),
            "累计订单数不少于3且等级为“gold”且最近一次下单在最近30天内的会员",
        ),
        (
            {"not": {"all": [BUYER, {"any": [GOLD, LATELY]}]}},
            (
                "members whose number of orders is less than 3 or"
                " (whose tier is not “gold” and whose last order was not within the last 30 days (or never))"
            ),
            "累计订单数少于3或（等级不为“gold”且最近一次下单不在最近30天内（或从未发生））的会员",
        ),
        (
            ask("orders.spend", "more_than", 12_890),
            "members whose total spending is more than CN¥128.90",
            "累计消费金额超过¥128.90的会员",
        ),
        (
            ask("orders.spend", "at_most", -1),
            "members whose total spending is at most -CN¥0.01",
            "累计消费金额不超过-¥0.01的会员",
        ),
        (
            ask("orders.spend", "between", [0, 2**63 - 1]),
            "members whose total spending is from CN¥0.00 to CN¥92,233,720,368,547,758.07",
            "累计消费金额在¥0.00至¥92,233,720,368,547,758.07之间（含）的会员",
        ),
        (
            {"not": ask("orders.count", "between", [1, 1_000])},
            "members whose number of orders is not from 1 to 1,000",
            "累计订单数不在1至1,000之间（含）的会员",
        ),
        (ask("visits.streak", "equals", 1), "members whose streak is 1 day", "连续到访为1天的会员"),
        (ask("visits.streak", "differs", 7), "members whose streak is not 7 days", "连续到访不为7天的会员"),
        (
            ask("orders.last_at", "more_than_days_ago", 1),
            "members whose last order was more than 1 day ago",
            "距最近一次下单已超过1天的会员",
        ),
        (
            {"not": ask("orders.last_at", "more_than_days_ago", 30)},
            "members whose last order was not more than 30 days ago (or never)",
            "距最近一次下单未超过30天（或从未发生）的会员",
        ),
        (ask("orders.last_at", "never"), "members of whom no last order is known", "没有最近一次下单记录的会员"),
        (
            {"not": ask("orders.last_at", "never")},
            "members of whom the last order is known",
            "有最近一次下单记录的会员",
        ),
        (FOLLOWER, "members who follow the account", "关注了公众号的会员"),
        (
            {"not": FOLLOWER},
            "members of whom it is not true that they follow the account",
            "不满足“关注了公众号”的会员",
        ),
        (
            ask("wx.follows", "is_false"),
            "members of whom it is not true that they follow the account",
            "不满足“关注了公众号”的会员",
        ),
        (
            ask("tiers.tier", "one_of", ["gold", "silver"]),
            "members whose tier is one of “gold”, “silver”",
            "等级为“gold”、“silver”之一的会员",
        ),
        (
            {"not": ask("tiers.tier", "one_of", ["gold", "silver"])},
            "members whose tier is none of “gold”, “silver”",
            "等级不是“gold”、“silver”中的任何一个的会员",
        ),
        (ask("tags.interests", "has", "茶"), "members whose interests include “茶”", "兴趣包含“茶”的会员"),
        (
            ask("tags.interests", "has_not", "茶"),
            "members whose interests do not include “茶”",
            "兴趣不包含“茶”的会员",
        ),
        (
            ask("tags.interests", "has_any", ["茶", "酒"]),
            "members whose interests include any of “茶”, “酒”",
            "兴趣包含“茶”、“酒”中的任意一个的会员",
        ),
        (
            {"not": ask("tags.interests", "has_any", ["茶", "酒"])},
            "members whose interests include none of “茶”, “酒”",
            "兴趣不包含“茶”、“酒”中的任何一个的会员",
        ),
        (
            ask("gone.score", "at_least", 3),
            "members whose “gone.score” is at least 3",
            "“gone.score”不少于3的会员",
        ),
    ],
)
def test_an_audience_is_said_in_both_languages(given_: Json, english: str, chinese: str) -> None:
    audience = Audience.model_validate(given_)
    assert audience.sentence(FACTS, "en", currency="CNY") == english
    assert audience.sentence(FACTS, "zh", currency="CNY") == chinese


def test_money_is_said_in_the_stores_currency() -> None:
    rich = Audience.model_validate(ask("orders.spend", "at_least", 1280))
    assert rich.sentence(FACTS, "en", currency="JPY") == "members whose total spending is at least ¥1,280"
    assert rich.sentence(FACTS, "zh", currency="EUR") == "累计消费金额不少于€12.80的会员"


def test_a_title_or_a_value_that_looks_like_a_template_is_said_as_it_is() -> None:
    odd = {"t.x": fact("t.x", nothing, kind="tags", title={"en": "{value} {0}", "zh": "{title}"})}
    audience = Audience.model_validate(ask("t.x", "has", "{low}"))
    assert audience.sentence(odd, "en", currency="CNY") == "members whose {value} {0} include “{low}”"
