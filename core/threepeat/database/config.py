"""Where the database is and who connects to it."""

import contextlib
import json
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psycopg
from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL, make_url

from threepeat.database.embedded import EmbeddedServer
from threepeat.database.roles import Passwords, bootstrap
from threepeat.sdk.migrations import Roles

DATABASE = "threepeat"


class DatabaseConfig(BaseSettings):
    """Read from the environment, each name prefixed with `THREEPEAT_`."""

    model_config = SettingsConfigDict(env_prefix="THREEPEAT_")

    data: Path = Field(
        default=Path(".threepeat"),
        description="Folder of the embedded PostgreSQL and of the generated keys.",
    )
    app_url: str | None = Field(
        default=None,
        description="PostgreSQL URL of the app role. Without any URL the embedded server is used.",
    )
    owner_url: str | None = Field(default=None, description="PostgreSQL URL of the owner role (migrations).")
    ops_url: str | None = Field(
        default=None, description="PostgreSQL URL of the ops role (operator work, erasure, backup)."
    )
    app_pooled: bool = Field(
        default=False,
        description="Whether THREEPEAT_APP_URL leads through a pooler in transaction mode, such as PgBouncer. "
        "The other two URLs must name the server itself.",
    )
    role_prefix: str = Field(
        default="threepeat",
        pattern="^[a-z][a-z0-9_]{0,40}$",
        description="The roles are {prefix}_app, {prefix}_owner and {prefix}_ops.",
    )
    erasures: Path | None = Field(
        default=None,
        description="File that lists erasures for a restore; keep it apart from the database's disk. "
        "Default: {data}/erasures.jsonl.",
    )
    pool_size: int = Field(default=10, ge=1, le=200, description="Connections that one process may hold.")
    wait_seconds: float = Field(
        default=60.0,
        ge=0.0,
        le=86_400.0,
        description="How long `threepeat serve` and `threepeat worker` wait at their start for a database that "
        "cannot be reached yet.",
    )

    @field_validator("app_url", "owner_url", "ops_url", "erasures", mode="before")
    @classmethod
    def _blank_is_unset(cls, value: object) -> object:
        return value or None

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        given = [url is not None for url in (self.app_url, self.owner_url, self.ops_url)]
        if any(given) and not all(given):
            raise ValueError("set all of THREEPEAT_APP_URL, THREEPEAT_OWNER_URL and THREEPEAT_OPS_URL, or none")
        return self

    @property
    def embedded(self) -> bool:
        """Whether Threepeat runs its own PostgreSQL."""
        return self.app_url is None


@dataclass(frozen=True, slots=True)
class Urls:
    """One URL per role, with SQLAlchemy's driver name.

    Attributes:
        app_pooled: Whether the app role's leads through a pooler in transaction mode.
    """

    app: URL
    owner: URL
    ops: URL
    roles: Roles
    app_pooled: bool = False

    def options(self, role: str, name: str) -> dict[str, Any]:
        """What the driver is told beside the URL of a role (`app`, `owner`, `ops`).

        Behind a pooler each transaction may be on another connection of the server, which knows none of the
        statements that were prepared on the one before.

        Args:
            role: Whose URL it is.
            name: What the connection is called on the server, after "threepeat-".
        """
        given: dict[str, Any] = {"application_name": f"threepeat-{name}"}
        return given | {"prepare_threshold": None} if role == "app" and self.app_pooled else given


def connect(config: DatabaseConfig) -> Urls:
    """Find the database; start the embedded server and make its roles if none is configured.

    Raises:
        EmbeddedError: The embedded server does not start; the message says what to do.
    """
    if config.app_url and config.owner_url and config.ops_url:
        return Urls(
            driver_url(config.app_url),
            driver_url(config.owner_url),
            driver_url(config.ops_url),
            Roles.prefixed(config.role_prefix),
            config.app_pooled,
        )
    server = EmbeddedServer(config.data)
    server.start()
    roles = Roles.prefixed(config.role_prefix)
    fresh = {role: secrets.token_urlsafe(24) for role in ("owner", "app", "ops")}
    passwords = Passwords(**json.loads(write_once(config.data / "roles.json", json.dumps(fresh))))
    if not _answers(server.url(roles.ops, passwords.ops, DATABASE)):
        bootstrap(server.admin_url, DATABASE, roles, passwords)
    return Urls(
        driver_url(server.url(roles.app, passwords.app, DATABASE)),
        driver_url(server.url(roles.owner, passwords.owner, DATABASE)),
        driver_url(server.url(roles.ops, passwords.ops, DATABASE)),
        roles,
    )


def driver_url(url: str) -> URL:
    """A PostgreSQL URL with SQLAlchemy's name for psycopg 3."""
    return make_url(url).set(drivername="postgresql+psycopg")


def write_once(file: Path, content: str) -> str:
    """Keep `content` in a file that only its owner may read, unless the file is there already.

    Of several processes that do so at once exactly one writes, and all get what it wrote.

    Returns:
        What the file holds.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=file.parent)
        with os.fdopen(handle, "w") as made:
            made.write(content)
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
        Path(draft).unlink()
    return file.read_text()


def _answers(url: str) -> bool:
    """Whether the roles and the database are there already."""
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
