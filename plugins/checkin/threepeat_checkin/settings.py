"""What a merchant sets about check-ins."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from threepeat.sdk import PluginSettings, RewardChoice, Store, _, shown

MAX_STEPS = 10
REWARDS, MAKE_UPS = _("Rewards"), _("Make-up days")
EXAMPLES = (1, 7, 30)
"""Days in a row that the form works out."""


class Step(BaseModel):
    """A step of the ladder: so many days in a row bring a reward."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: int = Field(
        ge=2, le=366, title=_("Days in a row"), description=_("The day of the streak that brings the reward.")
    )
    reward: RewardChoice = Field(title=_("Reward"), description=_("What the member gets on that day."))


def _points(days: int, amount: int) -> Step:
    return Step(days=days, reward=RewardChoice(kind="points", amount=amount))


class CheckinSettings(PluginSettings):
    """What check-ins bring, and how missed days can be made up for."""

    daily: RewardChoice | None = Field(
        default=RewardChoice(kind="points", amount=5),
        title=_("Each day"),
        description=_(
            "What a check-in brings. Leave it empty if only streaks are to bring something. Rewards come out of"
            " this tactic's monthly budget; when that is used up, the day still counts."
        ),
        json_schema_extra=shown(group=REWARDS),
    )
    ladder: tuple[Step, ...] = Field(
        default=(_points(3, 10), _points(7, 50), _points(30, 200)),
        max_length=MAX_STEPS,
        title=_("Ladder for days in a row"),
        description=_("Up to ten steps. A missed day starts a new streak."),
        json_schema_extra=shown(group=REWARDS),
    )
    on_a_step: Literal["add", "replace"] = Field(
        default="add",
        title=_("On the day of a step"),
        description=_("How the step's reward and the day's own go together."),
        json_schema_extra=shown(
            group=REWARDS, choices={"add": _("Both are given"), "replace": _("Only the step's reward is given")}
        ),
    )
    after_the_last_step: Literal["repeat", "stop"] = Field(
        default="repeat",
        title=_("After the last step"),
        description=_("What a streak that goes on brings."),
        json_schema_extra=shown(
            group=REWARDS,
            choices={"repeat": _("The ladder begins again"), "stop": _("Each step comes once in a streak")},
        ),
    )
    make_ups_per_month: int = Field(
        default=0,
        ge=0,
        le=31,
        title=_("Make-up days in a month"),
        description=_(
            "How many missed days a member may make up for in a calendar month; 0 switches it off. A made-up day"
            " mends the streak and may reach a step; it does not bring the day's own reward."
        ),
        json_schema_extra=shown(group=MAKE_UPS, unit="times"),
    )
    make_up_days: int = Field(
        default=7,
        ge=1,
        le=31,
        title=_("How far back"),
        description=_("Only days that are at most so long ago can be made up for."),
        json_schema_extra=shown(group=MAKE_UPS, unit="days"),
    )
    make_up_price: RewardChoice | None = Field(
        default=RewardChoice(kind="points", amount=20),
        title=_("What a make-up day costs the member"),
        description=_("Leave it empty if it is to be free."),
        json_schema_extra=shown(group=MAKE_UPS),
    )

    @field_validator("ladder")
    @classmethod
    def _climbing(cls, ladder: tuple[Step, ...]) -> tuple[Step, ...]:
        days = [step.days for step in ladder]
        twice = [day for day, times in Counter(days).items() if times > 1]
        if twice:
            raise PydanticCustomError("ladder", _("two steps are for {days} days in a row"), {"days": twice[0]})
        return tuple(sorted(ladder, key=lambda step: step.days))

    def worked(self, store: Store) -> Iterable[str]:
        """What whole streaks bring."""
        del store
        for days in EXAMPLES:
            for kind, amount in sorted(self._brought(days).items()):
                if days == 1:
                    yield _("One check-in brings {amount} {kind}.", amount=amount, kind=kind)
                else:
                    yield _("{days} days in a row bring {amount} {kind}.", days=days, amount=amount, kind=kind)

    def _brought(self, streak: int) -> Counter[str]:
        """What the first days of a streak bring, by kind."""
        brought: Counter[str] = Counter()
        for day in range(1, streak + 1):
            steps = [step.reward for step in self.ladder if self.due(step, day) > self.due(step, day - 1)]
            if self.daily is not None and not (steps and self.on_a_step == "replace"):
                steps.append(self.daily)
            for reward in steps:
                brought[reward.kind] += reward.amount
        return brought

    def due(self, step: Step, streak: int) -> int:
        """How many times a streak has come to a step."""
        if streak < step.days:
            return 0
        if self.after_the_last_step == "stop":
            return 1
        return 1 + (streak - step.days) // self.ladder[-1].days
