"""What vouchers tell the rest of the platform."""

from datetime import datetime
from typing import ClassVar

from threepeat.sdk.events import PLUGIN, Event, Sender
from threepeat.sdk.wording import _


class VoucherIssued(Event, frozen=True, kw_only=True):
    """A member got vouchers of a template.

    Attributes:
        source: `reward`, `claim` or `code`.
    """

    type: ClassVar[str] = "voucher.issued"
    title: ClassVar[str] = _("issued")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    template: str
    vouchers: int
    source: str
    valid_until: datetime


class VoucherUsed(Event, frozen=True, kw_only=True):
    """An order with a voucher was paid. `amount` is what it took off, in minor units of the store's currency."""

    type: ClassVar[str] = "voucher.used"
    title: ClassVar[str] = _("used")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    voucher_id: str
    template: str
    amount: int
    order_id: str | None = None


class VoucherReturned(Event, frozen=True, kw_only=True):
    """The whole of an order came back in which a voucher was used. `usable`: the member has it again."""

    type: ClassVar[str] = "voucher.returned"
    title: ClassVar[str] = _("returned")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    voucher_id: str
    template: str
    usable: bool
