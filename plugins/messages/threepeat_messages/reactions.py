"""Consents that are taken back, and one-time permissions that are given."""

from threepeat.sdk.events import ConsentChanged, PermissionGranted
from threepeat_messages.channels import CHANNELS, Ctx, purposes


def consent_changed(ctx: Ctx, events: list[ConsentChanged]) -> None:
    """Withdraw what waits for members who do not agree any more.

    The latest statement counts, not the one that comes in last: a refusal that arrives late stops nothing that the
    member has agreed to since.
    """
    refused = [one for one in events if not one.granted and one.purpose.partition(".")[0] == "marketing"]
    if not refused:
        return
    members = sorted({one.member for one in refused})
    ctx.sql(
        "refuse",
        members=[one.member for one in refused],
        purposes=[one.purpose for one in refused],
        times=[one.occurred_at for one in refused],
    )
    pairs = [
        (member, channel)
        for channel in CHANNELS
        for member in sorted(set(members) - ctx.consenting(members, purposes(channel)).keys())
    ]
    ctx.sql("withdraw", members=[one for one, _ in pairs], channels=[channel for _, channel in pairs])


def permitted(ctx: Ctx, events: list[PermissionGranted]) -> None:
    """Count what members allowed: one tap, one message."""
    ctx.sql(
        "permit",
        positions=[one.position for one in events],
        members=[one.member for one in events],
        templates=[one.template for one in events],
        numbers=[one.count for one in events],
    )
