"""Two members who check in and are one person."""

from threepeat.sdk import Context
from threepeat_checkin.settings import CheckinSettings


def merge_members(ctx: Context[CheckinSettings], source: int, target: int) -> None:
    """Unite the days, and with them the streaks; what either got stays, and is not given again."""
    ctx.sql("merge", source=source, target=target)
    ctx.sql("merge_make_ups", target=target)
