"""What a merchant can set, as a pydantic model that forms, storage and plugins share."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, SecretStr

__all__ = ["PluginSettings", "SecretStr"]


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
