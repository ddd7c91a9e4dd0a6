"""A running Threepeat: database, plugins, keys and event catalogue, opened once per process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import TextClause

from threepeat.database import checks, migrate, sqlfiles
from threepeat.database.config import DatabaseConfig, connect
from threepeat.database.engine import Database, Scope
from threepeat.database.sealed import sealed
from threepeat.events.context import Cause
from threepeat.events.incoming import Catalogue
from threepeat.events.opened import OpenTenant
from threepeat.plugins import Installed, Registry
from threepeat.sdk.errors import PluginError
from threepeat.tenancy import settings, switches
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.keyring import Keyring
from threepeat.tenancy.switches import Activation
from threepeat.tenancy.tenants import Tenant

logger = structlog.get_logger(__name__)


class KeyConfig(BaseSettings):
    """Read from the environment, each name prefixed with `THREEPEAT_`."""

    model_config = SettingsConfigDict(env_prefix="THREEPEAT_")

    keys: str | None = Field(
        default=None,
        description="Secret keys as `id:base64` lines, newest first. Without it they are read from keys_file.",
    )
    keys_file: Path | None = Field(
        default=None, description="File of the secret keys; made on first use. Default: {data}/keys."
    )


@dataclass(frozen=True)
class Platform:
    """What every command, server and worker stands on; as a context manager it closes its pools at the end.

    Attributes:
        erasures: The list of erasures beside the database, for a restore.
    """

    database: Database
    registry: Registry
    keyring: Keyring
    statements: Mapping[str, Mapping[str, TextClause]]
    erasures: Path
    catalogue: Catalogue = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "catalogue", Catalogue(self.registry.events()))

    @classmethod
    def open(
        cls,
        config: DatabaseConfig | None = None,
        *,
        registry: Registry | None = None,
        keys: KeyConfig | None = None,
        upgrade: bool = False,
    ) -> "Platform":
        """Connect, check that it is safe to serve, and freeze the plugins.

        Args:
            config: Where the database is; from the environment by default.
            registry: The plugins; the installed ones by default.
            keys: Where the secret keys are; from the environment by default.
            upgrade: Bring the schemas up to date first.

        Raises:
            BootError: It is not safe to serve; the message says what to change.
        """
        config = config or DatabaseConfig()
        keys = keys or KeyConfig()
        registry = registry or Registry.discover()
        keyring = Keyring.read(keys.keys_file or config.data / "keys", keys.keys)
        database = Database(connect(config), pool_size=config.pool_size)
        try:
            failed: dict[str, str] = {}
            if upgrade or config.embedded:
                _, failed = migrate.upgrade_all(database.owner, database.urls.roles, sources(registry))
            merging = {plugin.id for plugin in registry if plugin.overrides("merge_members")}
            reasons = checks.check(database, sources(registry), away=registry.quarantined, merging=merging)
            registry = registry.quarantine({**reasons, **failed})
        except BaseException:
            database.dispose()
            raise
        if not config.embedded and keys.keys is None and keys.keys_file is None:
            logger.warning(
                "the secret keys are in a folder of this machine; others need the same", folder=config.data
            )
        statements, broken = _statements(registry)
        erasures = config.erasures or config.data / "erasures.jsonl"
        return cls(database, registry.quarantine(broken), keyring, statements, erasures)

    def __enter__(self) -> "Platform":
        return self

    def __exit__(self, *_: object) -> None:
        self.database.dispose()

    def inside(self, scope: Scope, tenant: Tenant) -> OpenTenant:
        """A tenant in its open transaction, from which contexts come."""
        return OpenTenant(self, scope, tenant)

    def act(self, scope: Scope, tenant: Tenant, plugin: Installed, hook: str) -> Any:
        """Call an acting hook that takes a context only."""
        opened = self.inside(scope, tenant)
        cause = Cause(f"{hook}:{opened.activations[plugin.id].revision}:{scope.now.isoformat()}")
        context = opened.context(plugin, cause=cause)
        with sealed(scope.connection):
            answer = getattr(plugin.plugin, hook)(context)
            answer = list(answer) if answer is not None else []
        context.finish()
        return answer

    def settings(self, tenant: Tenant, plugin: Installed, activation: Activation) -> Any:
        """A plugin's settings in a tenant, secrets opened."""
        return settings.load(
            plugin.plugin.settings_model,
            activation.settings,
            activation.settings_version,
            self.keyring,
            switches.settings_place(tenant.id, plugin.id),
        )

    def visible_settings(
        self, tenant: Tenant, plugin_id: str, activation: Activation | None
    ) -> tuple[dict[str, Any], dict[str, bool]]:
        """What may be shown of a plugin's settings: values without secrets, and which secrets are set.

        Raises:
            NotFound: No such plugin is installed.
        """
        if plugin_id not in self.registry:
            raise NotFound(f"there is no plugin {plugin_id!r}")
        model = self.registry[plugin_id].plugin.settings_model
        if activation is None:
            return settings.visible(model, {})
        place = switches.settings_place(tenant.id, plugin_id)
        version = activation.settings_version
        return settings.visible(model, settings.renewed(model, activation.settings, version, self.keyring, place))


def sources(registry: Registry) -> list[migrate.Source]:
    """Where the plugins' migrations are, in serving order."""
    return [migrate.Source.of_package(plugin.id, plugin.package) for plugin in registry]


def _statements(registry: Registry) -> tuple[dict[str, Mapping[str, TextClause]], dict[str, str]]:
    found: dict[str, Mapping[str, TextClause]] = {}
    broken: dict[str, str] = {}
    for plugin in registry:
        try:
            found[plugin.id] = sqlfiles.load(plugin.package / "sql")
        except PluginError as error:
            broken[plugin.id] = str(error)
    return found, broken
