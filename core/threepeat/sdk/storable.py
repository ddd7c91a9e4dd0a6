"""Which values a database and JSON take."""

import math
import re

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""What no text may hold: NUL and half a surrogate pair."""

INT64 = range(-(2**63), 2**63)


def storable(text: str) -> bool:
    """Whether a text can be stored."""
    return UNSTORABLE.search(text) is None


def fault(value: object) -> str:
    """Why a text or a number cannot be stored, as the end of a sentence; empty if it can."""
    if isinstance(value, str):
        if found := UNSTORABLE.search(value):
            return "holds a NUL character" if found[0] == "\0" else "holds half a surrogate pair"
    elif isinstance(value, float):
        return "" if math.isfinite(value) else "is not a finite number"
    elif isinstance(value, int):
        return "" if value in INT64 else "is a whole number beyond 64 bits"
    return ""
