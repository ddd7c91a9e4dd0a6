"""What an operator may set about the HTTP API."""

from functools import cached_property
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from threepeat.database.engine import Timeouts


class HttpConfig(BaseSettings):
    """Read from the environment, each name prefixed with `THREEPEAT_HTTP_`. Limits count in one process."""

    model_config = SettingsConfigDict(env_prefix="THREEPEAT_HTTP_")

    max_body: int = Field(
        default=8 * 1024 * 1024,
        ge=1024,
        description="Largest body of events in bytes; beyond it the answer is 413.",
    )
    max_call_body: int = Field(
        default=1024 * 1024, ge=1024, description="Largest body of any other request in bytes."
    )
    max_bodies: int = Field(
        default=128 * 1024 * 1024,
        ge=1024,
        description="Bytes of bodies held in memory at a time; one store may hold a quarter of them.",
    )
    body_seconds: float = Field(
        default=20, gt=0, le=3600, description="A body has to be there after this many seconds, or it is 408."
    )

    key_requests: int = Field(default=1000, ge=0, description="Requests per second with one API key; 0: no limit.")
    member_requests: int = Field(
        default=100, ge=0, description="Requests per second with one member token; 0: no limit."
    )
    tenant_requests: int = Field(default=2000, ge=0, description="Requests per second of one store; 0: no limit.")
    key_events: int = Field(default=20_000, ge=0, description="Events per second with one API key; 0: no limit.")
    member_events: int = Field(
        default=100, ge=0, description="Events per second with one member token; 0: no limit."
    )
    tenant_events: int = Field(default=20_000, ge=0, description="Events per second of one store; 0: no limit.")

    page_requests: int = Field(
        default=50, ge=0, description="Requests per second for pages from one network address; 0: no limit."
    )

    tenant_calls: int = Field(
        default=6, ge=1, description="Requests of one store, without those with events, that run at a time."
    )
    plugin_calls: int = Field(default=4, ge=1, description="Requests to one plugin's routes that run at a time.")
    ingest_pool: int = Field(
        default=8,
        ge=1,
        le=100,
        description="Connections that ingest may hold, and requests with events that run at a time.",
    )
    tenant_ingest: int = Field(
        default=4, ge=1, description="Requests with events of one store that run at a time."
    )
    queue: int = Field(default=100, ge=0, description="Requests of one store that may wait for their turn.")
    wait_ms: int = Field(
        default=1000, ge=0, le=60_000, description="How long a request waits for its turn before it is refused."
    )

    hsts_seconds: int = Field(
        default=365 * 24 * 3600,
        ge=0,
        description="For so long browsers come by https only, to hosts below ours, too; 0: the proxy says so.",
    )

    statement_ms: int = Field(
        default=5000, ge=0, description="Longest statement of a request in the database; 0: no limit."
    )
    lock_ms: int = Field(
        default=3000, ge=0, description="Longest wait of a request for a lock in the database; 0: no limit."
    )
    idle_ms: int = Field(
        default=10_000,
        ge=0,
        description="A request that leaves its transaction idle for this long loses it; 0: no limit.",
    )

    @model_validator(mode="after")
    def _room_for_the_largest(self) -> Self:
        if self.max_bodies < 4 * max(self.max_body, self.max_call_body):
            raise ValueError("max_bodies has to be four times the largest body, or a store could never send one")
        return self

    @cached_property
    def timeouts(self) -> Timeouts:
        """How long a request's transaction may take over one step."""
        return Timeouts(self.statement_ms, self.lock_ms, self.idle_ms)
