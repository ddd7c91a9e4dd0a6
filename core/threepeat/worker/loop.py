"""A worker: claims tenants and serves them until it is told to stop."""

import contextlib
import secrets
import threading
import time
from datetime import datetime, timedelta

import structlog
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from threepeat.database.faults import fault_point
from threepeat.database.lost import is_lost
from threepeat.database.redact import brief
from threepeat.events.platform import Platform
from threepeat.tenancy import tenants
from threepeat.tenancy.tenants import Tenant
from threepeat.worker import claims, housekeeping
from threepeat.worker.calls import Caller
from threepeat.worker.careful import Careful
from threepeat.worker.claims import Claim
from threepeat.worker.pace import LEAST, Pace
from threepeat.worker.share import is_unlucky
from threepeat.worker.turn import Progress, Server
from threepeat.worker.watch import Watch

CONTENDED_SECONDS = 1.0

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
        ge=1,
        le=3600,
        description="After this long another worker may take a silent worker's tenant.",
    )
    idle_ms: int = Field(default=50, ge=1, le=10_000, description="Pause between looks when nobody waits.")
    deadline_seconds: float = Field(
        default=30, gt=0, le=3600, description="A call into a plugin that takes longer ends its worker process."
    )
    pause_after: int = Field(
        default=10, ge=1, le=1000, description="After so many dead letters in a row a plugin rests in that tenant."
    )
    calls: int = Field(
        default=8, ge=0, le=100, description="Calls to the outside that one worker makes at a time."
    )


class Worker:
    """Serves tenants in this process.

    Args:
        platform: What to serve.
        config: From the environment by default.
        watch: Is told whenever plugin code runs.
        name: Tells this worker from others; its successor of the same name takes over what it held.
    """

    def __init__(
        self,
        platform: Platform,
        config: WorkerConfig | None = None,
        watch: Watch | None = None,
        name: str | None = None,
    ) -> None:
        self._platform = platform
        self._config = config or WorkerConfig()
        self._name = name or secrets.token_hex(8)
        self._stop = threading.Event()
        caller = Caller(platform, slots=self._config.calls, deadline=self._config.deadline_seconds)
        self._caller = caller
        self._server = Server(platform, watch or Watch(), caller, self._config.pause_after)
        self._held: list[Claim] = []
        self._pace = Pace(self._config.batch, self._config.slice_ms)
        self._contended_at = float("-inf")

    def stop(self) -> None:
        """Finish the turn at hand and return from `run`."""
        self._stop.set()

    def run(self) -> None:
        """Serve until `stop` is called; database faults are waited out.

        Raises:
            StuckError: A call to the outside hangs: the process has to end.
        """
        pause = self._config.idle_ms / 1000
        recovered = False
        while not self._stop.is_set():
            self._caller.check()
            try:
                if not recovered:
                    self._recover()
                    recovered = True
                self._give_back()
                worked = self.take_turn() is not None
            except (DBAPIError, PoolTimeoutError) as error:
                logger.warning("database fault, will try again", error=brief(error))
                self._stop.wait(0.2 if is_lost(error) else pause)
            except Exception as error:  # noqa: BLE001 - one tenant's turn must not end the service of the others
                logger.error("turn failed", error=brief(error))
                self._stop.wait(pause)
            else:
                if not worked:
                    self._stop.wait(pause)
        self._caller.finish()

    def drain(self) -> int:
        """Serve until nobody waits.

        Returns:
            How many events were passed.
        """
        total = 0
        while (passed := self.take_turn()) is not None:
            total += passed
        return total

    def settle(self) -> int:
        """Serve until nobody waits and every call to the outside that could begin has ended.

        Returns:
            How many events were passed.

        Raises:
            StuckError: A call to the outside takes longer than the deadline.
        """
        total = self.drain()
        while self._caller.wait():
            total += self.drain()
        return total

    def take_turn(self) -> int | None:
        """Serve one tenant for one time slice.

        Returns:
            How many events were passed, or None if nobody waits.
        """
        database = self._platform.database
        with database.directory() as connection:
            claim = claims.claim(connection, timedelta(seconds=self._config.lease_seconds), self._name)
            tenant = tenants.by_id(connection, claim.tenant_id) if claim is not None else None
        if claim is None or tenant is None:
            return None
        fault_point("turn.claimed")
        self._held.append(claim)
        if claim.contended:
            self._contended_at = time.monotonic()
        passed = self._serve(claim, tenant)
        fault_point("turn.released")
        return passed

    def _serve(self, claim: Claim, tenant: Tenant) -> int:
        suspect = claim.attempts > 1 or claim.careful_until is not None
        careful = Careful(self._platform.database, tenant) if suspect else None
        passed, progress = 0, Progress(0, more=True)
        began = time.monotonic()
        try:
            while progress.more and (time.monotonic() - began) * 1000 < self._config.slice_ms:
                progress = self._serve_once(tenant, careful)
                passed += progress.events
                housekeeping.carry_out(self._platform, tenant, progress.duties, self._server.watch)
        except Exception as error:
            if careful and is_lost(error):
                with contextlib.suppress(DBAPIError, PoolTimeoutError):
                    careful.excuse()
            # What the database does to us is not the turn's fault; whatever else ends it counts.
            clean = is_lost(error) or is_unlucky(error)
            self._release(claim, more=True, clean=clean, careful_until=claim.careful_until)
            raise
        until = claim.careful_until or (progress.position + self._config.batch if careful else None)
        if until is not None and (progress.position >= until or not progress.more):
            until = None
        self._release(claim, more=progress.more, due=_wall(progress.due, tenant), careful_until=until)
        return passed

    def _serve_once(self, tenant: Tenant, careful: Careful | None) -> Progress:
        others_wait = time.monotonic() - self._contended_at < CONTENDED_SECONDS
        most = self._pace.fits(tenant.id) if others_wait else self._config.batch
        if careful:
            most = min(most, LEAST)
        began = time.monotonic()
        progress = self._server.serve(tenant, most=most, careful=careful)
        self._caller.begin(progress.calls)
        if progress.events:
            self._pace.took(tenant.id, progress.events, (time.monotonic() - began) * 1000)
        return progress

    def _release(
        self,
        claim: Claim,
        *,
        more: bool,
        due: datetime | None = None,
        clean: bool = True,
        careful_until: int | None,
    ) -> None:
        """Give a tenant back; what cannot be given back now is given back when the database answers again."""
        with contextlib.suppress(DBAPIError, PoolTimeoutError):
            with self._platform.database.directory() as connection:
                claims.release(connection, claim, more=more, due=due, clean=clean, careful_until=careful_until)
            self._held.remove(claim)

    def _give_back(self) -> None:
        while self._held:
            claim = self._held[0]
            with self._platform.database.directory() as connection:
                claims.release(connection, claim, more=True, careful_until=claim.careful_until)
            self._held.remove(claim)

    def _recover(self) -> None:
        """Give back what a predecessor held, and announce whoever waits unannounced, as after a quarantine."""
        with self._platform.database.directory() as connection:
            claims.recover(connection, self._name)
        with self._platform.database.ops.begin() as ops:
            claims.announce_waiting(ops)


def _wall(due: datetime | None, tenant: Tenant) -> datetime | None:
    return due - tenant.clock_offset if due is not None else None
