"""An environment as a plugin developer has it: what is installed here, and room for a plugin of their own."""

import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

PIP = """#!{python}
import sys
from pip._internal.cli.main import main
sys.exit(main())
"""


class Environment:
    """A virtual environment that sees this one's packages and keeps what is installed into it to itself."""

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        self.bin = folder / "bin"
        packages = next(folder.glob("lib/python*/site-packages"))
        line = f"import site; site.addsitedir({site.getsitepackages()[0]!r})\n"
        (packages / "workspace.pth").write_text(line, "utf-8")
        self._script("pip", PIP)
        for name in ("pytest", "mypy", "threepeat", "ruff"):
            self._borrow(name)

    def variables(self) -> dict[str, str]:
        """The environment's variables: its programs first, and no index to ask."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("THREEPEAT_", "PYTEST_"))
        }
        offline = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        return {
            **kept,
            **offline,
            "PATH": f"{self.bin}{os.pathsep}{kept['PATH']}",
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }

    def run(self, script: str, cwd: Path, *, seconds: float = 300) -> str:
        """Run lines of bash; raises AssertionError with what they printed if they fail."""
        done = subprocess.run(
            [shutil.which("bash") or "bash", "-euo", "pipefail", "-c", script],
            cwd=cwd,
            env=self.variables(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _script(self, name: str, text: str) -> None:
        file = self.bin / name
        file.write_text(text.format(python=self.bin / "python"), "utf-8")
        file.chmod(0o755)

    def _borrow(self, name: str) -> None:
        """A program of this environment, run by the other one's Python so that it sees what is installed there."""
        original = Path(sys.executable).parent / name
        if original.read_bytes().startswith(b"#!"):
            self._script(
                name,
                "#!{python}\n"
                + original.read_text("utf-8").partition("\n")[2].replace("{", "{{").replace("}", "}}"),
            )
        else:
            (self.bin / name).symlink_to(original)
