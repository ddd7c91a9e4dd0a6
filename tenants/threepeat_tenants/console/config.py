"""What an operator may set about the consoles."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ConsoleConfig(BaseSettings):
    """Read from the environment, each name prefixed with `THREEPEAT_CONSOLE_`."""

    model_config = SettingsConfigDict(env_prefix="THREEPEAT_CONSOLE_")

    secure_cookies: bool = Field(
        default=True,
        description="Cookies go over https only, or to this machine. Off: plain http elsewhere, to try it.",
    )
    public_url: str = Field(
        default="",
        description="Where people reach the consoles, such as https://console.example.com; empty: where they ask.",
    )

    @model_validator(mode="after")
    def _whole_address(self) -> Self:
        parts = urlsplit(self.public_url)
        if self.public_url and (
            parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/")
        ):
            raise ValueError("public_url has to be https://host or http://host:port, without a path")
        self.public_url = self.public_url.rstrip("/")
        return self
