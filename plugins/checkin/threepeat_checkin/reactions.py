"""Keeps on which days members buy, to tell whether those who check in do."""

from threepeat.sdk import Context
from threepeat.sdk.events import OrderPaid
from threepeat_checkin.settings import CheckinSettings


def bought(ctx: Context[CheckinSettings], events: list[OrderPaid]) -> None:
    """Record the local days of paid orders; a second payment of the same order changes nothing."""
    zone = ctx.tenant.timezone
    ctx.sql(
        "bought",
        orders=[event.order_id for event in events],
        members=[event.member for event in events],
        days=[event.occurred_at.astimezone(zone).date() for event in events],
    )
