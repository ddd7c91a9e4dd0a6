"""What a merchant sets about prices and orders that are not paid yet."""

from collections.abc import Iterable
from datetime import timedelta

from pydantic import Field

from threepeat.sdk import PluginSettings, Store, _, shown

EXAMPLE = 200
"""Whole units of money in the example of a basket."""


class CheckoutSettings(PluginSettings):
    """How long prices stand, how long things are held, and how far prices may fall."""

    quote_minutes: int = Field(
        default=30,
        ge=1,
        le=1440,
        title=_("A price stands for"),
        description=_("How long a member may look at a price before ordering. After that it is asked anew."),
        json_schema_extra=shown(group=_("Time"), unit="minutes"),
    )
    hold_minutes: int = Field(
        default=30,
        ge=1,
        le=1440,
        title=_("An order is held for"),
        description=_(
            "How long vouchers, points and gifts of an unpaid order are kept for it. Choose what your shop"
            " gives for the payment; what is paid later is held again if it is still there, and else asked back."
        ),
        json_schema_extra=shown(group=_("Time"), unit="minutes"),
    )
    most_percent: int = Field(
        default=100,
        ge=1,
        le=100,
        title=_("All reductions together take at most"),
        description=_("Of the price of the goods, whatever comes together: member price, vouchers, points."),
        json_schema_extra=shown(group=_("Limits"), unit="percent"),
    )
    delivery_back: bool = Field(
        default=True,
        title=_("Pay delivery back when everything is returned"),
        description=_("What the order was quoted with counts, also if you change it later."),
        json_schema_extra=shown(group=_("Returns")),
    )

    @property
    def quoted_for(self) -> timedelta:
        """How long a quote can be reserved."""
        return timedelta(minutes=self.quote_minutes)

    @property
    def held_for(self) -> timedelta:
        """How long a reservation holds."""
        return timedelta(minutes=self.hold_minutes)

    def worked(self, store: Store) -> Iterable[str]:
        """What the limit leaves of a basket."""
        basket = EXAMPLE * store.minor_units
        yield _(
            "Goods for {basket} cost at least {least}",
            basket=store.money(basket),
            least=store.money(basket - basket * self.most_percent // 100),
        )
