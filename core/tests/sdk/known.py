"""Facts that tests of audiences ask about, and conditions over them."""

from typing import Any

from threepeat.sdk import Fact, fact

Json = dict[str, Any]


def nothing(_ctx: object, _members: object) -> dict[int, Any]:
    return {}


FACTS: dict[str, Fact] = {
    one.name: one
    for one in (
        fact("orders.count", nothing, kind="number", title={"en": "number of orders", "zh": "累计订单数"}),
        fact(
            "orders.spend",
            nothing,
            kind="number",
            unit="money",
            title={"en": "total spending", "zh": "累计消费金额"},
        ),
        fact("visits.streak", nothing, kind="number", unit="days", title={"en": "streak", "zh": "连续到访"}),
        fact("orders.last_at", nothing, kind="instant", title={"en": "last order", "zh": "最近一次下单"}),
        fact("tiers.tier", nothing, kind="choice", choices=("gold", "silver"), title={"en": "tier", "zh": "等级"}),
        fact("tags.interests", nothing, kind="tags", title={"en": "interests", "zh": "兴趣"}),
        fact("wx.follows", nothing, kind="flag", title={"en": "follow the account", "zh": "关注了公众号"}),
    )
}


def ask(name: str, op: str, *value: Any) -> Json:
    return {"fact": name, "op": op, **({"value": value[0]} if value else {})}


BUYER = ask("orders.count", "at_least", 3)
GOLD = ask("tiers.tier", "is", "gold")
