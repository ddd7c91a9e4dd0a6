"""The list of erasures beside the database: what a restore has to do again.

A file of JSON lines, only ever added to. A line names ids and keyed hashes, never a person. Several processes may
append at once: each line is one write, and is on the disk before the request is answered.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import orjson
from msgspec import Struct, ValidationError, convert, to_builtins


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the list.

    Attributes:
        kind: A member's erasure, or a whole tenant's removal.
        id: Of the erasure; lines with the same id are about the same one.
        tenant: Core's id of the tenant.
        slug: The tenant's short name: an id may come again after a restore, the two together do not.
        members: Core's ids of the member and of those that were merged into it.
        tombstones: Keyed hashes of the identities that led to it, in hexadecimal.
        at: When it was asked for, in ISO 8601.
        by: The role that asked.
        done: It was carried out when the line was written.
    """

    kind: Literal["member", "tenant"]
    id: str
    tenant: int
    slug: str
    at: str
    by: str
    members: tuple[int, ...] = ()
    tombstones: tuple[str, ...] = ()
    done: bool = False


def append(file: Path, entry: Entry) -> None:
    """Add a line and bring it to the disk.

    Raises:
        OSError: It cannot be written; nobody may be told that it was.
    """
    line = orjson.dumps(to_builtins(entry)) + b"\n"
    fresh = not file.exists()
    if fresh:
        file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(handle).st_size
        # A line that was torn off by a full disk or a crash must not swallow this one.
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        line = b"\n" + line if torn else line
        if os.write(handle, line) != len(line):
            raise OSError(f"the disk of {file} is full")
        os.fsync(handle)
    finally:
        os.close(handle)
    if fresh:
        _sync_folder(file.parent)


def read(lines: Iterable[str]) -> list[Entry]:
    """The erasures of a list, each once, in the order in which they were asked for.

    A torn line is passed over: whoever wrote it got no answer, or wrote it again.

    Raises:
        ValueError: A whole line is none of ours.
    """
    found: dict[str, Entry] = {}
    for number, line in enumerate(lines, 1):
        try:
            entry = convert(orjson.loads(line), Entry)
        except orjson.JSONDecodeError:
            continue
        except ValidationError as error:
            raise ValueError(f"line {number} of the erasure list is not an erasure: {error}") from None
        found.setdefault(entry.id, entry)
    return list(found.values())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
