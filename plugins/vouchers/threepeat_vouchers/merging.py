"""Two members with vouchers who are one person."""

from threepeat_vouchers.templates import Ctx


def merge_members(ctx: Ctx, source: int, target: int) -> None:
    """Unite the wallets; what both took counts toward the limits."""
    ctx.sql("merge", source=source, target=target)
