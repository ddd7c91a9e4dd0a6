"""Says which of the pinned versions have known vulnerabilities; `make audit` runs it.

It exits with 1 if one has, and with 2 if nobody could be asked about every version: silence is no good news.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
CLEAN, FOUND, UNKNOWN = 0, 1, 2
MOST_NAMED = 5


def judge(report: Mapping[str, Any]) -> tuple[int, list[str]]:
    """What pip-audit's report comes to: an exit code, and what to tell."""
    versions = report["dependencies"]
    skipped = [one for one in versions if "skip_reason" in one]
    told = [
        f"{one['name']} {one['version']}: {', '.join([found['id'], *found.get('aliases', ())])}"
        + (f"; mended in {', '.join(found['fix_versions'])}" if found.get("fix_versions") else "; not mended yet")
        for one in versions
        for found in one.get("vulns", ())
    ]
    if skipped:
        names = ", ".join(one["name"] for one in skipped[:MOST_NAMED])
        more = f" and {len(skipped) - MOST_NAMED} more" if len(skipped) > MOST_NAMED else ""
        told.append(f"not known of {len(skipped)} of {len(versions)} versions: {names}{more}")
    if not versions:
        told.append("no version was looked at")
    if not told:
        told.append(f"{len(versions)} versions, none with a known vulnerability")
    if any(one.get("vulns") for one in versions):
        return FOUND, told
    return (UNKNOWN if skipped or not versions else CLEAN), told


def main(program: Path, arguments: Sequence[str]) -> int:
    """Ask about every pinned version and tell.

    Args:
        program: pip-audit.
        arguments: More of its options, such as `--vulnerability-service osv`.
    """
    options = ["--requirement", str(CONSTRAINTS), "--require-hashes", "--disable-pip", "--format", "json"]
    command = [program, *options, "--progress-spinner", "off", "--timeout", "15", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        code, told = judge(json.loads(done.stdout))
    except ValueError:
        lines = done.stderr.strip().splitlines()
        code, told = UNKNOWN, ["no vulnerability service could be asked", *lines[-1:]]
    print("\n".join(told))
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
