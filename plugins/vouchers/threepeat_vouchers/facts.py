"""What others may know of a member's vouchers."""

from threepeat.sdk import Fact, fact
from threepeat_vouchers.rewards import balance

FACTS: tuple[Fact, ...] = (
    fact(
        "vouchers.usable",
        balance,
        kind="number",
        title={"en": "number of usable vouchers", "zh": "可用优惠券数"},
        default=0,
    ),
)
