"""Two members with boxes who are one person."""

from threepeat_blindbox.pools import Ctx


def merge_members(ctx: Ctx, source: int, target: int) -> None:
    """Unite what both have. Of two runs of misses in a series the longer one goes on, under its own name."""
    for statement in ("merge_buyers", "merge_spending", "merge_rest"):
        ctx.sql(statement, source=source, target=target)
