"""A process looks for garbage seldom, and never in what it began with."""

import subprocess
import sys

import pytest

TOLD = "print(gc.isenabled(), gc.get_threshold()[0], gc.get_freeze_count() > 100_000)"


@pytest.mark.parametrize(
    "begun",
    [
        "import sys; from threepeat.cli import main; sys.argv = ['threepeat', '--version']; run(main)",
        "import threepeat.cli.serve as serve; serve._settled(lambda _: None, None)",
    ],
)
def test_what_it_began_with_is_never_looked_through_again(begun):
    script = f"""
import gc, contextlib
def run(main):
    with contextlib.suppress(SystemExit):
        main()
{begun}
{TOLD}
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "True 10000 True", told.stdout
