"""What a merchant can set, as a pydantic model that forms, storage and plugins share."""

import json
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, SecretStr

if TYPE_CHECKING:
    from threepeat.sdk.context import Store

__all__ = ["EVENT_TYPES", "PluginSettings", "SecretStr", "shown"]

EVENT_TYPES = "core.events"
"""For `shown(items=…)`: every type of event that the installation knows."""

FieldUnit = Literal["", "money", "percent", "days", "hours", "minutes", "points", "times", "factor"]


def shown(
    *,
    group: str = "",
    unit: FieldUnit = "",
    long: bool = False,
    choices: Mapping[Any, str] | None = None,
    placeholder: str = "",
    items: str = "",
    programs: bool = False,
) -> dict[str, Any]:
    """Say how a form or the preview of an answer shows a field: `Field(…, json_schema_extra=shown(unit="days"))`.

    Args:
        group: The heading under which it stands; fields of one group stand together, in the model's order.
        unit: What the number is in. `money` is minor units of the store's currency, which the form shows and
            takes in whole units.
        long: A text of several lines.
        choices: What each value of an `Enum` or a `Literal` is called: `{Kind.DAILY: _("Every day")}`. A value
            that is not named is called by itself.
        placeholder: What stands in an empty field, as an example.
        items: What the text, or each of a list of texts, is chosen from: a kind of reward of which a store has
            several, by their ids; `plugin/collection` of the plugin's own, by the ids of its items; or
            `EVENT_TYPES`, which in a collection is checked, too.
        programs: In an answer: for programs only, such as a signature; people are not shown it.
    """
    titles = {choice_key(value): title for value, title in (choices or {}).items()}
    hints = {"group": group, "unit": unit, "long": long, "choices": titles, "placeholder": placeholder}
    seldom = {"items": items, "programs": programs}
    return {"threepeat": hints | {name: value for name, value in seldom.items() if value}}


def choice_key(value: object) -> str:
    """How a value of an `Enum` or a `Literal` is written as a key: a text as it is, anything else as JSON."""
    plain = value.value if isinstance(value, Enum) else value
    return plain if isinstance(plain, str) else json.dumps(plain)


class PluginSettings(BaseModel):
    """Base of every `settings_model`.

    Every field needs a default, so that a tactic can be switched on before its form was opened.
    Fields of type `SecretStr` are sealed before they are stored and never shown again.

    Attributes:
        version: Raise it when stored values need `upgrade` to stay readable.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    version: ClassVar[int] = 1

    @classmethod
    def upgrade(cls, values: dict[str, object], version: int) -> dict[str, object]:
        """Turn values stored under an older `version` into values of this model."""
        del version
        return values

    def worked(self, store: "Store") -> Iterable[str]:
        """What these settings come to, as examples: `_("An order of {total} earns {n} points", …)`.

        The form shows them below the fields, for what is stored and for what was just filled in.
        """
        del store
        return ()
