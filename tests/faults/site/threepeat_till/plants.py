"""The mistakes that the storm must find: each replaces one correct step by its usual wrong form."""

import asyncio
from typing import Any


def plant(name: str) -> None:
    """Plant one of them into this process."""
    if name == "acknowledge-before-commit":
        _acknowledge_before_commit()
    elif name == "position-on-its-own":
        _position_on_its_own()
    elif name != "read-then-write":
        raise ValueError(f"there is no plant {name!r}")


def _acknowledge_before_commit() -> None:
    """Ingest answers at once and writes a moment later."""
    import psycopg

    from threepeat.events.incoming import Verdict
    from threepeat.events.ingest import Appended
    from threepeat.http import ingest

    append = ingest.append
    running: set[Any] = set()

    async def hasty(connection: Any, keyring: Any, tenant_id: int, items: Any, *more: Any) -> Appended:
        dsn = f"{connection.info.dsn} password={connection.info.password}"

        async def later() -> None:
            await asyncio.sleep(0.3)
            async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as own:
                await append(own, keyring, tenant_id, items, *more)

        if any(item.verdict is Verdict.ACCEPTED for item in items):
            task = asyncio.ensure_future(later())
            running.add(task)
            task.add_done_callback(running.discard)
        return Appended(items)

    ingest.append = hasty


def _position_on_its_own() -> None:
    """A turn commits its effects, and only then, in a transaction of its own, how far it came."""
    from sqlalchemy import text

    from threepeat.worker import turn

    serve, stand = turn.Server.serve, turn._Turn._stand
    stay = text(turn.STAND.text.replace("position = greatest(position, :position)", "position = position"))
    nothing = text(turn.ADVANCE.text.replace("position = :until", "position = position"))
    late: list[tuple[str, int]] = []

    def noted(self: Any, share: Any, position: int) -> None:
        late.append((share.plugin.id, position))
        stand(self, share, position)

    def in_two(self: Any, tenant: Any, **given: Any) -> Any:
        late.clear()
        progress = serve(self, tenant, **given)
        with self.platform.database.tenant(tenant.id) as scope:
            for plugin, position in late:
                scope.run(
                    text(
                        "UPDATE core.cursor SET position = greatest(position, :position)"
                        " WHERE tenant_id = :tenant AND plugin = :plugin"
                    ),
                    plugin=plugin,
                    position=position,
                )
            if progress.position:
                idle = "UPDATE core.cursor SET position = greatest(position, :to) WHERE tenant_id = :tenant"
                scope.run(text(idle), to=progress.position)
        return progress

    turn.STAND, turn.ADVANCE = stay, nothing
    turn._Turn._stand = noted
    turn.Server.serve = in_two
