"""What a merchant sets about deliveries."""

from datetime import timedelta

from pydantic import Field

from threepeat.sdk import PluginSettings, _, shown


class WebhooksSettings(PluginSettings):
    """How long deliveries can be looked up and sent again."""

    keep_days: int = Field(
        default=30,
        ge=7,
        le=90,
        title=_("Deliveries are kept for"),
        description=_("So long you can see what became of them and have them sent again."),
        json_schema_extra=shown(unit="days"),
    )

    @property
    def kept_for(self) -> timedelta:
        """How long deliveries are kept once they are over."""
        return timedelta(days=self.keep_days)
