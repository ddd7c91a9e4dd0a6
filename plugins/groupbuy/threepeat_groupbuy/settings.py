"""What a merchant sets about group buys as a whole; everything else stands on the campaigns."""

from typing import Literal

from pydantic import Field

from threepeat.sdk import PluginSettings, _, shown

Beside = Literal["member", "voucher", "delivery", "other"]


class GroupbuySettings(PluginSettings):
    """What a group price stands beside, and who may leave a group."""

    beside: tuple[Beside, ...] = Field(
        default=(),
        title=_("The group price counts beside"),
        description=_("With nothing ticked a group price is the whole reduction, as members expect."),
        json_schema_extra=shown(
            choices={
                "member": _("Member prices"),
                "voucher": _("Vouchers"),
                "delivery": _("Vouchers for free delivery"),
                "other": _("Everything else, such as points"),
            }
        ),
    )
    members_may_leave: bool = Field(
        default=False,
        title=_("Members may leave an open group"),
        description=_(
            "With one tap, and the order is refunded. Whoever paid too late for a group and was put into another"
            " one may always do so. After a group has succeeded nobody leaves it; returns are the shop's."
        ),
    )

    @property
    def stacks_with(self) -> tuple[str, ...]:
        """The groups of reductions beside which a group price stands; empty for those without a group."""
        return tuple("" if one == "other" else one for one in self.beside)
