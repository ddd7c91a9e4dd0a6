"""The command line."""

import gc

from threepeat.cli.garbage import settle


def main() -> None:
    """Run `threepeat`."""
    gc.disable()
    from threepeat.cli.app import app  # noqa: PLC0415 - start-up pays for no more than the command needs

    settle()
    gc.enable()
    app()
