"""The comparison group: a keyed hash keeps some members out of a tactic, for good and for a reason.

A member is held out of a tactic when the first four bytes of SHA-256(key ‖ member), read as an
unsigned big-endian number, are below percent/100 of 2³². The key is random per (tenant, tactic), the
member is an eight-byte big-endian number: the member's id at first resolution. `core.held_out` is the
same in SQL. A higher percentage only adds members to the group.
"""

from hashlib import sha256

DEFAULT_PERCENT = 10
MAX_PERCENT = 50


def held_out(key: bytes, percent: int, unit: int) -> bool:
    """Whether a member is in a tactic's comparison group.

    Args:
        key: The tactic's random key in this tenant.
        percent: Size of the group, 0 to 50.
        unit: The member's `holdout_unit`.
    """
    draw = int.from_bytes(sha256(key + unit.to_bytes(8, "big", signed=True)).digest()[:4], "big")
    return draw * 100 < percent << 32
