"""A tactic whose settings have a secret, which no tactic of ours has yet. It does nothing."""

from pydantic import Field, SecretStr

from threepeat.sdk import Manifest, Plugin, PluginSettings, _, shown


class CourierSettings(PluginSettings):
    """Where parcels are tracked."""

    token: SecretStr | None = Field(default=None, max_length=200, title=_("Access token"))
    parcels: int = Field(
        default=3, ge=1, le=50, title=_("Parcels at a time"), json_schema_extra=shown(unit="times")
    )


class Courier(Plugin[CourierSettings]):
    """Says where a parcel is."""

    manifest = Manifest(
        id="courier", kind="tactic", title=_("Parcel news"), summary=_("Members see where their parcel is.")
    )
    settings_model = CourierSettings


plugin = Courier()
