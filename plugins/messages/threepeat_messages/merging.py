"""Two members turn out to be the same person."""

from typing import Any

from threepeat.sdk import Context


def merge_members(ctx: Context[Any], source: int, target: int) -> None:
    """One inbox, one allowance, one ledger of permissions.

    A message that both had stays twice where both read it, and is not sent a second time where one waits. What
    either was sent counts against the caps; a consent that either took back is looked at again before sending.
    """
    binds = {"source": source, "target": target}
    ctx.sql("merge_double", **binds)
    ctx.sql("merge_messages", **binds)
    ctx.sql("merge_allowance", **binds)
    ctx.sql("merge_permissions", **binds)
    ctx.sql("merge_grants", **binds)
    ctx.sql("merge_refusals", **binds)
