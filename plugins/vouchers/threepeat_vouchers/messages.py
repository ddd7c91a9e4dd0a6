"""What vouchers say to members."""

from datetime import datetime, timedelta

from threepeat.sdk import Granted, Notice, _, message_kind
from threepeat.sdk.wording import Value
from threepeat_vouchers.form import Template
from threepeat_vouchers.templates import Ctx

GIVEN = "given"

KINDS = (
    message_kind(
        GIVEN,
        title=_("A voucher for you"),
        text=_("You have a new voucher: {voucher} ({number}), valid until {day}."),
        variables={
            "voucher": _("The voucher's name"),
            "number": _("How many of it"),
            "day": _("The last day on which it is valid"),
        },
    ),
)


def given(ctx: Ctx, one: Granted, template: Template, until: datetime) -> Notice:
    """Tell a member of vouchers that came without a tap of the member's own."""
    last = (until - timedelta(microseconds=1)).astimezone(ctx.tenant.timezone).date()
    values: dict[str, Value] = {"voucher": template.name, "number": one.grant.amount, "day": last}
    return Notice(one.grant.member, f"granted:{one.key}", values, until=until)
