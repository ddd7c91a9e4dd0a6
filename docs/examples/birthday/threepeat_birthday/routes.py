"""What members ask of it."""

from datetime import date, timedelta

from pydantic import BaseModel, Field, model_validator

from threepeat.sdk import Context, Refused, _
from threepeat_birthday.settings import BirthdaySettings

Ctx = Context[BirthdaySettings]

ONCE_IN = timedelta(days=365)
LEAP_YEAR = 2024


class Birthday(BaseModel):
    """A day of the year."""

    month: int = Field(ge=1, le=12, title=_("Month"))
    day: int = Field(ge=1, le=31, title=_("Day"))

    @model_validator(mode="after")
    def _exists(self) -> "Birthday":
        try:
            date(LEAP_YEAR, self.month, self.day)
        except ValueError:
            raise ValueError(f"month {self.month} has no day {self.day}") from None
        return self


class Mine(BaseModel):
    """What is known of a member's birthday."""

    birthday: Birthday | None = Field(title=_("Birthday"), description="Null until the member has told it.")


def mine(ctx: Ctx) -> Mine:
    """The member's birthday."""
    rows = ctx.sql("mine", member=ctx.member)
    return Mine(birthday=Birthday(month=rows[0].month, day=rows[0].day) if rows else None)


def tell(ctx: Ctx, birthday: Birthday) -> Mine:
    """Let a member tell their birthday, and correct it once a year."""
    today = ctx.now.astimezone(ctx.tenant.timezone).date()
    told = ctx.sql(
        "tell", member=ctx.member, month=birthday.month, day=birthday.day, today=today, before=today - ONCE_IN
    )
    if not told:
        raise Refused(_("A birthday can be changed once a year."), code="too-soon")
    return Mine(birthday=birthday)
