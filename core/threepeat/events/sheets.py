"""Files for spreadsheets: CSV that none of them takes for a formula, with a mark that says it is UTF-8."""

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

ENCODING = "utf-8-sig"
"""With the mark in front, spreadsheets read Chinese as it was written."""

# Spreadsheets run the full-width ones too.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(value: Any, *, harmless: bool) -> str:
    """A value as a CSV cell; what a spreadsheet would run as a formula is shown as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    nested = isinstance(value, dict | list)
    shown = json.dumps(value, ensure_ascii=False, default=float) if nested else str(value)
    return f"'{shown}" if not harmless and shown.startswith(FORMULA) else shown


def sheet(lines: Iterable[Iterable[int | str]]) -> bytes:
    """A file of lines."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows([cell(one, harmless=isinstance(one, int)) for one in line] for line in lines)
    return file.getvalue().encode(ENCODING)
