"""What others may know of a member's inbox."""

from collections.abc import Collection, Mapping
from typing import Any

from threepeat.sdk import Context, fact


def unread(ctx: Context[Any], members: Collection[int]) -> Mapping[int, int]:
    """How many messages members have not read."""
    return {row.member_id: row.unread for row in ctx.sql("unread", members=sorted(members))}


FACTS = (
    fact(
        "messages.unread",
        unread,
        kind="number",
        title={"en": "number of unread messages", "zh": "未读消息数"},
        default=0,
    ),
)
