"""A simulated store: seeded, made up, and called so wherever it shows."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

SOURCE = "simulation"
REFUND_SHARE = 0.04


@dataclass(frozen=True, slots=True)
class Trade:
    """What kind of store is simulated.

    Attributes:
        slug: Short name of the store.
        name: Its name for people; says that it is simulated.
        products: Sku, name, category and price in minor units.
    """

    slug: str
    name: str
    products: tuple[tuple[str, str, str, int], ...]


TRADES = (
    Trade(
        "tea-house",
        "Tea House (simulated)",
        (
            ("T-LONGJING", "Longjing 50 g", "green tea", 6800),
            ("T-PUER", "Pu'er cake", "dark tea", 12800),
            ("T-OOLONG", "Oolong 100 g", "oolong", 8800),
            ("T-CUP", "Gaiwan", "ware", 15900),
            ("T-SNACK", "Sesame crisps", "snacks", 1990),
        ),
    ),
    Trade(
        "bookshop",
        "Bookshop (simulated)",
        (
            ("B-NOVEL", "Novel", "fiction", 4500),
            ("B-POETRY", "Poetry", "fiction", 3200),
            ("B-COOK", "Cookbook", "living", 7900),
            ("B-KIDS", "Picture book", "children", 3900),
            ("B-NOTES", "Notebook", "stationery", 1800),
        ),
    ),
)


class SimulatedStore:
    """Makes up members who buy, look around and now and then send something back.

    The same seed gives the same events.
    """

    def __init__(self, trade: Trade, *, seed: int, members: int) -> None:
        self._random = random.Random(f"{trade.slug}:{seed}")  # noqa: S311 - a simulation, not a secret
        self._trade = trade
        self._members = [f"member-{number:04d}" for number in range(1, members + 1)]
        # A few come often and most seldom, as in real stores.
        self._weights = [math.exp(self._random.gauss(0, 1)) for _ in self._members]
        self._number = 0

    def history(self, end: datetime, days: int, orders: int) -> Iterator[dict[str, Any]]:
        """CloudEvents of the days before `end`, in the order of time."""
        moments = sorted(end - timedelta(days=days) * self._random.random() for _ in range(orders))
        pending: list[tuple[datetime, dict[str, Any]]] = []
        for moment in moments:
            due = [one for one in pending if one[0] <= moment]
            pending = [one for one in pending if one[0] > moment]
            yield from (event for _, event in sorted(due, key=lambda one: one[0]))
            paid = self.order(moment)
            yield self.look(paid["subject"], moment - timedelta(minutes=3))
            yield paid
            if self._random.random() < REFUND_SHARE:
                later = moment + timedelta(days=self._random.uniform(1, 10))
                if later < end:
                    pending.append((later, self._refund(paid, later)))
        yield from (event for _, event in sorted(pending, key=lambda one: one[0]))

    def order(self, moment: datetime) -> dict[str, Any]:
        """A paid order of somebody."""
        chosen = self._random.sample(self._trade.products, self._random.randint(1, 3))
        lines: list[dict[str, Any]] = []
        for sku, name, category, price in chosen:
            quantity = self._random.choice((1, 1, 1, 2))
            lines.append(
                {"sku": sku, "name": name, "category": category, "quantity": quantity, "amount": price * quantity}
            )
        total = sum(line["amount"] for line in lines)
        number = self._next()
        data = {"order_id": f"SIM-{number:06d}", "total": total, "currency": "CNY", "lines": lines}
        return self._event(
            "order.paid", number, self._random.choices(self._members, self._weights)[0], moment, data
        )

    def look(self, member: str, moment: datetime) -> dict[str, Any]:
        """Somebody looks at a product."""
        sku, _, category, _ = self._random.choice(self._trade.products)
        return self._event("product.viewed", self._next(), member, moment, {"sku": sku, "category": category})

    def _refund(self, paid: dict[str, Any], moment: datetime) -> dict[str, Any]:
        number = self._next()
        line = self._random.choice(paid["data"]["lines"])
        data = {
            "refund_id": f"SIM-R{number:06d}",
            "order_id": paid["data"]["order_id"],
            "amount": line["amount"],
            "currency": "CNY",
        }
        return self._event("order.refunded", number, paid["subject"], moment, data)

    def _next(self) -> int:
        self._number += 1
        return self._number

    @staticmethod
    def _event(kind: str, number: int, member: str, moment: datetime, data: dict[str, Any]) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": f"{kind}:{number}",
            "source": SOURCE,
            "type": kind,
            "subject": member,
            "time": moment.isoformat(),
            "data": data,
        }
