"""The worker process: claims tenants and serves them until it is told to stop."""

import threading
import time
from datetime import timedelta

import structlog
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from threepeat.events.platform import Platform
from threepeat.tenancy import tenants
from threepeat.worker import claims
from threepeat.worker.turn import serve

logger = structlog.get_logger(__name__)


class WorkerConfig(BaseSettings):
    """Read from the environment, each name prefixed with `THREEPEAT_WORKER_`."""

    model_config = SettingsConfigDict(env_prefix="THREEPEAT_WORKER_")

    batch: int = Field(default=1000, ge=1, le=10_000, description="Most events that one turn takes.")
    slice_ms: int = Field(
        default=50,
        ge=1,
        le=10_000,
        description="A turn that has taken this long gives way to the next tenant.",
    )
    lease_seconds: int = Field(
        default=60,
        ge=5,
        le=3600,
        description="After this long another worker may take a silent worker's tenant.",
    )
    idle_ms: int = Field(default=50, ge=1, le=10_000, description="Pause between looks when nobody waits.")


class Worker:
    """Serves tenants in this process.

    Args:
        platform: What to serve.
        config: From the environment by default.
    """

    def __init__(self, platform: Platform, config: WorkerConfig | None = None) -> None:
        self._platform = platform
        self._config = config or WorkerConfig()
        self._stop = threading.Event()

    def stop(self) -> None:
        """Finish the turn at hand and return from `run`."""
        self._stop.set()

    def run(self) -> None:
        """Serve until `stop` is called; database faults are waited out."""
        pause = self._config.idle_ms / 1000
        while not self._stop.is_set():
            try:
                worked = self.take_turn()
            except (DBAPIError, PoolTimeoutError) as error:
                logger.warning("database fault, will try again", error=str(error).splitlines()[0])
                self._stop.wait(0.5)
            else:
                if not worked:
                    self._stop.wait(pause)

    def drain(self) -> int:
        """Serve until nobody waits.

        Returns:
            How many events were passed.
        """
        total = 0
        while (passed := self.take_turn()) is not None:
            total += passed
        return total

    def take_turn(self) -> int | None:
        """Serve one tenant for one time slice.

        Returns:
            How many events were passed, or None if nobody waits.
        """
        database = self._platform.database
        with database.directory() as connection:
            tenant_id = claims.claim(connection, timedelta(seconds=self._config.lease_seconds))
            tenant = tenants.by_id(connection, tenant_id) if tenant_id is not None else None
        if tenant is None:
            return None
        passed, more = 0, True
        until = time.monotonic() + self._config.slice_ms / 1000
        try:
            while more and time.monotonic() < until:
                progress = serve(self._platform, tenant, most=self._config.batch)
                passed, more = passed + progress.events, progress.more
        finally:
            with database.directory() as connection:
                claims.release(connection, tenant.id, more=more)
        return passed
